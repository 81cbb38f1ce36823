"""Conditions on a subscriber, as data: one evaluator here, one compiler to SQL in the store.

A property test holds the two equal on every database. Fields: `state`, `suppressed`, `paused_until`,
`zone`, `language`, `tags`, and `attributes.<name>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class All:
    """Every one of the conditions holds; true if there are none."""

    conditions: tuple[Predicate, ...]


Predicate = Is | Suppressed | Paused | All

EVERYONE = All(())


def holds(condition: Predicate, person: Subscriber, *, now: datetime) -> bool:
    """Whether *condition* is true of *person* at *now*."""
    match condition:
        case Is(field=name, values=values):
            return not _field(name, person).isdisjoint(values)
        case Suppressed():
            return person.suppressed
        case Paused():
            return person.paused_until is not None and person.paused_until > now
        case All(conditions=conditions):
            return all(holds(each, person, now=now) for each in conditions)


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
    msg = f"no such field of a subscriber: {name!r}"
    raise ValueError(msg)
