"""What is done on a copy of the state while others save theirs: nothing of it is lost, and nothing done twice."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from newsletter.delivery.outcome import Status
from newsletter.errors import StateUnreachable
from newsletter.store import gitbranch
from newsletter.store import keeper as keeper_module
from newsletter.store.controls import SqlControls
from newsletter.store.db import connect
from newsletter.store.gate import SqlGate
from newsletter.store.keeper import Keeper, SavedControls, SavedGate, SavedLedger
from tests.contract.store.conftest import LONG_AGO, NOW, Store, accepted
from tests.contract.store.remotes import make_database, make_remote, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def remote(tmp_path):
    """A state with six people and a letter that is planned for them."""
    remote = make_remote(tmp_path)
    path = make_database(tmp_path / "desk.db", people=6)
    with opened(path) as database:
        Store(database).plan()
    remote.state().init(path)
    return remote


@contextmanager
def at_work(remote, path: Path) -> Iterator[tuple[Keeper, Store]]:
    """A command on a machine of its own."""
    with closing(Keeper(remote.state(), path)) as keeper:
        keeper.load()
        with closing(connect(f"sqlite:///{keeper.path}")) as database:
            yield keeper, Store(database)


def somebody_saves(remote, folder: Path, name: str = "somebody") -> None:
    with at_work(remote, folder / f"{name}.db") as (keeper, store):
        store.crowd(1, start=len(name) * 100)
        keeper.save()


def claimed(ledger: SavedLedger, limit: int = 2):
    return ledger.claim(1, now=NOW, not_before=LONG_AGO, limit=limit, worker="here:1:a")


def statuses(remote, folder: Path) -> list[str]:
    with at_work(remote, folder / "look.db") as (_, store):
        tally = store.tally(1)
        return [status.value for status, count in tally.by_status.items() for _ in range(count)]


def test_a_letter_that_stops_by_itself_is_stopped_for_all(remote, tmp_path):
    """With the outcomes that made it stop, also if somebody saves in the same moment."""
    with at_work(remote, tmp_path / "runner.db") as (keeper, store):
        ledger = SavedLedger(store.ledger, keeper)
        controls = SavedControls(SqlControls(store.db), ledger)
        claim = claimed(ledger)
        ledger.record(claim, [accepted(1), accepted(2)], digests={}, now=NOW, close=True)
        somebody_saves(remote, tmp_path)
        controls.pause(1, by="the sender", why="halted", now=NOW)
    with at_work(remote, tmp_path / "other.db") as (_, store):
        assert store.planner.planned("2026-11-23-tea").paused == "halted"
        assert store.tally(1).by_status[Status.ACCEPTED] == 2
        assert len(store.people.count_by_state()) == 1


def test_a_provider_that_is_left_alone_is_left_alone_by_all(remote, tmp_path):
    with at_work(remote, tmp_path / "runner.db") as (keeper, store):
        gate = SavedGate(SqlGate(store.db), SavedLedger(store.ledger, keeper))
        assert gate.blocked("postbox", now=NOW) is None
        gate.reserve("postbox", count=1, rate=1, now=NOW)
        somebody_saves(remote, tmp_path)
        gate.block("postbox", until=NOW + timedelta(hours=1), why="quota", now=NOW)
    with at_work(remote, tmp_path / "other.db") as (_, store):
        assert store.gate.blocked("postbox", now=NOW).why == "quota"


def test_a_batch_that_was_taken_over_does_not_take_the_others_with_it(remote, tmp_path):
    """What became of one batch is another sender's business by now; what became of the next is still ours to say."""
    with at_work(remote, tmp_path / "runner.db") as (keeper, store):
        ledger = SavedLedger(store.ledger, keeper)
        first, second = claimed(ledger), claimed(ledger)
        ledger.record(first, [accepted(1), accepted(2)], digests={}, now=NOW, close=True)
        ledger.record(second, [accepted(3), accepted(4)], digests={}, now=NOW, close=True)
        with at_work(remote, tmp_path / "other.db") as (other, theirs):
            theirs.leases_grow_old(timedelta(hours=1))
            assert SavedLedger(theirs.ledger, other).abandoned(1, now=NOW, worker="there:1:a").batch_no == 1
        third = claimed(ledger)
        assert [each.seq for each in third.deliveries] == [5, 6]
    with at_work(remote, tmp_path / "look.db") as (_, store):
        counts = store.tally(1).by_status
        assert (counts[Status.ACCEPTED], counts[Status.CLAIMED]) == (2, 4)


