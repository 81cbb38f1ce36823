"""From a list somebody brings to people we can enter: every row checked, every rejected one explained."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from newsletter.audience.addresses import BadAddress, address_key, read_address
from newsletter.audience.columns import (
    LONGEST_LANGUAGE,
    LONGEST_NAME,
    LONGEST_VALUE,
    Columns,
    is_tag,
    read_header,
    read_language,
    read_state,
    read_tags,
    read_text,
    read_zone,
)
from newsletter.audience.consent import DEPARTED
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
        """What makes two addresses the same person's; see `address_key`."""
        return address_key(self.address)


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
    """The people of a CSV list, and the rows that hold none, in order.

    The first row names the columns (see `columns`); comma, semicolon or tab stand between them. What could
    not be used of a row that was taken is told to *note*. Raises ImportHasProblems where the list cannot be
    read on, as after a quotation mark that is never closed.

    Of several rows with one address the first holds. A later one can still say that the person left, and
    comes out as an entry that says nothing else; so it makes no difference where an import is cut into
    transactions, or whether it was stopped and begun anew. To remember who was there takes 75 MB for a
    million people.
    """
    tell = note or (lambda _: None)
    rows = _rows(lines)
    _, line, _, header = next(rows, (1, 1, 1, []))
    columns = read_header(header)
    for reason in columns.remarks:
        tell(Noted(row=1, line=line, reason=reason))
    seen: set[int] = set()
    for row, line, last_line, cells in rows:
        if not any(cells):
            continue
        unused: list[str] = []
        try:
            entry = _entry(cells, columns, unused, torn=last_line > line)
        except (BadAddress, _Unusable) as problem:
            yield Rejected(row=row, line=line, reason=str(problem))
            continue
        digest = hash(entry.key)  # of 64 bits, and other ones in every process
        if digest in seen:
            entry = Entry(address=entry.address, state=entry.state if entry.state in DEPARTED else State.PENDING)
        else:
            seen.add(digest)
            for reason in unused:
                tell(Noted(row=row, line=line, reason=reason))
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


def _entry(cells: Sequence[str], columns: Columns, unused: list[str], *, torn: bool) -> Entry:
    """The person in a row; why something of it is not used is added to *unused*.

    Raises BadAddress or _Unusable; neither quotes the row.
    """
    if len(cells) > columns.width and any(cells[columns.width :]):
        raise _Unusable("the row has more fields than the header")
    # One empty cell more than there are columns: the one that index -1 finds.
    cells = [*cells[: columns.width], *[""] * (columns.width - len(cells) + 1)]
    if torn:
        _check_line_breaks(cells, columns)
    state = read_state(cells[columns.status])
    if state is None:
        raise _Unusable("the status is no word we know; use active, pending, unsubscribed, bounced or complained")
    zone = read_zone(cells[columns.zone])
    if zone is None and cells[columns.zone].strip():
        unused.append("the time zone is none we know; the newsletter's own stands in")
    return Entry(
        address=read_address(cells[columns.address].strip()),
        name=read_text(_short(cells[columns.name], "name", LONGEST_NAME, unused)),
        first_name=read_text(_short(cells[columns.first_name], "first name", LONGEST_NAME, unused)),
        zone=zone,
        language=read_language(_short(cells[columns.language], "language", LONGEST_LANGUAGE, unused)),
        tags=read_tags(_short(cells[columns.tags], "list of tags", LONGEST_VALUE, unused)),
        attributes={
            name: text
            for index, name in columns.attributes
            if (text := read_text(_short(cells[index], f"value of {name!r}", LONGEST_VALUE, unused)))
        },
        state=state,
    )


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
