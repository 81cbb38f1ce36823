"""SES's suppression list of the account: whose address bounced for good, and who complained; of no letter of ours.

Nobody's leaving is in it. SES writes a way to leave for contact lists only, and SendBulkEmail takes none.

Source: the service model of sesv2 in botocore 1.44, ListSuppressedDestinations (read 2026-11-21).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

from newsletter.delivery.news import Kind, News
from newsletter.providers.records import Record, text_of
from newsletter.providers.walk import HOW, Walk, read_instant

OVERLAP = timedelta(hours=1)  # for clocks that differ, and for lists that are not the same everywhere at once
_PAGE = 1000
_KINDS = {"BOUNCE": Kind.HARD, "COMPLAINT": Kind.COMPLAINED}


def page_path(walk: Walk) -> str:
    """Where the page is at which *walk* stands."""
    query = {"PageSize": f"{_PAGE}", "StartDate": f"{walk.since:%Y-%m-%dT%H:%M:%SZ}"}
    if walk.at:
        query["NextToken"] = walk.at
    return f"/v2/email/suppression/addresses?{urlencode(query)}"


def read_suppression(record: Record, *, now: datetime) -> News | None:
    """The news in one entry of the list."""
    kind, address = _KINDS.get(text_of(record, "Reason")), text_of(record, "EmailAddress")
    if kind is None or not address:
        return None
    at = read_instant(record.get("LastUpdateTime")) or now
    return News(kind=kind, at=at, how=HOW, reason=f"on SES's suppression list: {kind}", address=address)