def test_whoever_wants_to_stop_a_letter_is_heard_while_it_is_sent(remote, tmp_path, monkeypatch):
    """Over a line on which loading takes longer than the sender's next save: it has to leave a gap now and then."""

    def slowly(real):
        def run(*words, **more):
            if more.get("remote"):
                time.sleep(0.1)
            return real(*words, **more)

        return run

    monkeypatch.setattr(gitbranch, "git", slowly(gitbranch.git))
    monkeypatch.setattr(keeper_module, "ROOM_EVERY_S", 1.0)
    with at_work(remote, tmp_path / "more.db") as (keeper, store):
        store.crowd(300, start=100)
        store.plan("2026-11-23-cake")
        keeper.save()
    handed, stopped = [], threading.Event()

    def send() -> None:
        with at_work(remote, tmp_path / "runner.db") as (keeper, store):
            ledger = SavedLedger(store.ledger, keeper)
            keeper.stop = stopped
            while claim := ledger.claim(2, now=NOW, not_before=LONG_AGO, limit=1, worker="here:1:a"):
                handed.append(claim)
                ledger.record(claim, [accepted(each.seq) for each in claim.deliveries], digests={}, now=NOW, close=True)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        time.sleep(1)
        with at_work(remote, tmp_path / "desk.db") as (keeper, store):
            SavedControls(store.controls, SavedLedger(store.ledger, keeper)).pause(2, by="ana", why="x", now=NOW)
        sender.join(timeout=10)
        assert not sender.is_alive()
        assert 0 < len(handed) < 300
    finally:
        stopped.set()
        sender.join()


@pytest.mark.parametrize("arrives", [True, False], ids=["and what was sent arrived", "and it did not arrive"])
def test_a_line_that_breaks_for_a_moment_puts_nobody_in_doubt(remote, tmp_path, monkeypatch, arrives):
    """What became of them is known here only; whoever gives up at once takes it to the grave."""
    with at_work(remote, tmp_path / "runner.db") as (keeper, store):
        ledger = SavedLedger(store.ledger, keeper)
        claim = claimed(ledger, limit=6)
        ledger.record(claim, [accepted(seq) for seq in range(1, 7)], digests={}, now=NOW, close=True)
        away = remote.path.with_name("away.git")
        if arrives:
            remote.hook("post-receive", f"mv {remote.path} {away}; kill -9 $PPID")
        else:
            remote.path.rename(away)
        back = threading.Timer(3, lambda: (away.rename(remote.path), remote.hook("post-receive", "")))
        back.start()
        ledger.flush()
        back.join()
    with at_work(remote, tmp_path / "look.db") as (_, store):
        assert store.tally(1).by_status[Status.ACCEPTED] == 6


def test_a_line_that_stays_broken_is_told(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(keeper_module, "_PATIENCE_S", 1.0)
    with at_work(remote, tmp_path / "runner.db") as (keeper, store):
        ledger = SavedLedger(store.ledger, keeper)
        remote.path.rename(remote.path.with_name("away.git"))
        with pytest.raises(StateUnreachable):
            claimed(ledger)


def test_whoever_wants_to_go_does_not_wait_for_a_line_that_is_broken(remote, tmp_path):
    with at_work(remote, tmp_path / "runner.db") as (keeper, store):
        remote.path.rename(remote.path.with_name("away.git"))
        threading.Timer(0.5, keeper.stop.set).start()
        began = time.monotonic()
        with pytest.raises(StateUnreachable):
            claimed(SavedLedger(store.ledger, keeper))
        assert time.monotonic() - began < 20
