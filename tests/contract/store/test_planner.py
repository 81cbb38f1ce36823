"""Plans: everybody counted once, due at their own time, and frozen."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from newsletter.audience.predicate import All, Is
from newsletter.audience.subscriber import State
from newsletter.errors import NotFound, StoreError
from newsletter.store import planner
from newsletter.store.tables import batches, deliveries, exclusions, issues, subscribers
from tests.contract.store.conftest import NOW, SOON, entry, plan

BERLIN, TOKYO, APIA = "Europe/Berlin", "Asia/Tokyo", "Pacific/Apia"
TEA = Is("tags", ("tea",))


def mixed(store) -> None:
    store.enter(
        entry("b", zone=BERLIN),
        entry("t", zone=TOKYO, tags=frozenset({"tea"})),
        entry("t2", zone=TOKYO),
        entry("nowhere", tags=frozenset({"tea"})),
        entry("apia", zone=APIA),
        entry("gone", state=State.UNSUBSCRIBED, tags=frozenset({"tea"})),
        entry("waits", state=State.PENDING),
    )


def rows(store, table):
    with store.db.reading() as connection:
        return connection.execute(select(table).order_by(*table.primary_key)).all()


def test_candidates_are_the_planned_and_the_excluded(store):
    mixed(store)
    planned = store.plan()
    assert planned.candidates == 7
    tally = store.tally(planned.no)
    assert tally.excluded == {"unsubscribed": 1, "not confirmed": 1}
    assert tally.by_status == {"planned": 5}
    assert tally.adds_up


def test_everyone_is_due_at_their_own_time_and_numbered_in_that_order(store):
    mixed(store)
    store.plan(due={TOKYO: NOW, BERLIN: SOON}, due_elsewhere=NOW + timedelta(hours=1))
    found = [(row.seq, row.subscriber_id, row.due_at) for row in rows(store, deliveries)]
    elsewhere = NOW + timedelta(hours=1)
    assert found == [(1, 2, NOW), (2, 3, NOW), (3, 4, elsewhere), (4, 5, elsewhere), (5, 1, SOON)]


def test_the_forecast_is_what_the_plan_becomes(store):
    mixed(store)
    wanted = plan(due={TOKYO: NOW, BERLIN: SOON}, due_elsewhere=NOW + timedelta(hours=1))
    forecast = store.planner.forecast(wanted, now=NOW)
    assert (forecast.candidates, forecast.planned, forecast.unknown_zones) == (7, 5, 1)
    assert forecast.excluded == {"unsubscribed": 1, "not confirmed": 1}
    assert list(forecast.due.items()) == [(NOW, 2), (NOW + timedelta(hours=1), 2), (SOON, 1)]
    assert store.planner.issues() == []


def test_an_audience_is_a_part_of_the_list(store):
    mixed(store)
    assert store.planner.forecast(plan(audience=TEA), now=NOW).candidates == 3
    planned = store.plan(audience=TEA)
    assert planned.candidates == 3
    assert store.tally(planned.no).excluded == {"unsubscribed": 1}


def test_a_second_plan_is_the_first(store):
    mixed(store)
    first = store.plan()
    store.crowd(3)
    again = store.plan(audience=TEA, now=SOON)
    assert again == first
    assert len(rows(store, deliveries)) == 5


def test_who_comes_after_the_plan_waits_for_the_next(store):
    store.crowd(2)
    first = store.plan()
    store.crowd(1, start=3)
    second = store.plan("2026-11-30-rain")
    assert [each.candidates for each in store.planner.issues()] == [3, 2]
    assert (first.no, second.no) == (1, 2)
    assert first.secret != second.secret
    assert store.planner.planned("2026-11-30-rain") == second
    assert store.planner.planned("2026-12-07-wind") is None


def test_an_empty_audience_is_a_plan_of_nobody(store):
    planned = store.plan()
    assert planned.candidates == 0
    assert store.claim(planned.no) is None
    assert store.tally(planned.no).adds_up


def test_the_audience_is_kept_for_the_record(store):
    store.plan(audience=All((TEA, Is("zone", (BERLIN,)))))
    (row,) = rows(store, issues)
    assert row.audience == ('{"all": [{"is": "tags", "values": ["tea"]}, {"is": "zone", "values": ["Europe/Berlin"]}]}')


def test_a_plan_needs_its_edition(store):
    with pytest.raises(StoreError):
        store.planner.write(plan(), now=NOW)
    assert store.planner.issues() == []


def test_batches_cut_what_is_due_together_and_nothing_else(store, monkeypatch):
    monkeypatch.setattr("newsletter.store.planner.BATCH", 3)
    store.crowd(4, zone=TOKYO)
    store.crowd(3, zone=BERLIN, start=5)
    store.plan(due={TOKYO: NOW, BERLIN: SOON})
    found = [(row.lo, row.hi, row.due_at) for row in rows(store, batches)]
    assert found == [(1, 4, NOW), (4, 5, NOW), (5, 8, SOON)]


def test_zones_of_the_list(store):
    mixed(store)
    assert store.planner.zones() == [TOKYO, BERLIN, APIA]


def test_a_zone_that_came_while_the_list_was_planned_is_not_guessed(store):
    mixed(store)
    store.editions.put("e" * 64, b"letter", issue_id="x", now=NOW)
    with pytest.raises(StoreError, match="the list changed") as caught:
        store.planner.write(plan(due={TOKYO: NOW, BERLIN: SOON}), now=NOW)
    assert "plan again" in caught.value.hint
    assert store.planner.issues() == []
    assert rows(store, deliveries) == []
    store.planner.write(plan(audience=TEA, due={TOKYO: NOW}), now=NOW)  # nobody else's zone matters


def test_a_name_that_is_no_zone_is_due_with_those_who_have_none(store):
    store.enter(entry("a", zone="Mars/Olympus"), entry("b"))
    store.editions.put("e" * 64, b"letter", issue_id="x", now=NOW)
    store.planner.write(plan(due_elsewhere=SOON), now=NOW)
    assert [row.due_at for row in rows(store, deliveries)] == [SOON, SOON]


def test_a_plan_that_does_not_add_up_is_not_written(store, monkeypatch):
    mixed(store)
    honest = planner._write_deliveries

    def careless(connection, wanted_plan, wanted, **rest):
        honest(connection, wanted_plan, wanted & (subscribers.c.tags == ""), **rest)

    monkeypatch.setattr(planner, "_write_deliveries", careless)
    with pytest.raises(StoreError, match="does not add up: 7 candidates, 3 planned, 2 excluded"):
        store.plan()
    assert store.planner.issues() == []
    assert rows(store, exclusions) == []


def test_two_who_plan_at_once_get_one_plan(store):
    store.crowd(200)
    store.editions.put("e" * 64, b"letter", issue_id="x", now=NOW)
    barrier, found, trouble = threading.Barrier(4), [], []

    def work() -> None:
        try:
            barrier.wait()
            found.append(store.planner.write(plan(), now=NOW))
        except Exception as error:  # noqa: BLE001
            trouble.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert trouble == []
    assert len({each.secret for each in found}) == 1
    assert len(rows(store, deliveries)) == 200


def test_the_same_hash_twice_is_one_edition(store):
    store.editions.put("a" * 64, b"letter", issue_id="x", now=NOW)
    store.editions.put("a" * 64, b"letter", issue_id="x", now=SOON)
    assert store.editions.get("a" * 64) == b"letter"
    with pytest.raises(NotFound):
        store.editions.get("b" * 64)


def test_any_zones_and_any_times_add_up(store):
    """Whatever the zones and the times: a plan is sorted, complete, and cut where the time changes."""
    zones = [BERLIN, TOKYO, APIA, None]
    numbers = count(1)
    hours = st.integers(-30, 30).map(lambda hour: NOW + timedelta(hours=hour))

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(st.sampled_from(zones), min_size=1, max_size=30),
        st.dictionaries(st.sampled_from(zones[:3]), hours),
        hours,
    )
    def check(people, due, elsewhere):
        with store.db.writing() as connection:
            for table in ("consent_events", "subscribers", "batches", "deliveries"):
                connection.execute(text(f"DELETE FROM {table}"))
        store.enter(*(entry(f"r{n}", zone=zone) for n, zone in enumerate(people)))
        store.plan(f"issue-{next(numbers)}", due=due, due_elsewhere=elsewhere)
        expected = sorted((due.get(zone, elsewhere), n) for n, zone in enumerate(people, start=1))
        assert [(row.due_at, row.subscriber_id) for row in rows(store, deliveries)] == expected
        covered = [(row.lo, row.hi, row.due_at) for row in rows(store, batches)]
        assert [seq for lo, hi, _ in covered for seq in range(lo, hi)] == list(range(1, len(people) + 1))
        assert all(expected[seq - 1][0] == at for lo, hi, at in covered for seq in range(lo, hi))

    check()
