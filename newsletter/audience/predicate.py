"""Conditions on a subscriber, as data: one evaluator here, one compiler to SQL in the store.

A property test holds the two equal on every database. Fields: `state`, `suppressed`, `paused_until`,
`zone`, `language`, `tags`, `frequency`, and `attributes.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from newsletter.audience.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class Is:
    """The field equals one of the values; for `tags`: at least one of them is there."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The address must not be mailed, whatever the consent says."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The person asked for quiet until a time that has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The person came to the list after one day and before another, neither of them included; days are in UTC."""

    after: date | None = None
    before: date | None = None

    @property
    def since(self) -> datetime | None:
        """The first instant that is late enough."""
        return datetime.combine(self.after + timedelta(days=1), time(0), UTC) if self.after else None

    @property
    def until(self) -> datetime | None:
        """The first instant that is too late."""
        return datetime.combine(self.before, time(0), UTC) if self.before else None


@dataclass(frozen=True, slots=True)
class Received:
    """The person has a letter, or may have it where that is in doubt; if a revision is given, in that revision."""

    issue_id: str
    revision: int | None = None

    def __str__(self) -> str:
        """As it is written in a rule."""
        return self.issue_id if self.revision is None else f"{self.issue_id}@{self.revision}"


@dataclass(frozen=True, slots=True)
class All:
    """Every one of the conditions holds; true if there are none."""

    conditions: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of the conditions holds; false if there are none."""

    conditions: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: Predicate


Leaf = Is | Suppressed | Paused | Joined | Received
Predicate = Leaf | All | Any | Not

EVERYONE = All(())


def holds(condition: Predicate, person: Subscriber, *, now: datetime) -> bool:  # noqa: PLR0911 - one for each kind
    """Whether *condition* is true of *person* at *now*.

    Raises ValueError if it asks what somebody received of whom that was not looked up.
    """
    match condition:
        case Is(field=name, values=values):
            return not _field(name, person).isdisjoint(values)
        case Suppressed():
            return person.suppressed
        case Paused():
            return person.paused_until is not None and person.paused_until > now
        case Joined():
            return _joined(condition, person)
        case Received():
            return _received(condition, person)
        case All(conditions=conditions):
            return all(holds(each, person, now=now) for each in conditions)
        case Any(conditions=conditions):
            return any(holds(each, person, now=now) for each in conditions)
        case Not(condition=inner):
            return not holds(inner, person, now=now)


def leaves(condition: Predicate) -> Iterator[Leaf]:
    """What *condition* comes down to, in its order."""
    match condition:
        case All(conditions=conditions) | Any(conditions=conditions):
            for each in conditions:
                yield from leaves(each)
        case Not(condition=inner):
            yield from leaves(inner)
        case _:
            yield condition


def _joined(condition: Joined, person: Subscriber) -> bool:
    since, until, joined = condition.since, condition.until, person.joined_at
    return joined is not None and (since is None or joined >= since) and (until is None or joined < until)


def _received(condition: Received, person: Subscriber) -> bool:
    if person.received is None:
        raise ValueError("what this person received was not looked up")
    if condition.revision is None:
        return any(issue_id == condition.issue_id for issue_id, _ in person.received)
    return (condition.issue_id, condition.revision) in person.received


def _field(name: str, person: Subscriber) -> frozenset[str]:
    """The values a field of *person* has: several for tags, else one, which may be empty."""
    if name == "tags":
        return person.tags
    if name.startswith("attributes."):
        return frozenset([person.attributes.get(name.removeprefix("attributes."), "")])
    match name:
        case "state":
            return frozenset([person.state.value])
        case "zone":
            return frozenset([person.zone or ""])
        case "language":
            return frozenset([person.language])
        case "frequency":
            return frozenset([person.frequency.value])
    msg = f"no such field of a subscriber: {name!r}"
    raise ValueError(msg)
