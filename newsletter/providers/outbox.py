"""The outbox: every message a file, for trying out, for tests, and for whoever sends by other means.

A message is written under a temporary name and renamed when it is whole, and its name is its delivery's.
So the folder itself says what was sent: a batch whose sender died settles by looking.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from newsletter.delivery.message import Batch
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
            with (folder / _WRITTEN).open("a", encoding="ascii") as written:
                for row in batch.rows:
                    if self._stop():
                        yield Receipt(seq=row.seq, status=Status.PLANNED, reason="asked to stop")
                        continue
                    _write(folder, row.ref, batch.message(row))
                    written.write(f"{row.ref}\n")
                    written.flush()
                    yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=_file(row.ref))

    def settle(self, batch: Batch) -> Iterator[Receipt]:
        """Look every message up: written and whole, though perhaps taken away since, or certainly never written."""
        with self._telling():
            folder = self._open(batch)
            journal = folder / _WRITTEN
            written = set(journal.read_text(encoding="ascii").splitlines()) if journal.exists() else set()
            for row in batch.rows:
                for part in folder.glob(f".{row.ref}.*"):
                    part.unlink()
                file = _file(row.ref)
                if row.ref in written or (folder / file).exists():
                    found = "found in the outbox"
                    yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=file, reason=found)
                else:
                    yield Receipt(seq=row.seq, status=Status.PLANNED, reason="not in the outbox")

    def read_events(self, data: bytes) -> Iterator[Event]:  # noqa: ARG002 - the port's signature
        """Raises ProviderRefused: nothing happens to a file after it was written."""
        raise ProviderRefused("the outbox reports no events")

    def examine(self) -> Iterator[Look]:
        """Whether the folder can be written."""
        place = next(each for each in (self._folder, *self._folder.parents) if each.exists())
        if os.access(place, os.W_OK | os.X_OK):
            yield Look(what="provider", ok=True, detail=f"outbox, files in {self._folder}; nobody is mailed")
        else:
            fix = "give yourself access, or set [outbox] folder to another one"
            yield Look(what="provider", ok=False, detail=f"{place} cannot be written", fix=fix)

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


# Beside the messages: the names of all that were ever written, so that whoever takes messages away to
# send them by other means does not make them look unsent.
_WRITTEN = ".written"


def _file(ref: str) -> str:
    return f"{ref}.eml"


def _write(folder: Path, ref: str, message: bytes) -> None:
    """Write a message so that it is there whole or not at all, and durable on return."""
    handle, temporary = tempfile.mkstemp(prefix=f".{ref}.", dir=folder)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(folder / _file(ref))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
