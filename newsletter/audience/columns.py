"""How the columns of a list are called, and how their cells are read."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from functools import cache, lru_cache
from zoneinfo import available_timezones

from newsletter.audience.subscriber import State

LONGEST_NAME, LONGEST_VALUE, LONGEST_LANGUAGE = 200, 1000, 35  # characters of what a list may say of somebody

STATES = {
    "active": State.ACTIVE,
    "subscribed": State.ACTIVE,
    "confirmed": State.ACTIVE,
    "pending": State.PENDING,
    "unconfirmed": State.PENDING,
    "unsubscribed": State.UNSUBSCRIBED,
    "left": State.UNSUBSCRIBED,
    "bounced": State.BOUNCED,
    "cleaned": State.BOUNCED,
    "complained": State.COMPLAINED,
    "spam": State.COMPLAINED,
}
_TAG = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
# What a spreadsheet takes for a formula, where a cell begins. Some programs begin one after a semicolon, a tab
# or a line's end, too, whatever the quotation marks say. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = r"(?:\A|(?<=[;\t\r\n]))%s(?='*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"  # the last: = + - @ as wide letters
_UNGUARDED, _GUARDED = re.compile(_FORMULA % ""), re.compile(_FORMULA % "'")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)?(?: [A-Z]{3,4})?")
_FIRST_YEAR = 1990  # of what can be the date of somebody's joining; a program's zero is long before


def column_name(header: str) -> str:
    """*header* as a word that letters can use: lower case, underscores for all else; empty if nothing is left."""
    word = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", header).casefold()).strip("_")
    # A few signs are \w, and yet part of no name.
    return next((name for name in (word, f"field_{word}") if word and name.isidentifier()), "")


def read_text(cell: str) -> str:
    """*cell* on one line: trimmed, runs of control characters as one space. All letters and signs stay."""
    return cell.strip() if cell.isprintable() else _UNSEEN.sub(" ", cell).strip()


def guarded(cell: str) -> str:
    """*cell* with an apostrophe before what a spreadsheet would take for a formula; `unguarded` takes it off."""
    return _UNGUARDED.sub("'", cell)


def unguarded(cell: str) -> str:
    """*cell* as it was before `guarded`."""
    return _GUARDED.sub("", cell) if "'" in cell else cell


def is_tag(word: str) -> bool:
    """Whether *word* is a tag as tags are kept: lower-case ASCII letters and digits, then also . _ and -."""
    return _TAG.fullmatch(word) is not None


@lru_cache(maxsize=4096)
def read_tags(cell: str, *, blanks: bool = True) -> frozenset[str]:
    """The tags of a cell, separated by commas, semicolons or bars, or else, with *blanks*, by them."""
    words = re.split(r"[,;|]", cell) if not blanks or re.search(r"[,;|]", cell) else cell.split()
    return frozenset(filter(None, map(_tag, words)))


def _tag(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.strip().casefold())
    return re.sub(r"[^a-z0-9._-]", "", re.sub(r"\s+", "-", plain)).lstrip("._-")


@lru_cache(maxsize=4096)
def read_language(cell: str) -> str:
    """A language tag in lower case with dashes, e.g. pt-br."""
    return read_text(cell).replace("_", "-").lower()


def read_zone(cell: str) -> str | None:
    """The IANA name of a time zone, however it is capitalised; None if there is none such."""
    return _zones().get(cell.strip().lower())


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def read_instant(cell: str) -> datetime | None:
    """The moment in a cell, in UTC and whole seconds; None if it is none, or one of which day and month are a guess.

    A day alone is its first second. Without a zone it is UTC, so that a list says the same wherever it is read. Seconds
    since 1970 are understood, and the way Go writes a time.
    """
    text = cell.strip()
    try:
        if text.isascii() and text.isdigit() and len(text) in (9, 10):
            return datetime.fromtimestamp(int(text), UTC)
        found = _INSTANT.fullmatch(text)
        zone = (found[3] or "").replace("UTC", "Z") if found else ""
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}" if found else text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return at if at.year >= _FIRST_YEAR else None
