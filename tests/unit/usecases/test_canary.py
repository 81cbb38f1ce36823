"""The canary's verdict, from nothing but counts and instants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from newsletter.delivery.outcome import Status
from newsletter.usecases.canary import Canary, Verdict
from tests.conftest import NOW

CANARY = Canary(people=100, wait=timedelta(minutes=10), halt_percent=5)
OUT = {Status.ACCEPTED: 100}


def judge(
    counts: Mapping[Status, int],
    *,
    planned: int = 5000,
    minutes: float = 0,
    hears: bool = True,
    canary: Canary = CANARY,
) -> tuple[Verdict, timedelta]:
    """The verdict so many minutes after the last outcome."""
    return canary.judge(counts, planned=planned, last_at=NOW, hears=hears, now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(("planned", "verdict"), [(999, Verdict.NONE), (1000, Verdict.PASSED)])
def test_a_short_letter_has_none(planned: int, verdict: Verdict) -> None:
    assert judge(OUT, planned=planned, minutes=10)[0] is verdict


def test_no_canary_was_asked_for() -> None:
    none = Canary(people=0, wait=timedelta(minutes=10), halt_percent=5)
    assert judge({Status.REFUSED: 100}, canary=none)[0] is Verdict.NONE


def test_it_is_under_way_until_the_last_of_the_slice_is_out() -> None:
    assert judge({Status.ACCEPTED: 99, Status.PLANNED: 1}, minutes=60)[0] is Verdict.UNDER_WAY
    assert judge({Status.ACCEPTED: 99, Status.CLAIMED: 1}, minutes=60)[0] is Verdict.UNDER_WAY


def test_the_rest_waits_and_then_goes() -> None:
    assert judge(OUT, minutes=4) == (Verdict.WAITING, timedelta(minutes=6))
    assert judge(OUT, minutes=10)[0] is Verdict.PASSED


def test_silence_is_no_pass_where_nothing_reports_back() -> None:
    assert judge(OUT, minutes=60, hears=False)[0] is Verdict.INACTIVE


@pytest.mark.parametrize("bad", [Status.REFUSED, Status.BOUNCED, Status.COMPLAINED])
def test_too_much_bad_news_halts_even_before_the_slice_is_out(bad: Status) -> None:
    assert judge({Status.ACCEPTED: 95, bad: 5}, minutes=10)[0] is Verdict.PASSED
    assert judge({Status.ACCEPTED: 94, bad: 6}, hears=False)[0] is Verdict.HALT
    assert judge({Status.PLANNED: 94, bad: 6})[0] is Verdict.HALT
