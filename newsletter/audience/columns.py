"""What the columns of a list mean, and how their cells are read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from zoneinfo import available_timezones

from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems

# The field, and the headers it is known under; the first that is there wins, others become attributes.
_NAMES: dict[str, tuple[str, ...]] = {
    "address": ("email", "e_mail", "email_address", "e_mail_address", "mail", "address"),
    "name": ("name", "full_name"),
    "first_name": ("first_name", "firstname", "given_name"),
    "zone": ("timezone", "time_zone", "zone", "tz"),
    "language": ("language", "lang", "locale"),
    "tags": ("tags", "tag"),
    "status": ("status", "state"),
}
LONGEST_NAME, LONGEST_VALUE, LONGEST_LANGUAGE = 200, 1000, 35  # characters of what a list may say of somebody

_STATES = {
    "": State.ACTIVE,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where what stands: indexes into a row, -1 for a field that the list does not have."""

    width: int
    address: int
    name: int
    first_name: int
    zone: int
    language: int
    tags: int
    status: int
    attributes: tuple[tuple[int, str], ...]
    remarks: tuple[str, ...]  # on headers that look like a slip


def read_header(cells: Sequence[str]) -> Columns:
    """The meaning of a header row. Raises ImportHasProblems if there is none, or no column of addresses."""
    headers = [column_name(cell) for cell in cells]
    places = {
        field: next((headers.index(name) for name in names if name in headers), -1) for field, names in _NAMES.items()
    }
    if places["address"] < 0:
        raise _no_addresses(cells, headers)
    _refuse_twins(headers, postal=headers[places["address"]] != "address")
    own = [(index, name) for index, name in enumerate(headers) if name and index not in places.values()]
    return Columns(width=len(cells), **places, attributes=tuple(own), remarks=tuple(_remarks(name for _, name in own)))


def _refuse_twins(headers: Sequence[str], *, postal: bool) -> None:
    """Raise ImportHasProblems if two columns mean the same; `address` beside another may be a *postal* one."""
    meanings = {name: field for field, names in _NAMES.items() for name in names}
    if postal:
        del meanings["address"]
    first: dict[str, str] = {}
    for name in filter(None, headers):
        meaning = meanings.get(name, f"own {name}")
        if meaning in first:
            same = f"two columns are called {name!r}"
            alike = f"the columns {first[meaning]!r} and {name!r} mean the same"
            message = same if first[meaning] == name else alike
            raise ImportHasProblems(message, at="header", hint="rename or remove one of them")
        first[meaning] = name


def _no_addresses(cells: Sequence[str], headers: Sequence[str]) -> ImportHasProblems:
    if any("@" in cell for cell in cells):
        hint = "put a line before it, such as: email,name"
        return ImportHasProblems(
            "the first row holds a person and not the names of the columns", at="header", hint=hint
        )
    like = next((name for name in headers if get_close_matches(name, _NAMES["address"], cutoff=0.6)), None)
    hint = f"did you mean {like!r}? Call it 'email'" if like else "call the column 'email'"
    return ImportHasProblems("there is no column of addresses", at="header", hint=hint)


def _remarks(names: Iterable[str]) -> Iterable[str]:
    known = [name for names_ in _NAMES.values() for name in names_]
    for name in names:
        like = get_close_matches(name, known, n=1, cutoff=0.8)
        if like and name not in known:
            yield f"the column {name!r} is kept as a field of your own; did you mean {like[0]!r}?"


def column_name(header: str) -> str:
    """*header* as a word that letters can use: lower case, underscores for all else; empty if nothing is left."""
    word = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", header).casefold()).strip("_")
    # A few signs are \w, and yet part of no name.
    return next((name for name in (word, f"field_{word}") if word and name.isidentifier()), "")


def read_text(cell: str) -> str:
    """*cell* on one line: trimmed, runs of control characters as one space. All letters and signs stay."""
    return cell.strip() if cell.isprintable() else _UNSEEN.sub(" ", cell).strip()


def is_tag(word: str) -> bool:
    """Whether *word* is a tag as tags are kept: lower-case ASCII letters and digits, then also . _ and -."""
    return _TAG.fullmatch(word) is not None


@lru_cache(maxsize=4096)
def read_tags(cell: str) -> frozenset[str]:
    """The tags of a cell, separated by commas, semicolons or bars, or else by spaces."""
    words = re.split(r"[,;|]", cell) if re.search(r"[,;|]", cell) else cell.split()
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


def read_state(cell: str) -> State | None:
    """Where consent stands, by the words that lists use for it; None for another word."""
    return _STATES.get(cell.strip().lower())
