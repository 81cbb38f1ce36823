"""Reading a list of people: every row checked, every rejected one explained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from newsletter.audience.addresses import BadAddress, read_address
from newsletter.audience.columns import (
    LONGEST_LANGUAGE,
    LONGEST_NAME,
    LONGEST_VALUE,
    column_name,
    read_instant,
    read_language,
    read_tags,
    read_text,
    read_zone,
)
from newsletter.audience.consent import DEPARTED
from newsletter.audience.exports import ANY, Export, recognised
from newsletter.audience.headers import Columns, export_columns, own_columns
from newsletter.audience.importing import Entry, Noted, Rejected
from newsletter.audience.importmap import ImportMap
from newsletter.audience.listrows import Row, read_rows
from newsletter.audience.seen import Seen
from newsletter.audience.subscriber import Frequency, State
from newsletter.errors import ImportHasProblems


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known about a list beside what stands in it."""

    status: State | None = None  # of everybody of whom the list does not say it
    fields: frozenset[str] = frozenset()  # the newsletter's own, which are kept of another service's export
    map: ImportMap = field(default_factory=ImportMap)


class _Unusable(ValueError):
    """A row that holds nobody we could enter."""


class Listing:
    """A list of people that was opened: its header is read, and found good.

    The first row of a CSV names the columns (see `headers`); comma, semicolon or tab stand between them. A line of
    JSON names its own. Raises ImportHasProblems where the list cannot be read, at the beginning or later on.

    Of several rows with one address the first holds. A later one can still say that the person left, and
    comes out as an entry that says nothing else; so it makes no difference where an import is cut into
    transactions, or whether it was stopped and begun anew.
    """

    def __init__(
        self,
        lines: Iterable[str],
        *,
        told: Told | None = None,
        note: Callable[[Noted], None] = lambda _: None,
        refuse: Callable[[Row, str], None] = lambda _row, _why: None,
    ) -> None:
        """Open the list in *lines*; tell *note* what of a taken row cannot be used, and *refuse* the others."""
        self._told = told or Told()
        self._note, self._refuse = note, refuse
        rows = read_rows(lines)
        first = next(rows)
        if first.problem:
            raise ImportHasProblems(first.problem, at="line 1", hint='write: {"email": "…", "name": "…"}')
        self._mapped = any(cell.strip() in self._told.map.columns for cell in first.header)
        self.export = None if self._mapped else recognised({column_name(cell) for cell in first.header})
        if self.export and self.export.silent and self._told.status is None:
            hint = "say it: --status active, unsubscribed or bounced"
            raise ImportHasProblems(f"an export of {self.export.name} does not say who left", at="header", hint=hint)
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._columns_of(first)
        self._rows = chain([first], rows)

    @property
    def kind(self) -> str:
        """What the list was recognised as, in words."""
        if self.export:
            return f"an export of {self.export.name}"
        return "columns as the import map has them" if self._mapped else "columns by their names"

    def __iter__(self) -> Iterator[Entry | Rejected]:
        """The people, and the rows that hold none, in order."""
        seen = Seen()
        for row in self._rows:
            if not any(row.cells) and not row.problem:
                continue
            unused: list[str] = []
            try:
                entry = self._entry(row, unused)
            except (BadAddress, _Unusable) as problem:
                if row.cells == list(row.header):
                    self._note(Noted(row=row.number, line=row.first_line, reason="the header once more; passed over"))
                    continue
                self._refuse(row, str(problem))
                yield Rejected(row=row.number, line=row.first_line, reason=str(problem))
                continue
            if seen.add(entry.key):
                for reason in unused:
                    self._note(Noted(row=row.number, line=row.first_line, reason=reason))
            else:
                left = entry.state if entry.state in DEPARTED else State.PENDING
                entry = Entry(address=entry.address, state=left, again=True)
            yield entry

    def _columns_of(self, row: Row) -> Columns:
        """What the cells of *row* mean. Raises ImportHasProblems."""
        columns = self._columns.get(row.header)
        if columns is None:
            told = self._told
            if self.export:
                columns = export_columns(row.header, self.export, declared=told.fields, words=told.map.states)
            else:
                meanings = told.map.columns if self._mapped else {}
                all_left = told.status in DEPARTED
                columns = own_columns(row.header, meanings=meanings, words=told.map.states, all_left=all_left)
            said = {reason for each in self._columns.values() for reason in each.remarks}
            if len(self._columns) > _MOST_HEADERS:  # every line of JSON may be another
                self._columns.clear()
            self._columns[row.header] = columns
            for reason in columns.remarks:
                if reason not in said:
                    self._note(Noted(row=row.number, line=row.first_line, reason=reason))
        return columns

    def _entry(self, row: Row, unused: list[str]) -> Entry:
        """The person in a row; why something of it is not used is added to *unused*.

        Raises BadAddress or _Unusable; neither quotes the row.
        """
        if row.problem:
            raise _Unusable(row.problem)
        try:
            columns = self._columns_of(row)
        except ImportHasProblems as problem:  # of a line of JSON, which names its own columns
            raise _Unusable(problem.message) from None
        cells = _fitted(row, columns)
        zone = read_zone(cells[columns.zone])
        if zone is None and cells[columns.zone].strip():
            unused.append("the time zone is none we know; the newsletter's own stands in")
        first_name = read_text(_short(cells[columns.first_name], "first name", LONGEST_NAME, unused))
        name = read_text(_short(cells[columns.name], "name", LONGEST_NAME, unused))
        if columns.last_name >= 0 and not name:
            last_name = read_text(_short(cells[columns.last_name], "last name", LONGEST_NAME, unused))
            name = f"{first_name} {last_name}".strip()[:LONGEST_NAME] if last_name else ""
        return Entry(
            address=read_address(cells[columns.address].strip()),
            name=name,
            first_name=first_name,
            zone=zone,
            language=read_language(_short(cells[columns.language], "language", LONGEST_LANGUAGE, unused)),
            tags=read_tags(
                _short(cells[columns.tags], "list of tags", LONGEST_VALUE, unused), blanks=columns.tags_by_blanks
            ),
            attributes=_attributes(cells, columns, self._told.fields, unused),
            state=_state(cells, columns, self._told.status),
            joined_at=_first_instant(cells, columns.joined, "the date of joining", unused),
            paused_until=_first_instant(cells, (columns.paused_until,), "the end of the pause", unused),
            frequency=_frequency(cells[columns.frequency], unused),
            evidence=_evidence(cells, columns, self.export),
        )


