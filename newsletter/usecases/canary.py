"""The canary: of a long letter a few go out first, and the others wait to see what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.delivery.outcome import Status

LONG = 10  # times the slice: a shorter letter has no use for one

_BAD = (Status.REFUSED, Status.BOUNCED, Status.COMPLAINED)


class Verdict(StrEnum):
    """What the slice says about the rest."""

    NONE = "none"  # the letter is too short, or there is no canary
    UNDER_WAY = "under way"
    WAITING = "waiting"
    HALT = "halt"
    PASSED = "passed"
    INACTIVE = "inactive"  # nobody reports bounces to us, so silence means nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The first *people* of a letter, *wait* for reports about them, and from which percentage of bad news to halt."""

    people: int
    wait: timedelta
    halt_percent: int

    def judge(
        self,
        slice_: Mapping[Status, int],
        *,
        planned: int,
        last_at: datetime | None,
        hears: bool,
        now: datetime,
    ) -> tuple[Verdict, timedelta]:
        """The verdict on the slice, counted by status, and how long is left to wait.

        `last_at` is when its last outcome came, `hears` whether anything ever reported a delivery or a bounce.
        """
        if not self.people or planned < self.people * LONG:
            return Verdict.NONE, timedelta(0)
        bad, whole = sum(slice_.get(status, 0) for status in _BAD), sum(slice_.values())
        if bad * 100 > whole * self.halt_percent:
            return Verdict.HALT, timedelta(0)
        if slice_.get(Status.PLANNED) or slice_.get(Status.CLAIMED):
            return Verdict.UNDER_WAY, timedelta(0)
        if not hears or last_at is None:
            return Verdict.INACTIVE, timedelta(0)
        left = last_at + self.wait - now
        return (Verdict.WAITING, left) if left > timedelta(0) else (Verdict.PASSED, timedelta(0))
