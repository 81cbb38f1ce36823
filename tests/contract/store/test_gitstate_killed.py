"""A process that saves is killed at any moment: what was confirmed is there, and nothing readable lies about."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

import pytest

from newsletter.errors import StateConflict
from tests.contract.store.remotes import enter, make_database, make_remote, names, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.store.remotes import Remote

pytestmark = pytest.mark.needs("git")

ROUNDS = 30


def add_until_killed(remote: Remote, path: Path, confirmed: Path, label: str) -> None:
    """Load, then add one person after the other and save, noting who is confirmed to be saved."""
    state = remote.state()
    state.load(path)
    with closing(os.fdopen(os.open(confirmed, os.O_APPEND | os.O_CREAT | os.O_WRONLY), "w")) as notes:
        for number in count():
            enter(path, f"{label}n{number}")
            try:
                state.save(path)
            except StateConflict:  # the push of one who was killed arrived after all
                state.load(path)
            else:
                notes.write(f"{label}n{number}\n")
                notes.flush()


def kill_after(delay_s: float, *work: object) -> None:
    child = os.fork()
    if not child:
        try:
            add_until_killed(*work)
        finally:
            os._exit(1)
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)  # and did not fail before


def test_killed_at_any_moment(tmp_path, monkeypatch):
    remote, scratch = make_remote(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    remote.state().init(make_database(tmp_path / "desk.db"))
    confirmed, chance = tmp_path / "confirmed", random.Random(20261123)
    generation = 1
    began = time.monotonic()
    remote.state().load(tmp_path / "look.db")
    pace = time.monotonic() - began  # of this machine, busy as it is: what is killed must have got somewhere
    for number in range(ROUNDS):
        path = (
            tmp_path / "runner.db" if number % 2 else tmp_path / f"runner{number}.db"
        )  # forgetful machines, and one not
        kill_after(chance.uniform(0.1, 4.0) * pace, remote, path, confirmed, f"k{number}")
        found = remote.state().load(tmp_path / "look.db")
        assert found >= generation
        generation = found
        assert run(tmp_path / "look.db", "PRAGMA integrity_check") == [("ok",)]
        assert set(confirmed.read_text().split() if confirmed.exists() else []) <= set(names(tmp_path / "look.db"))
    assert generation > ROUNDS / 5  # else nobody was killed in the middle of anything
    for place in (remote.path, remote.checkout, scratch):
        for path in place.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert b"SQLite format" not in content
            assert b"@example.org" not in content