_MOST_HEADERS = 1000


def _fitted(row: Row, columns: Columns) -> Sequence[str]:
    """The cells of *row*, as many as there are columns and one empty one more: the one that index -1 finds."""
    cells = row.cells
    if len(cells) > columns.width and any(cells[columns.width :]):
        raise _Unusable("the row has more fields than the header")
    cells = [*cells[: columns.width], *[""] * (columns.width - len(cells) + 1)]
    if row.last_line > row.first_line:
        _check_line_breaks(cells, columns)
    return cells


def _state(cells: Sequence[str], columns: Columns, otherwise: State | None) -> State:
    """Where consent stands: of several cells that say it, the one that says the most against mailing."""
    worst: State | None = None
    for index, words in columns.states:
        word = cells[index].strip().lower()
        if not word:
            continue
        state = words.get(word) or words.get(ANY)
        if state is None:
            known = "use active, pending, unsubscribed, bounced or complained"
            raise _Unusable(f"the status is no word we know; {known}, or give it a meaning in the import map")
        worst = state if worst is None else max(worst, state, key=_AGAINST.index)
    if worst is None:
        return otherwise or State.ACTIVE
    return max(worst, otherwise or State.ACTIVE, key=_AGAINST.index) if otherwise in DEPARTED else worst


_AGAINST = (State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED)


def _attributes(
    cells: Sequence[str], columns: Columns, declared: frozenset[str], unused: list[str]
) -> Mapping[str, str]:
    values = [(name, cells[index]) for index, name in columns.attributes]
    for index in columns.bags:
        try:
            bag = json.loads(cells[index] or "{}", parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            bag = None
        if not isinstance(bag, dict):
            unused.append("the attributes are no JSON object and were left out")
            continue
        own = [(column_name(key), value) for key, value in bag.items()]
        values += [(name, value) for name, value in own if name in declared and isinstance(value, str)]
    return {
        name: text
        for name, cell in values
        if (text := read_text(_short(cell, f"value of {name!r}", LONGEST_VALUE, unused)))
    }


def _first_instant(cells: Sequence[str], places: Iterable[int], what: str, unused: list[str]) -> datetime | None:
    for index in places:
        if cells[index].strip():
            at = read_instant(cells[index])
            if at is None:
                unused.append(f"{what} cannot be read; write it as 2026-11-20")
            return at
    return None


def _frequency(cell: str, unused: list[str]) -> Frequency:
    word = cell.strip().lower()
    if word and word not in _FREQUENCIES:
        unused.append("the frequency is neither weekly nor monthly; weekly stands in")
    return _FREQUENCIES.get(word, Frequency.WEEKLY)


_FREQUENCIES = {each.value: each for each in Frequency}


def _evidence(cells: Sequence[str], columns: Columns, export: Export | None) -> str:
    """What an export says of somebody's consent, with the dates as it has them."""
    if export is None:
        return ""
    said = [f"{what} {cells[index].strip()}" for index, what in columns.evidence if read_instant(cells[index])]
    return f"{export.name}: {', '.join(said)}" if said else ""


def _short(cell: str, what: str, longest: int, unused: list[str]) -> str:
    """*cell*, or nothing if it is longer than anybody would write: it is added to *unused* then."""
    if len(cell) <= longest or len(cell.strip()) <= longest:
        return cell
    unused.append(f"the {what} is longer than {longest:,} characters and was left out")
    return ""


def _check_line_breaks(cells: Sequence[str], columns: Columns) -> None:
    """Raise _Unusable where a line break betrays a field that swallowed the next row."""
    own = {index for index, _ in columns.attributes}
    for index, cell in enumerate(cells):
        _, broken, rest = cell.strip().replace("\r", "\n").partition("\n")
        if broken and (index not in own or "@" in rest):
            raise _Unusable("a field goes on over the end of the line; is a quotation mark missing or one too many?")
