"""The outbox: every message a file, for trying out, for tests, and for whoever sends by other means.

A message is written under a temporary name; when it is whole its delivery is noted in a journal, and then it
gets its name. So the folder itself says what was sent, even after messages were taken away to be sent by other
means: a batch whose sender died settles by looking.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from newsletter.delivery.message import Batch
from newsletter.delivery.news import News
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import ProviderRefused


class Outbox:
    """Writes `<folder>/<issue id>/<delivery>.eml`."""

    name = "outbox"
    batch_size = 50
    record_every = 50
    keeps_keys = timedelta(0)

    def __init__(self, folder: Path, stop: Callable[[], bool] = lambda: False) -> None:
        """Write below *folder*, which is made when the first message is, until *stop* says so."""
        self._folder = folder
        self._stop = stop

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """Write one message after another, each durable before its receipt. Raises ProviderRefused."""
        with self._telling():
            folder = self._open(batch)
            with _journal(folder) as journal:
                for row in batch.rows:
                    if self._stop():
                        yield Receipt(seq=row.seq, status=Status.PLANNED, reason="asked to stop")
                        continue
                    part = _write(folder, row.ref, batch.message(row))
                    journal.write(f"{row.ref}\n".encode())
                    _publish(folder, part, row.ref)
                    yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=_file(row.ref))

    def settle(self, batch: Batch) -> Iterator[Receipt]:
        """Look every message up: written and whole, though perhaps taken away since, or certainly never written."""
        with self._telling():
            folder = self._open(batch)
            written = _written(folder)
            for row in batch.rows:
                file, part = folder / _file(row.ref), folder / _part(row.ref)
                if row.ref in written and part.exists():
                    _publish(folder, part, row.ref)  # its sender died between the journal and the name
                if row.ref in written or file.exists():
                    found = "found in the outbox"
                    yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=file.name, reason=found)
                else:
                    part.unlink(missing_ok=True)
                    yield Receipt(seq=row.seq, status=Status.PLANNED, reason="not in the outbox")

    def read_events(self, data: bytes) -> Iterator[Event]:  # noqa: ARG002 - the port's signature
        """Raises ProviderRefused: nothing happens to a file after it was written."""
        raise ProviderRefused("the outbox reports no events")

    def departures(
        self,
        after: str,  # noqa: ARG002 - the port's signature
        *,
        now: datetime,  # noqa: ARG002
    ) -> Iterator[tuple[Sequence[News], str]]:
        """Nothing: nobody answers a file."""
        yield from ()

    def examine(self) -> Iterator[Look]:
        """Whether the folder can be written."""
        place = next(each for each in (self._folder, *self._folder.parents) if each.exists())
        if os.access(place, os.W_OK | os.X_OK):
            yield Look(what="provider", ok=True, detail=f"outbox, files in {self._folder}; nobody is mailed")
        else:
            fix = "give yourself access, or set [outbox] folder to another one"
            yield Look(what="provider", ok=False, detail=f"{place} cannot be written", fix=fix)

    def forget(self, address: str) -> int:
        """How many messages to *address*, as it is kept, were deleted; that they were sent, the journals still know."""
        # As a word of its own: other people's addresses may begin or end with it.
        word = re.escape(address.encode())
        named = re.compile(rb"(?<![^\s<,:])%b(?![^\s>,])" % word, re.IGNORECASE)
        with self._telling():
            found = [path for path in self._folder.rglob("*.eml") if named.search(_head(path))]
            for path in found:
                path.unlink()
        return len(found)

    def close(self) -> None:
        """Nothing is open between two batches."""

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What goes wrong with files, in words an operator can use."""
        try:
            yield
        except OSError as err:
            raise ProviderRefused(
                f"the outbox cannot be used: {err.strerror}",
                at=str(self._folder),
                hint="make room or give access, then send again; nothing is sent twice",
            ) from err

    def _open(self, batch: Batch) -> Path:
        """The folder of the batch's issue, made if need be; its messages are for nobody else and never for Git."""
        name = batch.letter.issue_id
        if Path(name).name != name or name.startswith("."):
            raise ProviderRefused("the letter's id is no name for a folder", hint="approve the letter again")
        folder = self._folder / name
        if not folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._folder / ".gitignore").write_text("*\n")
            folder.mkdir(exist_ok=True, mode=0o700)
            _sync(self._folder)
        return folder


# Beside the messages: the names of all that are whole, one a line. A line without its end was torn by a crash
# and says nothing.
_WRITTEN = ".written"
_LINE_BYTES = 256  # more than a line has

_HEAD_BYTES = 16 * 1024  # of a message, more than its header has


def _head(path: Path) -> bytes:
    """The header of a message."""
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).partition(b"\r\n\r\n")[0]


def _file(ref: str) -> str:
    return f"{ref}.eml"


def _part(ref: str) -> str:
    return f".{ref}.part"


@contextmanager
def _journal(folder: Path) -> Iterator[BinaryIO]:
    """The journal, to add whole lines to; what a crash left of a torn one is cut off."""
    with (folder / _WRITTEN).open("ab+", buffering=0) as journal:
        size = journal.seek(0, os.SEEK_END)
        start = journal.seek(max(0, size - _LINE_BYTES))
        journal.truncate(start + journal.read().rfind(b"\n") + 1)
        yield journal


def _written(folder: Path) -> set[str]:
    journal = folder / _WRITTEN
    *lines, _torn = journal.read_text(encoding="ascii").split("\n") if journal.exists() else [""]
    return set(lines)


def _write(folder: Path, ref: str, message: bytes) -> Path:
    """Write a message so that it is durable, under a name nobody looks at."""
    part = folder / _part(ref)
    # Whoever settles a batch removes what it left; so nobody else can be writing this one.
    with open(part, "xb", opener=_for_owner) as file:
        try:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return part


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _publish(folder: Path, part: Path, ref: str) -> None:
    """Give a whole message its name, durably."""
    part.replace(folder / _file(ref))
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
