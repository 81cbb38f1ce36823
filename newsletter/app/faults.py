"""An error that stopped a build, as a problem with a place, so that a page can show it beside all others."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path

from newsletter.content.issue import Problem, Span
from newsletter.errors import NewsletterError

_PLACE = re.compile(r"(?P<path>[^\s:\[]+)(?::(?P<line>\d+))?[:\s]*(?P<rest>.*)")
_AT_LINE = re.compile(r"\(at line (\d+)")


def as_problem(err: Exception, *, text_of: Callable[[str], str | None]) -> Problem:
    """*err* with its file and its line; *text_of* gives a file's text, to find the line of a setting in."""
    if not isinstance(err, NewsletterError):
        frame = traceback.extract_tb(err.__traceback__)[-1]
        # Without the error's own words, which may quote a reader.
        what = f"a bug: {type(err).__name__} in {Path(frame.filename).name}:{frame.lineno}"
        return Problem(at=Span("newsletter"), what=what, hint="this is our mistake, not yours")
    found = _PLACE.fullmatch(err.at)
    if not found:
        return Problem(at=Span(err.at or "newsletter"), what=err.message, hint=err.hint)
    said = _AT_LINE.search(err.message)
    line = int(found["line"] or (said[1] if said else 0))
    what = f"{found['rest']}: {err.message}" if found["rest"] else err.message
    if not line and found["rest"]:
        line = _line_of(found["rest"], text_of(found["path"]) or "")
    return Problem(at=Span(found["path"], line), what=what, hint=err.hint)


def _line_of(setting: str, text: str) -> int:
    """The line on which *setting* (`[section] key`, `key` or `name.key`) stands in a TOML text; 0 if it does not."""
    section, _, key = setting.rpartition(" ")
    key = key.partition(".")[0]
    here, start = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if bare.startswith("["):
            here = bare.partition("]")[0] + "]"
            start = number if here in (section, key) else start
        elif here == section and re.match(rf"{re.escape(key)}\s*=", bare):
            return number
    return start
