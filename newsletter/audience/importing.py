"""From a list somebody brings to people we can enter: every row checked, every rejected one explained."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from newsletter.audience.addresses import BadAddress, read_address
from newsletter.audience.columns import (
    Columns,
    is_tag,
    read_header,
    read_language,
    read_state,
    read_tags,
    read_text,
    read_zone,
)
from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A person to be entered. `address` is normalised (domain in lower-case A-labels) and valid.

    `zone` is an IANA name or None; `state` ACTIVE means the bringer has evidence of consent.
    """

    address: str
    name: str = ""
    first_name: str = ""
    zone: str | None = None
    language: str = ""
    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    state: State = State.ACTIVE

    def __post_init__(self) -> None:
        if self.tags and not all(map(is_tag, self.tags)):
            raise ValueError("a tag is not as tags are kept")
        if self.attributes and not all(map(str.isidentifier, self.attributes)):
            raise ValueError("the name of an attribute is not a plain word")
        if self.state is State.ERASED:
            raise ValueError("nobody enters the list erased")

    @property
    def key(self) -> str:
        """What makes two addresses the same person's: the address in lower case."""
        return self.address.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about a row of a list. Rows count from 1, the header; lines too; no address is quoted."""

    row: int
    line: int
    reason: str


class Rejected(Remark):
    """Why a row was not taken."""


class Noted(Remark):
    """What of a row could not be used, although its person was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """What entering did; all counts are rows of the list."""

    added: int = 0
    refreshed: int = 0  # known, with something new in it
    unchanged: int = 0
    departed: int = 0  # known as active, the list says they left: now they have
    kept_away: int = 0  # left before; the list would have brought them back

    def __add__(self, other: ImportCounts) -> ImportCounts:
        """Both together."""
        return ImportCounts(
            added=self.added + other.added,
            refreshed=self.refreshed + other.refreshed,
            unchanged=self.unchanged + other.unchanged,
            departed=self.departed + other.departed,
            kept_away=self.kept_away + other.kept_away,
        )


class _Unusable(ValueError):
    """A row that holds nobody we could enter."""


def read_list(lines: Iterable[str], *, note: Callable[[Noted], None] | None = None) -> Iterator[Entry | Rejected]:
    """The people of a CSV list, and the rows that hold none, in order and in constant memory.

    The first row names the columns (see `columns`); comma, semicolon or tab stand between them. What could
    not be used of a row that was taken is told to *note*. Raises ImportHasProblems where the list cannot be
    read on, as after a quotation mark that is never closed.
    """
    tell = note or (lambda _: None)
    rows = _rows(lines)
    _, line, _, header = next(rows, (1, 1, 1, []))
    columns = read_header(header)
    for reason in columns.remarks:
        tell(Noted(row=1, line=line, reason=reason))
    for row, line, last_line, cells in rows:
        if not any(cells):
            continue
        try:
            entry = _entry(cells, columns, torn=last_line > line)
        except (BadAddress, _Unusable) as problem:
            yield Rejected(row=row, line=line, reason=str(problem))
            continue
        if entry.zone is None and columns.zone >= 0 and cells[columns.zone : columns.zone + 1] not in ([], [""]):
            tell(Noted(row=row, line=line, reason="the time zone is none we know; the newsletter's own stands in"))
        yield entry


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, int, int, list[str]]]:
    """The rows with their number and the lines on which they begin and end."""
    source = iter(lines)
    first = next(source, "").removeprefix("\ufeff")
    # Strict: a broken quotation mark is an error and not a name of a thousand lines; csv's own limit of
    # 128 KiB a field keeps one that is never closed from swallowing the file.
    reader = csv.reader(chain([first], source), delimiter=max(",;\t", key=first.count), strict=True)
    row = line = 1
    try:
        for cells in reader:
            yield row, line, reader.line_num, cells
            row, line = row + 1, reader.line_num + 1
    except csv.Error as error:
        place = f"row {row:,}, which begins on line {line:,}"
        if "new-line character" in str(error):
            message, hint = "lines end in a way of long ago (CR alone)", "save the list again as 'CSV UTF-8'"
        else:
            message = "a quotation mark is opened and not closed as it should be"
            hint = 'close it with " before the next comma; a quotation mark inside a field is written ""'
        raise ImportHasProblems(message, at=place, hint=hint) from None


def _entry(cells: Sequence[str], columns: Columns, *, torn: bool) -> Entry:
    """The person in a row. Raises BadAddress or _Unusable; neither quotes the row."""
    if len(cells) > columns.width and any(cells[columns.width :]):
        raise _Unusable("the row has more fields than the header")
    # One empty cell more than there are columns: the one that index -1 finds.
    cells = [*cells[: columns.width], *[""] * (columns.width - len(cells) + 1)]
    if torn:
        _check_line_breaks(cells, columns)
    state = read_state(cells[columns.status])
    if state is None:
        raise _Unusable("the status is no word we know; use active, pending, unsubscribed, bounced or complained")
    return Entry(
        address=read_address(cells[columns.address].strip()),
        name=read_text(cells[columns.name]),
        first_name=read_text(cells[columns.first_name]),
        zone=read_zone(cells[columns.zone]),
        language=read_language(cells[columns.language]),
        tags=read_tags(cells[columns.tags]),
        attributes={name: text for index, name in columns.attributes if (text := read_text(cells[index]))},
        state=state,
    )


def _check_line_breaks(cells: Sequence[str], columns: Columns) -> None:
    """Raise _Unusable where a line break betrays a field that swallowed the next row."""
    own = {index for index, _ in columns.attributes}
    for index, cell in enumerate(cells):
        _, broken, rest = cell.strip().replace("\r", "\n").partition("\n")
        if broken and (index not in own or "@" in rest):
            raise _Unusable("a field goes on over the end of the line; is a quotation mark missing or one too many?")
