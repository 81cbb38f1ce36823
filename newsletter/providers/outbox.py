"""The outbox: every message a file, for trying out, for tests, and for whoever sends by other means.

A message is written under a temporary name and renamed when it is whole, and its name is its delivery's.
So the folder itself says what was sent: a batch whose sender died settles by looking.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderRefused


class Outbox:
    """Writes `<folder>/<issue id>/<delivery>.eml`."""

    name = "outbox"
    batch_size = 50

    def __init__(self, folder: Path) -> None:
        """Write below *folder*, which is made when the first message is."""
        self._folder = folder

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """Write every message. Raises ProviderRefused, after the receipts of what was written."""
        folder = self._folder / batch.letter.issue_id
        written: list[Row] = []
        failure: OSError | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for row in batch.rows:
                _write(folder, row.ref, batch.message(row))
                written.append(row)
        except OSError as err:
            failure = err
        if written:
            _sync(folder)  # the names must be as durable as the ledger's word for them
        for row in written:
            yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=_file(row.ref))
        if failure is not None:
            raise ProviderRefused(
                f"the outbox cannot be written: {failure.strerror}",
                at=str(folder),
                hint="make room or give access, then send again; nothing is sent twice",
            ) from failure

    def settle(self, batch: Batch) -> Iterator[Receipt]:
        """Look every message up: there and whole, or certainly never written."""
        folder = self._folder / batch.letter.issue_id
        for row in batch.rows:
            (folder / _temporary(row.ref)).unlink(missing_ok=True)
            if (folder / _file(row.ref)).exists():
                yield Receipt(
                    seq=row.seq, status=Status.ACCEPTED, provider_id=_file(row.ref), reason="found in the outbox"
                )
            else:
                yield Receipt(seq=row.seq, status=Status.PLANNED, reason="not in the outbox")


def _file(ref: str) -> str:
    return f"{ref}.eml"


def _temporary(ref: str) -> str:
    return f".{ref}.part"


def _write(folder: Path, ref: str, message: bytes) -> None:
    temporary = folder / _temporary(ref)
    try:
        with temporary.open("wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / _file(ref))
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
