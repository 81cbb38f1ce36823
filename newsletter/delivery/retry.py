"""When to try again: decisions only, nobody sleeps here.

Deliveries that the provider put off are tried after growing waits, each a little different, so that a
thousand of them do not come back in the same second. A provider that takes nothing at all is waited for,
and left alone once that goes on: what it did not take burns none of a delivery's tries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

TRIES = 8  # of one delivery; with the waits below that is about a day
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=4)
_GROWTH = 3
_SPREAD = 0.2  # either way


def next_try(deferrals: int, *, asked: timedelta | None, roll: float) -> timedelta | None:
    """How long to wait after the *deferrals*-th deferral (from 1); None when it has been tried often enough.

    Never shorter than the provider *asked* for; *roll* is a random number from 0 to 1.
    """
    if deferrals >= TRIES:
        return None
    own = min(FIRST_WAIT * _GROWTH ** (deferrals - 1), LONGEST_WAIT)
    return max(_spread(own, roll), asked or timedelta(0))


@dataclass(slots=True)
class Breaker:
    """How a provider has behaved lately, as all lanes of one sender see it.

    It opens, and the send ends, after FAILURES calls in a row that the provider would not take, or after
    DOUBTS in a row of which nobody knows what became: a line that breaks every answer must not put a whole
    list in doubt.
    """

    failures: int = 0
    doubts: int = 0

    def worked(self) -> None:
        """A call was answered."""
        self.failures = self.doubts = 0

    def doubted(self) -> bool:
        """A call ended in doubt; whether the breaker is open now."""
        self.doubts += 1
        return self.doubts >= DOUBTS

    def failed(self, *, asked: timedelta | None, roll: float) -> timedelta | None:
        """How long to wait before the next call, None if the breaker is open now."""
        self.failures += 1
        wait = max(_spread(timedelta(seconds=2**self.failures), roll), asked or timedelta(0))
        return None if self.failures >= FAILURES or wait > PATIENCE else wait


FAILURES = 6
DOUBTS = 3
PATIENCE = timedelta(minutes=5)  # a longer wait is for another run to sit out


def _spread(wait: timedelta, roll: float) -> timedelta:
    return wait * (1 + _SPREAD * (2 * roll - 1))
