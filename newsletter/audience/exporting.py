"""People as rows of a list: in the form that `listing` reads back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from newsletter.audience.columns import column_name, guarded
from newsletter.audience.consent import DEPARTED
from newsletter.audience.headers import NAMES, OWN, WHY_NOT, is_of_consent
from newsletter.audience.subscriber import State, Subscriber

COLUMNS = (
    "email",
    "name",
    "first_name",
    "timezone",
    "language",
    "tags",
    "status",
    "joined",
    "paused_until",
    "frequency",
)
_TAKEN = frozenset({*(name for names in NAMES.values() for name in names), WHY_NOT})


def header(fields: Sequence[str]) -> list[str]:
    """The first row of a CSV with the newsletter's own *fields*, marked where their names would be read otherwise."""
    plain = {name for name in fields if name not in _TAKEN and column_name(name) == name and not is_of_consent(name)}
    return [*COLUMNS, *(name if name in plain else OWN + name for name in fields)]


def csv_row(person: Subscriber, fields: Sequence[str]) -> list[str]:
    """A row under `header`, with nothing in it that a spreadsheet would take for a formula."""
    values = [*_values(person).values(), *(person.attributes.get(name, "") for name in fields)]
    return [guarded(" ".join(value) if isinstance(value, list) else value) for value in values]


def json_row(person: Subscriber) -> Mapping[str, object]:
    """What is known of *person*, for a line of JSON."""
    known: dict[str, object] = {name: value for name, value in _values(person).items() if value}
    return {**known, "fields": dict(person.attributes)} if person.attributes else known


def _values(person: Subscriber) -> dict[str, str | list[str]]:
    # A suppression is of this database alone: where the list goes, it would be forgotten.
    state = State.UNSUBSCRIBED if person.suppressed and person.state not in DEPARTED else person.state
    values = (
        person.address,
        person.name,
        person.first_name,
        person.zone or "",
        person.language,
        sorted(person.tags),
        state.value,
        _instant(person.joined_at),
        _instant(person.paused_until),
        person.frequency.value,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _instant(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else ""
