"""Commands of one machine work in files of their own, and leave none behind that is not the one everybody knows."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from newsletter.errors import StoreError
from newsletter.store import seat as seats
from newsletter.store.seat import seat

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "subscribers" / "newsletter.db"


def files(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir() if not each.name.endswith(".lock")}


def test_one_after_another_has_the_same_file(path):
    for _ in range(2):
        with seat(path) as ours:
            assert ours == path
            ours.touch()
    assert files(path) == {"newsletter.db"}


def test_at_once_each_has_its_own_and_only_the_first_stays(path):
    with seat(path) as first, seat(path) as second, seat(path) as third:
        assert len({first, second, third}) == 3
        for each in (first, second, third):
            for ending in ("", "-wal", "-shm"):
                each.with_name(each.name + ending).touch()
    assert files(path) == {"newsletter.db", "newsletter.db-wal", "newsletter.db-shm"}


def test_a_seat_is_free_when_whoever_had_it_was_killed(path):
    """And what they left in clear text goes with the next command."""
    ready = path.with_name("ready")
    child = os.fork()
    if not child:
        with seat(path), seat(path) as ours:
            ours.write_text("addresses")
            ready.touch()
            time.sleep(60)
    while not ready.exists():
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    ready.unlink()
    assert files(path) == {"newsletter.db.2"}
    with seat(path) as ours:
        assert ours == path
        assert files(path) == set()


def test_what_somebody_is_at_is_not_swept_away(path):
    with ExitStack() as first:
        first.enter_context(seat(path))
        with seat(path) as second:
            second.write_text("work")
            first.close()
            with seat(path) as third:
                assert third == path
                assert second.read_text() == "work"


def test_there_is_an_end_to_it(path, monkeypatch):
    monkeypatch.setattr(seats, "MOST", 2)
    with seat(path), seat(path), pytest.raises(StoreError, match="2 commands are at work") as caught, seat(path):
        pass
    assert caught.value.hint


def test_a_folder_that_cannot_hold_it_is_named(path):
    path.parent.mkdir()
    path.with_name("newsletter.db.lock").mkdir()
    with pytest.raises(StoreError, match=r"newsletter\.db\.lock: the database file cannot be opened"), seat(path):
        pass
