"""Stylesheets into style attributes, by premailer, with its measured traps closed.

What is closed here and why (premailer 3.10.0): `@import` would be fetched, over the network or from disk
and without a timeout; a doctype it does not know is lost, which throws browsers into quirks mode;
`!important` would be stripped from the media rules that need it; width and bgcolor attributes of the
template would be overwritten from the styles.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Container
from typing import Any, ClassVar

from newsletter.errors import SettingsError
from newsletter.rendering.holes import marks

os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")  # read when premailer is imported

import cssutils
from premailer import Premailer

cssutils.log.setLevel(logging.CRITICAL)  # it reports every mso- property
cssutils.ser.prefs.minimizeColorHash = False  # not every mail client reads #fff
cssutils.util._defaultFetcher = lambda _url: (None, "")  # noqa: SLF001 - its only switch; nothing is ever fetched

DOCTYPE = "<!DOCTYPE html>"
_WORD, _CLASS = re.compile(r"[\w-]+"), re.compile(r"\.([\w-]+)")
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_SHEETS = 16  # style sheets whose rules are kept read; a newsletter has one or two


class _Inliner(Premailer):  # type: ignore[misc]  # it ships no types
    """Premailer, which here reads a sheet once, however many pages it is for: all variants and all saves share it.

    And it looks only for what can be found: most rules are for kinds of blocks that a letter has not.
    """

    _known: ClassVar[dict[tuple[str, int], Any]] = {}

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> Any:  # noqa: ANN401 - its own triple tuples
        key = (css_body, ruleset_index)
        if key not in self._known:
            if len(self._known) >= _SHEETS:
                self._known.clear()
            self._known[key] = super()._parse_style_rules(css_body, ruleset_index)
        rules, leftover = self._known[key]
        there = set(_WORD.findall(_STYLE.sub("", self.html)))
        return [rule for rule in rules if _may_apply(rule[1], there)], leftover


def _may_apply(selector: str, words: Container[str]) -> bool:
    """Whether *selector* could fit an element of a page with these *words*: it has all its classes among them."""
    return "[" in selector or all(name in words for name in _CLASS.findall(selector))


def inline_css(page: str) -> str:
    """*page* with its base styles inlined; blocks marked `data-premailer="ignore"` stay byte for byte."""
    inlined: str = _Inliner(
        page,
        strip_important=False,
        allow_network=False,
        allow_loading_external_files=False,
        disable_basic_attributes=["align", "valign", "bgcolor", "width", "height"],
        align_floating_images=False,
        remove_classes=False,
        keep_style_tags=False,
        exclude_pseudoclasses=True,
        include_star_selectors=True,
        disable_validation=True,
        cache_css_parsing=True,
        base_url=None,
    ).transform(pretty_print=False)
    if not inlined.lstrip().startswith("<!"):
        inlined = f"{DOCTYPE}\n{inlined.lstrip()}"
    before, after = Counter(marks(page)), Counter(marks(inlined))
    if before != after:
        raise SettingsError(
            "personal fields were lost or doubled while inlining",
            hint="a theme may put expressions only into text and attributes",
        )
    return inlined
