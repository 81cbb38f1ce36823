"""What the columns of a list mean: by the names that people give them, or as `exports` or an `importmap` say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from newsletter.audience.columns import STATES, column_name
from newsletter.audience.exports import Export
from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems

# The field, and the headers it is known under; the first that is there wins, others become attributes.
NAMES: Mapping[str, tuple[str, ...]] = {
    "address": ("email", "e_mail", "email_address", "e_mail_address", "mail", "address"),
    "name": ("name", "full_name"),
    "first_name": ("first_name", "firstname", "given_name"),
    "zone": ("timezone", "time_zone", "zone", "tz"),
    "language": ("language", "lang", "locale"),
    "tags": ("tags", "tag"),
    "status": ("status", "state"),
    "joined": ("joined", "joined_at"),
    "paused_until": ("paused_until",),
    "frequency": ("frequency",),
}
OWN = "fields."  # begins a header that is a field of the newsletter's own, whatever it is called
WHY_NOT = "not_taken_because"  # a column that we write ourselves, beside rows that were not taken

# Names of columns that say who left, bounced or never agreed, in the lists of services and shops that we do not know.
_OF_CONSENT = re.compile(
    r"unsub|opt(?:ed)?_?out|(?:black|block)_?list|bounce[ds]?(?:_|$)|complain(?:ed|t)|suppress|do_not_(?:e_?)?(?:mail|contact)"
    r"|(?:^|_)(?:subscribed|opt(?:ed)?_?in|deleted(?:_at)?|cancell?ed_at|left_at)$|accepts_(?:email_)?marketing"
    r"|^(?:e_?mail|mail|sub\w+|marketing|contact|list|member\w*|newsletter)_(?:status|state)$|^consent(?:_status)?$"
    r"|^error$|(?:^|_)agree(?:_|$)|abgemeldet|abmeldung|désinscri|desinscri"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where what stands: indexes into a row, -1 for a field that the list does not have."""

    width: int
    address: int
    name: int = -1
    first_name: int = -1
    last_name: int = -1
    zone: int = -1
    language: int = -1
    tags: int = -1
    joined: tuple[int, ...] = ()  # the first that is not empty counts
    paused_until: int = -1
    frequency: int = -1
    states: tuple[tuple[int, Mapping[str, State]], ...] = ()  # with the words for them
    evidence: tuple[tuple[int, str], ...] = ()  # with what their date is that of
    bags: tuple[int, ...] = ()  # JSON objects of fields
    attributes: tuple[tuple[int, str], ...] = ()
    tags_by_blanks: bool = True
    remarks: tuple[str, ...] = ()


def is_of_consent(name: str) -> bool:
    """Whether a column of this *name*, as `column_name` writes it, is likely to say who may not be mailed."""
    return _OF_CONSENT.search(name) is not None


def own_columns(
    cells: Sequence[str], *, meanings: Mapping[str, str], words: Mapping[str, State], all_left: bool = False
) -> Columns:
    """The meaning of a header row in which people named the columns, some of them as *meanings* has it.

    Raises ImportHasProblems if there is none, no column of addresses, or two that mean the same; and, unless *all_left*
    by what is said of the whole list, if a column seems to say who left and is not told apart from any other.
    """
    mapped = [meanings.get(cell.strip()) for cell in cells]
    plain = [column_name(cell) if word is None else "" for cell, word in zip(cells, mapped, strict=True)]
    places: dict[str, Any] = {field: mapped.index(field) for field in NAMES if field in mapped}
    for field, names in NAMES.items():
        places.setdefault(field, next((plain.index(name) for name in names if name in plain), -1))
    if places["address"] < 0:
        raise _no_addresses(cells, plain)
    _refuse_twins(plain, mapped, postal=plain[places["address"]] != "address")
    own = {
        index: _marked(cell) if cell.startswith(OWN) else mapped[index] or plain[index]
        for index, cell in enumerate(cells)
        if index not in places.values() and mapped[index] != "" and plain[index] != WHY_NOT
    }
    status, joined = places.pop("status"), places.pop("joined")
    if status < 0 and not all_left:
        _refuse_unread_consent(
            plain[index] for index in own if mapped[index] is None and not cells[index].startswith(OWN)
        )
    return Columns(
        width=len(cells),
        **places,
        joined=(joined,) if joined >= 0 else (),
        states=((status, {**STATES, **words}),) if status >= 0 else (),
        attributes=tuple((index, name) for index, name in own.items() if name),
        remarks=tuple(_remarks(plain[index] for index in own)),
    )


