"""The journal of departures as a file beside the database: what a restored backup of it cannot know.

Lines are only ever added, durable before the transaction that they tell of. So a program that is killed in between
leaves a journal that knows more than the database, never less. A line names nobody: it holds the keyed hash of an
address, which says nothing without the database's pepper.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from newsletter.audience.consent import DEPARTED
from newsletter.errors import StoreError

SUPPRESSED = "suppressed"  # the one departure that is of an address, and no state of a person

_BEGINNING = b'{"journal": '  # of every journal, and of no other file
_TAIL_BYTES = 4096  # before a mark, by which one sees that the same journal was read up to there
_MOST_BYTES = 64 * 1024  # of a line that could be one of ours, and far more
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Departure:
    """Somebody left: when (aware, in UTC), into which state (or SUPPRESSED), and the hash of their address."""

    at: datetime
    what: str
    who: str


class Announced(NamedTuple):
    """Somebody who leaves in a transaction that is not done yet; by the number of their row, or the hash."""

    at: datetime
    what: str
    who: int | bytes


def announce(connection: Connection, *, at: datetime, what: str, who: int | bytes) -> None:
    """Let the journal know, before *connection* commits, that somebody leaves."""
    connection.info.setdefault(_ANNOUNCED, []).append(Announced(at.replace(microsecond=0), what, who))


def announced(connection: Connection) -> list[Announced]:
    """Who was announced since the last time; nobody is told of twice."""
    found: list[Announced] = connection.info.pop(_ANNOUNCED, [])
    return found


_ANNOUNCED = "departures"


def write_lines(departures: Iterable[Departure]) -> str:
    """The journal as text: one JSON object a line, oldest first."""
    return "".join(
        json.dumps({"at": each.at.isoformat(), "what": each.what, "who": each.who}) + "\n"
        for each in sorted(departures)
    )


def read_lines(text: str) -> frozenset[Departure]:
    """The departures in a journal. Raises ValueError for what is none."""
    try:
        return frozenset(_departure(json.loads(line)) for line in text.splitlines())
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("a line of the journal is no departure") from None


def _departure(fields: dict[str, str]) -> Departure:
    at, what, who = datetime.fromisoformat(fields["at"]), fields["what"], fields["who"]
    if at.tzinfo is None or what not in {SUPPRESSED, *DEPARTED} or not bytes.fromhex(who):
        raise ValueError(what)
    return Departure(at=at, what=what, who=who)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a journal holds after a mark; all of it if *whole*, because the mark is none of this journal's."""

    departures: frozenset[Departure]
    mark: str
    whole: bool


class Journal:
    """The journal of one newsletter in the file at *path*. Many processes may add to it at once."""

    def __init__(self, path: Path, *, newsletter: str) -> None:
        """*newsletter* is the fingerprint of its database."""
        self._path = path
        self._newsletter = newsletter

    def name(self) -> str:
        """What tells this file from one that took its place; it is made if it is not there."""
        with self._open() as file:
            return self._head(file)

    def since(self, mark: str) -> News | None:
        """What was added after *mark*; None if nothing was. Raises StoreError for what is no journal of ours."""
        with self._open() as file:
            self._head(file)
            end = _whole_lines(file)
            offset = int(mark.partition(" ")[0] or 0)
            whole = not mark or offset > end or _mark(file, offset) != mark
            if offset == end and not whole:
                return None
            departures = frozenset(self._departures(file, 0 if whole else offset, end))
            return News(departures=departures, mark=_mark(file, end), whole=whole)

    def add(self, departures: Iterable[Departure]) -> tuple[str, str, str]:
        """Add them, durably; the journal's name, and the marks before and after them."""
        lines = write_lines(departures).encode()
        with self._open() as file:
            name, end = self._head(file), _whole_lines(file)
            os.ftruncate(file, end)  # a power cut may have torn the last line; nobody counts on what it said
            before = _mark(file, end)
            _write(file, lines, at=end)
            return name, before, _mark(file, end + len(lines))

    @contextmanager
    def _open(self) -> Iterator[int]:
        """The file, ours alone until the block ends."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
            finally:
                os.close(file)
        except OSError as error:
            hint = "make room and give this user access, or name another place: [state] journal"
            message = f"the journal of departures cannot be used: {error.strerror}"
            raise StoreError(message, hint=hint, at=str(self._path)) from None

    def _head(self, file: int) -> str:
        """The name of the journal, from its first line, which is written if there is none."""
        line, end, _ = os.pread(file, _TAIL_BYTES, 0).partition(b"\n")
        if not end and _BEGINNING.startswith(line[: len(_BEGINNING)]):  # new, or torn when it was begun
            line = json.dumps({"journal": secrets.token_hex(8), "newsletter": self._newsletter}).encode()
            os.ftruncate(file, 0)
            _write(file, line + b"\n", at=0)
            _sync_folder(self._path.parent)
        try:
            return self._named(line)
        except (KeyError, TypeError, ValueError, RecursionError):
            raise self._refusal("its first line is none that this program wrote", 1) from None

    def _named(self, line: bytes) -> str:
        """The name in a first line. Raises StoreError if it is of another newsletter."""
        fields = json.loads(line)
        if fields["newsletter"] != self._newsletter:
            hint = "put each newsletter's journal beside its own database, or name this one's: [state] journal"
            raise StoreError("the journal of departures is another newsletter's", hint=hint, at=str(self._path))
        return str(fields["journal"])

    def _departures(self, file: int, start: int, end: int) -> Iterator[Departure]:
        """Those in the lines between two offsets. Heads of this newsletter among them are passed over."""
        number = 0
        for number, line in enumerate(_lines(file, start, end), 1):
            try:
                fields = json.loads(line)
                if "journal" in fields:
                    self._named(line)
                else:
                    yield _departure(fields)
            except (KeyError, TypeError, ValueError, RecursionError):
                before = sum(1 for _ in _lines(file, 0, start))
                raise self._refusal("it is no departure", before + number) from None

    def _refusal(self, why: str, line: int) -> StoreError:
        hint = "look who wrote there; without the line, what the database knows is added again"
        return StoreError(f"the journal of departures cannot be read: {why}", hint=hint, at=f"{self._path}:{line}")


def _mark(file: int, offset: int) -> str:
    """What stands for having read up to *offset*."""
    start = max(0, offset - _TAIL_BYTES)
    return f"{offset} {blake2b(os.pread(file, offset - start, start), digest_size=16).hexdigest()}"


def _whole_lines(file: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _TAIL_BYTES)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _lines(file: int, start: int, end: int) -> Iterator[bytes]:
    """The lines between two offsets; one without an end in sight is cut, and then no departure."""
    rest = b""
    while start < end:
        chunk = os.pread(file, min(_CHUNK_BYTES, end - start), start)
        start += len(chunk) or end
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > _MOST_BYTES:
            yield rest
            return


def _write(file: int, content: bytes, *, at: int) -> None:
    """Write all of it, durably, or nothing."""
    try:
        written = 0
        while written < len(content):
            written += os.write(file, content[written:])
        os.fsync(file)
    except OSError:
        os.ftruncate(file, at)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
