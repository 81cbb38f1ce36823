"""The outbox: what its folder says is the truth, at whatever moment a sender dies and whoever takes messages away."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderRefused
from newsletter.providers.outbox import Outbox
from tests.contract.providers.contract import kept
from tests.contract.providers.letters import batch_of, crowd, reader


class Died(BaseException):
    """Stands for a kill -9: nothing of the sender's runs after it."""


def folder_of(root: Path, batch: Batch) -> Path:
    return root / batch.letter.issue_id


def files(root: Path, batch: Batch) -> list[str]:
    return sorted(path.name for path in folder_of(root, batch).glob("*.eml"))


def statuses(receipts: Iterable[Receipt | None]) -> dict[int, Status]:
    return {seq: receipt.status for seq, receipt in kept(receipts).items()}


def test_everyone_gets_a_file_and_a_receipt(tmp_path: Path) -> None:
    batch = crowd(5)
    assert set(statuses(Outbox(tmp_path).send(batch)).values()) == {Status.ACCEPTED}
    assert files(tmp_path, batch) == sorted(f"{row.ref}.eml" for row in batch.rows)
    for row in batch.rows:
        path = folder_of(tmp_path, batch) / f"{row.ref}.eml"
        assert path.read_bytes() == batch.message(row)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_taken_away_still_counts_as_written(tmp_path: Path) -> None:
    batch = crowd(3)
    kept(Outbox(tmp_path).send(batch))
    for path in folder_of(tmp_path, batch).glob("*.eml"):
        path.unlink()
    assert set(statuses(Outbox(tmp_path).settle(batch)).values()) == {Status.ACCEPTED}


def test_a_line_torn_by_a_crash_neither_hides_a_message_nor_invents_one(tmp_path: Path) -> None:
    first, second, third = (batch_of(reader(number)) for number in (1, 2, 3))
    kept(Outbox(tmp_path).send(first))
    (journal,) = (path for path in folder_of(tmp_path, first).iterdir() if path.suffix != ".eml")
    # The power went in the middle of the third one's line; its message was never there.
    with journal.open("a") as file:
        file.write(third.rows[0].ref)
    assert statuses(Outbox(tmp_path).settle(third)) == {3: Status.PLANNED}
    kept(Outbox(tmp_path).send(second))
    for path in folder_of(tmp_path, first).glob("*.eml"):
        path.unlink()
    assert statuses(Outbox(tmp_path).settle(second)) == {2: Status.ACCEPTED}
    assert statuses(Outbox(tmp_path).settle(third)) == {3: Status.PLANNED}


@pytest.mark.parametrize("dies_in", ["fsync", "replace"])
def test_a_message_is_written_once_wherever_its_sender_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    """Before and after each step that makes a message durable, and with the message taken away after the crash."""
    batch = batch_of(reader(1))
    kept(Outbox(tmp_path).send(batch_of(reader(2))))  # the folder is there
    name = f"{batch.rows[0].ref}.eml"
    owner, real = (os, os.fsync) if dies_in == "fsync" else (Path, Path.replace)
    for after in (False, True):

        def dying(*args: object, after: bool = after) -> object:
            if after:
                real(*args)  # type: ignore[arg-type]
            raise Died

        with monkeypatch.context() as patched:
            patched.setattr(owner, dies_in, dying)
            patched.setattr(Path, "unlink", lambda *_args, **_more: None)  # a killed sender tidies nothing up
            with pytest.raises(Died):
                list(Outbox(tmp_path).send(batch))
        taken = folder_of(tmp_path, batch) / name
        was_there = taken.exists()
        taken.unlink(missing_ok=True)
        found = statuses(Outbox(tmp_path).settle(batch))[1]
        settled = taken.exists()
        if found is Status.ACCEPTED:
            assert was_there != settled, "written exactly once"
            return
        assert not was_there
        assert not settled
        assert [path.name for path in folder_of(tmp_path, batch).iterdir() if ".part" in path.name] == []


def test_asked_to_stop_it_begins_nothing_new(tmp_path: Path) -> None:
    batch = crowd(3)
    assert set(statuses(Outbox(tmp_path, lambda: True).send(batch)).values()) == {Status.PLANNED}
    assert files(tmp_path, batch) == []


def test_a_file_has_no_events(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match="no events"):
        Outbox(tmp_path).read_events(b"")
