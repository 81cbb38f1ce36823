"""What Mailgun knows of people: its events, and the lists of those to whom it delivers nothing more.

The events say which letter it was about and are read on from where they were; but they are late, and kept for a while
only. The lists are complete, and in the order of the alphabet, so they are read as a whole: the first time, and after a
gap. An address stands in the address of each of their pages, so no bookmark holds one: a list that was broken off is
read again from its beginning.

Source: documentation.mailgun.com, "Events", "Bounces", "Unsubscribes", "Complaints" (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from newsletter.delivery.news import Kind, News
from newsletter.providers.http import redacted
from newsletter.providers.mailgun_events import failure, reason_of, ref_of
from newsletter.providers.records import Record, text_of
from newsletter.providers.walk import HOW, Page, Walk, heard, read_instant

Turned = Callable[[str], Iterator[list[Record]]]  # the pages of a list, from its first one's path

LISTS = {
    "unsubscribes": (Kind.LEFT, "on Mailgun's list of those who left"),
    "complaints": (Kind.COMPLAINED, "on Mailgun's list of complaints"),
    "bounces": (Kind.HARD, "on Mailgun's list of bounces"),
}
_EVENTS = {"unsubscribed": Kind.LEFT, "complained": Kind.COMPLAINED}


def pages(
    walk: Walk, *, now: datetime, domain: str, turned: Turned, late: timedelta, kept_for: timedelta
) -> Iterator[Page]:
    """The pages of news since; events may come so *late*, and are *kept_for* so long."""
    complete = now - late  # up to here the events are all there
    if walk.at or walk.began - walk.since > kept_for:
        names = list(LISTS)
        for name in names[names.index(walk.at) if walk.at in names else 0 :]:
            here = str(replace(walk, at=name))
            for records in turned(f"/v3/{domain}/{name}?limit=1000"):
                yield [news for each in records if (news := read_listed(name, each, now=walk.began))], here
    at = min(max(walk.since, walk.began - kept_for), complete)
    query = {
        "begin": f"{at.timestamp():.0f}",
        "ascending": "yes",
        "limit": "300",
        "event": "failed OR complained OR unsubscribed",
    }
    for records in turned(f"/v3/{domain}/events?{urlencode(query)}"):
        at = max([at, *(told for each in records if (told := read_instant(each.get("timestamp"))))])
        yield heard(records, read_told, now=walk.began), str(Walk(since=min(at, complete), began=walk.began))
    yield [], str(Walk(since=complete, began=walk.began))


def read_listed(name: str, record: Record, *, now: datetime) -> News | None:
    """The news in one entry of the list called *name*."""
    kind, reason = LISTS[name]
    address = text_of(record, "address")
    tags = record.get("tags") or [record.get("tag") or "*"]
    if not address or not isinstance(tags, list) or "*" not in tags:  # left one kind of mail, which is not ours
        return None
    said = redacted(" ".join(f"{record.get(each) or ''}" for each in ("code", "error"))).strip()
    at = read_instant(record.get("created_at")) or now
    return News(kind=kind, at=at, how=HOW, reason=f"{reason}: {said}" if said else reason, address=address)


def read_told(record: Record, *, now: datetime) -> News | None:
    """The news in one event; by its delivery where it is one of ours, else by its address."""
    event = text_of(record, "event")
    kind = failure(record) or _EVENTS.get(event)
    address = text_of(record, "recipient")
    if kind is None or not address:
        return None
    return News(
        kind=kind,
        at=read_instant(record.get("timestamp")) or now,
        how=HOW,
        reason=reason_of(record) or f"Mailgun: {event}",
        ref=ref_of(record),
        address=address,
    )