def export_columns(
    cells: Sequence[str], export: Export, *, declared: Collection[str], words: Mapping[str, State]
) -> Columns:
    """The meaning of a header row of *export*; of the columns it does not name those *declared* are kept.

    Raises ImportHasProblems if the column of addresses is missing, as it may in a line of JSON.
    """
    names = [column_name(cell) for cell in cells]
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    places: dict[str, Any] = {
        field: first[name] for name, field in export.fields.items() if name in first and field != "joined"
    }
    if "address" not in places:
        raise _no_addresses(cells, names)
    said = [(next((first[name] for name in among if name in first), -1), meaning) for among, meaning in export.states]
    states = tuple((index, {**STATES, **meaning, **words}) for index, meaning in said if index >= 0)
    bags = tuple(first[name] for name in export.bags if name in first)
    used = {*places.values(), *bags, *(index for index, _ in states), *(first.get(name) for name in export.dates)}
    own = {name: index for name, index in first.items() if name in declared and index not in used}
    left_out = [
        name
        for name, index in sorted(first.items(), key=lambda column: column[1])  # as they stand in the file
        if name and name not in (*own, WHY_NOT) and index not in used
    ]
    remark = f"left out, as letters have no use for it: {', '.join(left_out)}; name one under [fields] to keep it"
    return Columns(
        width=len(cells),
        **places,
        joined=tuple(first[name] for name, field in export.fields.items() if name in first and field == "joined"),
        states=states,
        evidence=tuple((first[name], what) for name, what in export.dates.items() if name in first),
        bags=bags,
        attributes=tuple((index, name) for name, index in own.items()),
        tags_by_blanks=False,
        remarks=(remark,) if left_out else (),
    )


def _marked(cell: str) -> str:
    """The name of a field after OWN: as it is, if it can be one."""
    name = cell.removeprefix(OWN)
    return name if name.isidentifier() else column_name(name)


def _refuse_twins(headers: Sequence[str], mapped: Sequence[str | None], *, postal: bool) -> None:
    """Raise ImportHasProblems if two columns mean the same; `address` beside another may be a *postal* one."""
    meanings = {name: field for field, names in NAMES.items() for name in names}
    if postal:
        del meanings["address"]
    first: dict[str, str] = {}
    for name, field in zip(headers, mapped, strict=True):
        meaning = field or meanings.get(name, f"own {name}" if name else "")
        if not meaning:
            continue
        said = name or f"{field} (by the import map)"
        if meaning in first:
            same = f"two columns are called {said!r}"
            alike = f"the columns {first[meaning]!r} and {said!r} mean the same"
            message = same if first[meaning] == said else alike
            raise ImportHasProblems(message, at="header", hint="rename or remove one of them")
        first[meaning] = said


def _refuse_unread_consent(names: Iterable[str]) -> None:
    """Raise ImportHasProblems for a column that would become a field while it says who must not be mailed."""
    name = next(filter(is_of_consent, names), None)
    if name is not None:
        message = f"the column {name!r} seems to say who left or never agreed, and everybody would be entered as active"
        hint = 'in subscribers/import.toml, name it "status" and give its words a meaning, or "" to leave it out'
        raise ImportHasProblems(message, at="header", hint=hint)


def _no_addresses(cells: Sequence[str], headers: Sequence[str]) -> ImportHasProblems:
    if any("@" in cell for cell in cells):
        hint = "put a line before it, such as: email,name"
        return ImportHasProblems(
            "the first row holds a person and not the names of the columns", at="header", hint=hint
        )
    like = next((name for name in headers if get_close_matches(name, NAMES["address"], cutoff=0.6)), None)
    hint = f"did you mean {like!r}? Call it 'email'" if like else "call the column 'email'"
    return ImportHasProblems("there is no column of addresses", at="header", hint=hint)


def _remarks(names: Iterable[str]) -> Iterable[str]:
    known = [name for names_ in NAMES.values() for name in names_]
    for name in names:
        like = get_close_matches(name, known, n=1, cutoff=0.8)
        if like and name not in known:
            yield f"the column {name!r} is kept as a field of your own; did you mean {like[0]!r}?"
