"""Waits: growing, spread, never shorter than asked, and over at some point."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.retry import DOUBTS, FAILURES, LONGEST_WAIT, TRIES, Breaker, next_try

ROLLS = st.floats(0, 1)
ASKED = st.none() | st.timedeltas(timedelta(0), timedelta(days=2))


@given(st.integers(1, TRIES - 1), ASKED, ROLLS)
def test_a_wait_is_as_long_as_asked_and_else_bounded(deferrals: int, asked: timedelta | None, roll: float) -> None:
    wait = next_try(deferrals, asked=asked, roll=roll)
    assert wait is not None
    assert wait >= (asked or timedelta(0))
    assert timedelta(minutes=4) <= wait
    assert wait <= max(LONGEST_WAIT * 1.2, asked or timedelta(0))


@given(ROLLS, ROLLS)
def test_waits_grow_and_are_not_the_same_for_all(one: float, other: float) -> None:
    first, second = next_try(1, asked=None, roll=one), next_try(2, asked=None, roll=other)
    assert first is not None
    assert second is not None
    assert first < second
    if abs(one - other) > 0.01:
        assert first != next_try(1, asked=None, roll=other)


@given(st.integers(TRIES, 100), ASKED, ROLLS)
def test_there_is_a_last_try(deferrals: int, asked: timedelta | None, roll: float) -> None:
    assert next_try(deferrals, asked=asked, roll=roll) is None


def test_all_tries_together_end_within_a_day_and_a_half() -> None:
    waits = [next_try(each, asked=None, roll=1.0) for each in range(1, TRIES)]
    assert sum((wait for wait in waits if wait), timedelta(0)) < timedelta(hours=36)


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        assert breaker.failed(asked=None, roll=0.5) is not None
    breaker.worked()
    assert [breaker.failed(asked=None, roll=0.5) is None for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]


def test_a_breaker_waits_as_long_as_asked_and_opens_where_that_is_for_another_run() -> None:
    assert Breaker().failed(asked=timedelta(minutes=4), roll=0.5) == timedelta(minutes=4)
    assert Breaker().failed(asked=timedelta(minutes=6), roll=0.5) is None


def test_doubts_in_a_row_open_it_and_an_answer_between_does_not() -> None:
    breaker = Breaker()
    answers = [breaker.doubted() for _ in range(DOUBTS - 1)]
    breaker.worked()
    answers += [breaker.doubted() for _ in range(DOUBTS)]
    assert answers == [False] * (2 * DOUBTS - 2) + [True]
