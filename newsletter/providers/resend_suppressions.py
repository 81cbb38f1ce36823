"""Resend's suppression list: whose address bounced for good, who complained, and whom somebody put there by hand.

Nobody's leaving is in it: Resend writes a way to leave into its own broadcasts only. The list knows messages by
Resend's ids, not by our references, so it says of whom it is and not of which letter.

Source: resend.com/docs/api-reference/suppressions/list-suppressions and …/pagination (read 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from newsletter.delivery.news import Kind, News
from newsletter.providers.records import Record, text_of
from newsletter.providers.walk import HOW, Walk, read_instant

OVERLAP = timedelta(hours=1)
_KINDS = {
    "bounce": (Kind.HARD, "on Resend's suppression list: bounce"),
    "complaint": (Kind.COMPLAINED, "on Resend's suppression list: complaint"),
    "manual": (Kind.LEFT, "put on Resend's suppression list by hand"),
}


def page_path(walk: Walk) -> str:
    """Where the page is at which *walk* stands."""
    return f"/suppressions?{urlencode({'limit': '100'} | ({'after': walk.at} if walk.at else {}))}"


def following(records: Sequence[Record], *, more: bool, since: datetime) -> str:
    """After which entry the next page begins; nothing where what follows was heard before *since*.

    The documentation has its lists from the newest to the oldest. Where a page is not so, all pages are read.
    """
    times = [read_instant(record.get("created_at")) or since for record in records]
    if not more or not records or (times == sorted(times, reverse=True) and times[-1] < since):
        return ""
    return text_of(records[-1], "id")


def read_suppression(record: Record, *, now: datetime) -> News | None:
    """The news in one entry of the list."""
    kind, reason = _KINDS.get(text_of(record, "origin"), (None, ""))
    address = text_of(record, "email")
    if kind is None or not address:
        return None
    return News(kind=kind, at=read_instant(record.get("created_at")) or now, how=HOW, reason=reason, address=address)
