"""A letter's HTML as a preview shows it: a copy, in the light that was asked for, whose links open elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Media conditions that always hold and never do; unlike `all` and `not all` they can stand among others.
_HOLDS, _FAILS = "(min-width: 0px)", "(max-width: -1px)"
_PREFERS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_BOTH = r"(?:light\s+dark|dark\s+light)\b"  # a letter that is made for one light only stays as it is
_SCHEMES = re.compile(rf"(color-schemes?\s*:\s*){_BOTH}", re.IGNORECASE)
_CONTENT = re.compile(rf"(content=[\"']){_BOTH}", re.IGNORECASE)
_STYLE = re.compile(r"<style\b.*?</style\s*>|\bmedia=(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE | re.DOTALL)
_META = re.compile(r"<meta\b[^>]*\bname=[\"'](?:supported-)?color-schemes?[\"'][^>]*>", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)


def for_screen(html: str, *, dark: bool, pictures: Mapping[str, str] | None = None) -> str:
    """*html* as a reader sees it whose screen is dark, or light, whatever the one it is shown on is.

    *pictures* has for some addresses another, where the same picture is to be had already.
    """
    for address, here in (pictures or {}).items():
        html = html.replace(f'"{address}"', f'"{here}"')

    def decided(condition: re.Match[str]) -> str:
        return _HOLDS if (condition[1].lower() == "dark") is dark else _FAILS

    scheme = "dark" if dark else "light"

    def in_style(style: re.Match[str]) -> str:
        return _SCHEMES.sub(rf"\g<1>{scheme}", _PREFERS.sub(decided, style[0]))

    shown = _STYLE.sub(in_style, html)
    shown = _META.sub(lambda meta: _CONTENT.sub(rf"\g<1>{scheme}", meta[0]), shown)
    # A link that was followed in the frame would take the letter's place.
    return _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', shown, count=1)
