"""What is due is found without reading what is done; and one tick at a time has its turn."""

from __future__ import annotations

import multiprocessing
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, text

from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import StoreError
from newsletter.store.agenda import TURN, SqlAgenda, SqlTurns
from newsletter.store.db import connect
from tests.contract.store.conftest import LONG_AGO, NOW, SOON, Store

if TYPE_CHECKING:
    from datetime import datetime

DAY = timedelta(days=1)


def due(store: Store, *, now: datetime = NOW) -> list[int]:
    return [issue.no for issue in SqlAgenda(store.db).due(now=now, not_before=now - timedelta(hours=36))]


def test_an_issue_is_due_from_its_first_instant_until_all_is_done(store: Store) -> None:
    store.crowd(3)
    issue = store.plan(due_elsewhere=SOON)
    assert due(store) == []
    assert SqlAgenda(store.db).next_due(now=NOW) == SOON
    assert due(store, now=SOON) == [issue.no]
    assert SqlAgenda(store.db).waiting(now=SOON, not_before=SOON - DAY) == {issue.issue_id: 3}
    claim = store.claim(issue.no, now=SOON)
    assert claim is not None
    assert due(store, now=SOON) == [issue.no]  # its sender may be dead
    store.accept(claim, now=SOON)
    store.close(claim, now=SOON)
    assert due(store, now=SOON) == []
    assert SqlAgenda(store.db).waiting(now=SOON, not_before=SOON - DAY) == {}


def test_what_is_past_its_time_is_held_and_not_due(store: Store) -> None:
    store.crowd(3)
    issue = store.plan()
    late = NOW + timedelta(hours=36)
    agenda = SqlAgenda(store.db)
    assert agenda.held(not_before=late - timedelta(hours=36), since=NOW - DAY) == {issue.issue_id: 3}
    assert due(store, now=late) == []
    assert agenda.held(not_before=late + 10 * DAY, since=late) == {}  # reported long enough


def test_what_was_put_off_is_due_when_its_wait_is_over(store: Store) -> None:
    store.crowd(1)
    issue = store.plan()
    claim = store.claim(issue.no)
    assert claim is not None
    later = Receipt(seq=1, status=Status.DEFERRED, reason="busy", wait=timedelta(hours=1))
    store.ledger.record(claim, [later], digests={}, now=NOW, close=True)
    assert due(store) == []
    assert due(store, now=NOW + timedelta(hours=2)) == [issue.no]


def test_what_is_in_doubt_is_asked_about_while_it_is_young(store: Store) -> None:
    store.crowd(3)
    issue = store.plan()
    store.leave_in_doubt(issue.no, 2)
    agenda = SqlAgenda(store.db)
    assert [each.no for each in agenda.doubtful(since=NOW - DAY)] == [issue.no]
    assert agenda.doubtful(since=NOW) == []


def test_nothing_is_due_of_what_is_paused_or_cancelled(store: Store) -> None:
    store.crowd(3)
    paused, cancelled, other = (store.plan(f"2026-11-23-{word}") for word in ("tea", "coffee", "milk"))
    store.controls.pause(paused.no, by="Ada", why="a typo", now=NOW)
    store.controls.cancel(cancelled.no, by="Ada", why="no", now=NOW)
    assert due(store) == [other.no]
    agenda = SqlAgenda(store.db)
    assert set(agenda.waiting(now=NOW, not_before=LONG_AGO)) == {other.issue_id}
    assert set(agenda.held(not_before=NOW, since=LONG_AGO)) == {paused.issue_id, other.issue_id}
    assert agenda.planned() == {paused.issue_id, cancelled.issue_id, other.issue_id}


def test_looking_reads_only_what_is_open(store: Store) -> None:
    """By the plan of the database itself: no table whose rows are ever more is read as a whole."""
    store.crowd(5)
    for number in range(40):
        issue = store.plan(f"2026-11-23-number-{number}")
        claim = store.claim(issue.no)
        assert claim is not None
        store.accept(claim)
        store.close(claim)
    seen: list[tuple[str, object]] = []
    event.listen(store.db.engine, "before_cursor_execute", lambda *args: seen.append((args[2], args[3])))
    due(store)
    SqlAgenda(store.db).doubtful(since=LONG_AGO)
    asked = [(sql, values) for sql, values in seen if sql.startswith("SELECT")]
    assert len(asked) == 2
    with store.db.writing() as connection:
        if not store.db.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # tables of forty rows are read as a whole
        explain = "EXPLAIN QUERY PLAN" if store.db.is_sqlite else "EXPLAIN"
        plans = "\n".join(
            str(row) for sql, values in asked for row in connection.exec_driver_sql(f"{explain} {sql}", values)
        )
    assert "ix_batches_open" in plans
    assert "ix_outcomes_doubtful" in plans
    whole = re.compile(r"(?:SCAN|Seq Scan on) (?:batches|outcomes|deliveries)(?! USING (?:COVERING )?INDEX ix_)")
    assert not whole.search(plans), plans


def test_one_at_a_time_has_the_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = SqlTurns(store.db), SqlTurns(store.db)
    monkeypatch.setattr(other, "_worker", "elsewhere-00000000:1:aa")
    assert one.take(now=NOW)
    assert not other.take(now=NOW)
    assert one.last() is not None
    one.end("3 sent", now=NOW + DAY)
    last = other.last()
    assert last is not None
    assert (last.began_at, last.ended_at, last.said) == (NOW, NOW + DAY, "3 sent")
    assert other.take(now=NOW)
    assert not one.take(now=NOW + TURN / 2)
    assert other.keep(now=NOW + TURN / 2)
    assert not one.take(now=NOW + TURN)
    assert one.take(now=NOW + TURN * 2)  # silent for too long
    assert not other.keep(now=NOW + TURN * 2)
    with pytest.raises(StoreError, match="took over"):
        other.end("late", now=NOW + TURN * 2)


def test_a_turn_that_was_never_given_back_is_free_for_whoever_had_it(store: Store) -> None:
    """As where the database was locked just then: a daemon would wait for itself."""
    assert SqlTurns(store.db).take(now=NOW)
    assert SqlTurns(store.db).take(now=NOW)


def test_a_clock_that_was_ahead_keeps_the_turn_from_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = SqlTurns(store.db)
    monkeypatch.setattr(elsewhere, "_worker", "elsewhere-00000000:1:aa")
    assert elsewhere.take(now=NOW + DAY)
    assert SqlTurns(store.db).take(now=NOW)


def test_the_turn_of_a_process_that_died_is_free_at_once(store: Store, database_url: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(database_url,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert SqlTurns(store.db).take(now=NOW)


def _take_and_die(url: str) -> None:
    db = connect(url)
    assert SqlTurns(db).take(now=NOW)
    db.close()
