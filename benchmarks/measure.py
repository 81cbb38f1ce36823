"""Ratios: ours and a ceiling timed in turn, the median of the pairs, and how a table of them is printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

PAIRS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Between what and what a ratio should be, shown as times or as per cent."""

    least: float | None = None
    most: float | None = None
    per_cent: bool = False

    def __str__(self) -> str:
        """As in the table."""
        least, most = (None if end is None else self.show(end) for end in (self.least, self.most))
        if least and most:
            return f"{least} to {most}"
        return f"≥ {least}" if least else f"≤ {most}"

    def met(self, ratio: float) -> bool:
        """Whether *ratio* is good enough."""
        return (self.least is None or ratio >= self.least) and (self.most is None or ratio <= self.most)

    def show(self, ratio: float) -> str:
        """A ratio with as many digits as say something."""
        if self.per_cent:
            return f"{ratio * 100:.0f} %"
        return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.3g}x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The median of all pairs, the smallest and the largest, and what was wanted."""

    result: str
    spread: str
    target: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table."""

    what: str
    ours: str
    ceiling: str
    verdict: Verdict


def compare(
    what: str,
    *,
    ours: Callable[[], float],
    ceiling: Callable[[], float],
    called: str,
    target: Target,
    pairs: int = PAIRS,
) -> Row:
    """Ours and the ceiling, each giving seconds, measured *pairs* times one after the other.

    With a target of at least so much the ratio says how many times faster ours is, else how many times
    the ceiling's time it takes.
    """
    times = [(ours(), ceiling()) for _ in range(pairs)]
    faster = target.least is not None
    ratios = [theirs / mine if faster else mine / theirs for mine, theirs in times]
    return Row(
        what=what,
        ours=show_seconds(median(mine for mine, _ in times)),
        ceiling=f"{called}: {show_seconds(median(theirs for _, theirs in times))}",
        verdict=judge(ratios, target),
    )


def judge(ratios: Iterable[float], target: Target) -> Verdict:
    """How *ratios* are, held against what they should be."""
    known = sorted(ratios)
    return Verdict(
        result=target.show(median(known)),
        spread=f"{target.show(known[0])} to {target.show(known[-1])}",
        target=str(target),
        met=target.met(median(known)),
    )


def each(work: Callable[[], object], count: int) -> Callable[[], float]:
    """A measurement of *work*, which does *count* things: seconds for one of them."""

    def measure() -> float:
        start = time.perf_counter()
        work()
        return (time.perf_counter() - start) / count

    return measure


def show_seconds(seconds: float) -> str:
    """A duration with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def print_table(rows: Iterable[Row]) -> bool:
    """Print *rows* as a Markdown table, each as soon as it is there; whether no target was missed."""
    print("\n| what | ours | ceiling | ratio | of all pairs | target | |")
    print("|---|---|---|---|---|---|---|")
    good = True
    for row in rows:
        found = row.verdict
        word = "met" if found.met else "**missed**"
        cells = (row.what, row.ours, row.ceiling, found.result, found.spread, found.target, word)
        print(f"| {' | '.join(cells)} |", flush=True)
        good = good and found.met
    return good
