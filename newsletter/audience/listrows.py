"""From the lines of a list to its rows: CSV, or one JSON object a line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from newsletter.audience.columns import guarded, unguarded
from newsletter.audience.headers import OWN, WHY_NOT
from newsletter.errors import ImportHasProblems


class Row(NamedTuple):
    """A row, its number (the header is 1), and the lines on which it begins and ends.

    `header` names the cells. `line` is what stands in a file of JSON, else empty; `problem` says why it cannot be read.
    """

    number: int
    first_line: int
    last_line: int
    header: tuple[str, ...]
    cells: Sequence[str]
    line: str = ""
    problem: str = ""


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a list; the header of a CSV is one without cells.

    Raises ImportHasProblems where the list cannot be read on.
    """
    source = iter(lines)
    first = next(source, "").removeprefix("\ufeff")
    if first.lstrip().startswith("["):
        hint = "write one object a line: jq -c '.[]' list.json > list.jsonl"
        raise ImportHasProblems("this is one JSON value and not one object a line", at="line 1", hint=hint)
    read = _json_rows if first.lstrip().startswith("{") else _csv_rows
    return read(first, source)


def _csv_rows(first: str, rest: Iterator[str]) -> Iterator[Row]:
    # Excel's own way to say what stands between the cells.
    said = re.fullmatch(r'"?sep=(.)"?\s*', first)
    skipped = 1 if said else 0
    first = next(rest, "") if said else first
    mark = said[1] if said else max(",;\t", key=first.count)
    # Strict: a broken quotation mark is an error and not a name of a thousand lines; csv's own limit of
    # 128 KiB a field keeps one that is never closed from swallowing the file.
    reader = csv.reader(chain([first], rest), delimiter=mark, strict=True)
    number = line = 1
    header: tuple[str, ...] | None = None
    try:
        for cells in reader:
            if header is None:
                header = tuple(cells)
                yield Row(1, 1, 1, header, ())
            else:
                last_line = reader.line_num
                yield Row(number, line + skipped, last_line + skipped, header, [*map(unguarded, cells)])
            number, line = number + 1, reader.line_num + 1
    except csv.Error as error:
        raise _unreadable(str(error), f"row {number:,}, which begins on line {line + skipped:,}") from None
    if header is None:
        yield Row(1, 1, 1, (), ())


def _unreadable(error: str, place: str) -> ImportHasProblems:
    if "new-line character" in error:
        message, hint = "lines end in a way of long ago (CR alone)", "save the list again as 'CSV UTF-8'"
    elif "field larger" in error:
        message = "a field has more than 131,072 characters; mostly, a quotation mark is opened and not closed"
        hint = 'close it with " before the next comma; a quotation mark inside a field is written ""'
    else:
        message = "a quotation mark is opened and not closed as it should be"
        hint = 'close it with " before the next comma; a quotation mark inside a field is written ""'
    return ImportHasProblems(message, at=place, hint=hint)


def _json_rows(first: str, rest: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(chain([first], rest), start=1):
        if not line.strip():
            continue
        try:
            keys, cells = _flat(json.loads(line, object_pairs_hook=_once, parse_int=str, parse_float=str))
        except (ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, _Twice) else "this is no JSON object on a line of its own"
            yield Row(number, number, number, (), (), line, reason)
            continue
        yield Row(number, number, number, keys, cells, line)


class _Twice(ValueError):
    """An object that says something twice."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice("the same key stands in the object twice")
    return found


def _flat(data: object) -> tuple[tuple[str, ...], list[str]]:
    """The keys of an object and their values as cells; those of `fields` are the newsletter's own."""
    if not isinstance(data, dict):
        raise ValueError("no object")  # noqa: TRY004 - as json's own
    own = data.pop("fields", {})
    if not isinstance(own, dict):
        raise ValueError("no object")  # noqa: TRY004
    flat = {**data, **{OWN + name: value for name, value in own.items()}}
    return tuple(flat), [_cell(value) for value in flat.values()]


def _cell(value: object) -> str:
    """A JSON value as a cell: nothing for null, a list with commas between, an object as it is written."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return json.dumps(value, ensure_ascii=False)


def refused(row: Row, reason: str, *, first: bool) -> str:
    """*row* as it came, with the *reason* why it was not taken; the *first* of a CSV brings the header along.

    What is mended in such a list can be imported as it is: the reason stands in a column that import passes over.
    """
    if row.line:
        why, rest = f'"{WHY_NOT}": {json.dumps(reason)}', row.line.strip()[1:].lstrip()
        if row.problem:
            return f"{{{why}, {json.dumps('row')}: {json.dumps(row.line.strip())}}}\n"
        return f"{{{why}{', ' if rest[0] != '}' else ''}{rest}\n"
    text = _Text()
    writer = csv.writer(text, lineterminator="\n")
    if first:
        writer.writerow((WHY_NOT, *row.header))
    writer.writerow((reason, *map(guarded, row.cells)))
    return "".join(text)


class _Text(list[str]):
    """What a csv.writer writes to."""

    def write(self, text: str) -> None:
        self.append(text)
