"""All senders of one database keep one pace, and leave a provider alone together."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.delivery.plan import Block
from newsletter.store.gate import LONGEST
from tests.contract.store.conftest import NOW, SOON


def real_now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("senders", [2, 4])
def test_senders_together_never_exceed_the_rate(store, senders):
    """However they come, no span of time sees more than the rate allows, and one batch."""
    rate, count = 2000.0, 20

    def send(_: int) -> list[float]:
        passed = []
        for _ in range(15):
            wait = store.gate.reserve("ses", count=count, rate=rate, now=real_now())
            time.sleep(wait.total_seconds())
            passed.append(time.monotonic())
        return passed

    with ThreadPoolExecutor(senders) as pool:
        times = sorted(at for each in pool.map(send, range(senders)) for at in each)
    # A thread that wakes late sends late, and closer to the next: so much may the machine dawdle.
    dawdles = 0.1
    for first in range(len(times)):
        for last in range(first, len(times)):
            sent = (last - first + 1) * count
            assert sent <= (times[last] - times[first] + dawdles) * rate + count
    assert times[-1] - times[0] >= (len(times) - 1) * count / rate - dawdles


def test_places_in_the_queue_follow_each_other_without_a_gap(store):
    at = real_now()
    waits = [store.gate.reserve("ses", count=10_000, rate=100, now=at).total_seconds() for _ in range(3)]
    assert waits[0] == 0
    assert waits[1:] == pytest.approx([100, 200], abs=2)  # PostgreSQL's clock goes on meanwhile


def test_a_queue_that_stood_still_saves_nothing_up(store):
    if not store.db.is_sqlite:
        pytest.skip("PostgreSQL goes by its own clock, which no test can move")
    for at in (NOW, NOW + timedelta(days=1)):
        waits = [store.gate.reserve("ses", count=5, rate=1, now=at).total_seconds() for _ in range(2)]
        assert waits == [0, 5]


def test_a_clock_that_is_put_back_does_not_make_everybody_wait_until_it_is_that_late_again(store):
    if not store.db.is_sqlite:
        pytest.skip("PostgreSQL goes by its own clock, which no test can move")
    store.gate.reserve("ses", count=1, rate=1, now=NOW + timedelta(days=1))
    assert store.gate.reserve("ses", count=1, rate=1, now=NOW) <= LONGEST
    # Nobody passes anybody else in the meantime.
    assert store.gate.reserve("ses", count=1, rate=1, now=NOW + LONGEST) == timedelta(seconds=1)


def test_providers_do_not_wait_for_each_other(store):
    at = real_now()
    store.gate.reserve("ses", count=10_000, rate=1, now=at)
    assert store.gate.reserve("smtp", count=1, rate=1, now=at) == timedelta(0)


def test_a_blocked_provider_is_left_alone_until_then(store):
    assert store.gate.blocked("ses", now=NOW) is None
    store.gate.block("ses", until=SOON, why="quota used up", now=NOW)
    assert store.gate.blocked("ses", now=NOW) == Block(until=SOON, why="quota used up")
    assert store.gate.blocked("ses", now=SOON) is None
    assert store.gate.blocked("smtp", now=NOW) is None


def test_a_later_instant_wins(store):
    store.gate.reserve("ses", count=1, rate=1, now=NOW)
    store.gate.block("ses", until=SOON, why="quota used up", now=NOW)
    store.gate.block("ses", until=NOW, why="slow down", now=NOW)
    assert store.gate.blocked("ses", now=NOW) == Block(until=SOON, why="quota used up")
    later = SOON + timedelta(hours=1)
    store.gate.block("ses", until=later, why="slow\ndown", now=NOW)
    assert store.gate.blocked("ses", now=NOW) == Block(until=later, why="slow down")
