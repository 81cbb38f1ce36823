"""Between a row of `subscribers` and a `Subscriber`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, exists, select

from newsletter.audience.subscriber import Frequency, State, Subscriber, ZoneSource
from newsletter.store.kinds import instant
from newsletter.store.tables import subscribers, suppressions

_STATES = {state.value: state for state in State}
_SOURCES = {source.value: source for source in ZoneSource}
_FREQUENCIES = {frequency.value: frequency for frequency in Frequency}
_NOTHING: Mapping[str, str] = {}

# EXISTS and not IN: for the members of a batch PostgreSQL then probes the index instead of reading the table.
SUPPRESSED: ColumnElement[bool] = exists(
    select(suppressions.c.at).where(suppressions.c.address_hash == subscribers.c.address_hash).correlate(subscribers)
)

# In the order in which `person` takes them.
COLUMNS: tuple[ColumnElement[Any], ...] = (
    subscribers.c.id,
    subscribers.c.address,
    subscribers.c.name,
    subscribers.c.first_name,
    subscribers.c.state,
    subscribers.c.paused_until,
    SUPPRESSED,
    subscribers.c.zone,
    subscribers.c.zone_source,
    subscribers.c.language,
    subscribers.c.tags,
    subscribers.c.attributes,
    subscribers.c.leave_token,
    subscribers.c.joined_at,
    subscribers.c.frequency,
)


def person(row: Sequence[Any]) -> Subscriber:
    """The Subscriber in a row that begins with COLUMNS; instants may still be in seconds (see `quick`)."""
    paused_until, attributes, joined_at = row[5], row[11], row[13]
    return Subscriber(
        id=row[0],
        address=row[1],
        name=row[2],
        first_name=row[3],
        state=_STATES[row[4]],
        paused_until=instant(paused_until) if isinstance(paused_until, int) else paused_until,
        suppressed=bool(row[6]),
        zone=row[7],
        zone_source=_SOURCES[row[8]],
        language=row[9],
        tags=read_tags(row[10]),
        attributes=_NOTHING if attributes == "{}" else read_attributes(attributes),
        leave_token=row[12],
        joined_at=instant(joined_at) if isinstance(joined_at, int) else joined_at,
        frequency=_FREQUENCIES[row[14]],
    )


@lru_cache(maxsize=4096)
def read_tags(text: str) -> frozenset[str]:
    """The tags kept as |a|b|."""
    return frozenset(text.strip("|").split("|")) if text else frozenset()


def write_tags(tags: frozenset[str]) -> str:
    """*tags* as they are kept."""
    return f"|{'|'.join(sorted(tags))}|" if tags else ""


def read_attributes(text: str) -> Mapping[str, str]:
    """The attributes kept as JSON; most people have none, which costs nothing."""
    if text == "{}":
        return _NOTHING
    found: dict[str, str] = json.loads(text)
    return found


def write_attributes(attributes: Mapping[str, str]) -> str:
    """*attributes* as they are kept: equal ones make an equal text."""
    return json.dumps(dict(attributes), ensure_ascii=False, sort_keys=True) if attributes else "{}"
