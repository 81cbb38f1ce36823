"""Which prepared block a letter gets: what fits its week, then what readers have not seen, or not for longest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from newsletter.content.observances import Occurrence
from newsletter.content.prepared import Prepared

REST = timedelta(weeks=8)  # before a block comes again, unless there is nothing else
RUNNERS_UP = 2

Uses = Mapping[tuple[str, str], Sequence[date]]  # (kind, name) of a prepared block → the days of letters that have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The days that a letter is read on, and what falls into them."""

    day: date
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A prepared block that may stand in a week's letter, and all that its chances follow from.

    `named` is the occurrence that the block was written for, `shared` one that it shares a tag with.
    """

    prepared: Prepared
    named: Occurrence | None
    shared: Occurrence | None
    last_used: date | None
    rests: bool

    @property
    def rank(self) -> tuple[object, ...]:
        """The smallest is chosen.

        A block that was written for the week goes before all others, whether or not it was used in another
        year. Of the others, one that nobody has seen goes before any that was used, and among those one that
        shares a theme with the week. What rests stands last, whatever it is about.
        """
        longest_unused = (self.last_used or date.min, self.prepared.name, self.prepared.kind)
        if self.rests:
            return (True, *longest_unused)
        if self.named:
            return (False, 0, self.last_used is not None, self.named.is_season, *longest_unused)
        return (False, 1, self.last_used is not None, self.shared is None, *longest_unused)

    @property
    def why(self) -> str:
        """Why it is chosen, if it is."""
        about = ""
        if self.named:
            about = f"written for {self.named.observance.name}, "
        elif self.shared:
            about = f"shares a theme with {self.shared.observance.name}, "
        if self.last_used is None:
            return f"{about}not used yet"
        if self.rests:
            return f"{about}used on {self.last_used}, which is not long ago, but so were all others"
        return f"{about}last used on {self.last_used}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a step of the recipe got: the best candidate, and who came next."""

    kinds: tuple[str, ...]
    best: Candidate | None
    next_best: tuple[Candidate, ...] = ()


def candidate(prepared: Prepared, week: Week, uses: Uses) -> Candidate | None:
    """*prepared* for the letter of *week*; None if it is for other weeks only."""
    if prepared.months and week.day.month not in prepared.months:
        return None
    if not (prepared.not_before or date.min) <= week.day <= (prepared.not_after or date.max):
        return None
    named = next((each for each in week.occurrences if each.observance.id in prepared.observances), None)
    if prepared.observances and named is None:
        return None
    used = uses.get(prepared.key, ())
    return Candidate(
        prepared=prepared,
        named=named,
        shared=next((each for each in week.occurrences if each.observance.tags & prepared.tags), None),
        last_used=max(used, default=None),
        rests=any(abs(week.day - day) < REST for day in used),
    )


def choose(
    kinds: tuple[str, ...], library: Iterable[Prepared], week: Week, uses: Uses, *, taken: Iterable[Prepared] = ()
) -> Choice:
    """The block of one of *kinds* for the letter of *week*; what is *taken* stands in the letter already."""
    stand = {each.key for each in taken}
    found = (candidate(each, week, uses) for each in library if each.kind in kinds and each.key not in stand)
    ranked = sorted((each for each in found if each), key=lambda each: each.rank)
    return Choice(kinds=kinds, best=next(iter(ranked), None), next_best=tuple(ranked[1 : 1 + RUNNERS_UP]))
