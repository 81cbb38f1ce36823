"""Readers who want the letter once a month: which of a month's letters is theirs.

It is the first that they can get: as letters are planned one after the other, each looks at those that were planned
before it, whatever their days. So it is never two, and whoever could not get the first gets the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, false, not_, or_, select

from newsletter.audience.predicate import Received
from newsletter.audience.subscriber import Frequency
from newsletter.delivery.outcome import Status
from newsletter.delivery.plan import Plan
from newsletter.store.rules import RECEIVED
from newsletter.store.tables import BatchState, batches, deliveries, issues, outcomes, subscribers

MONTHLY = "monthly"  # the reason that is recorded

# They have not got it, and nothing that may still happen brings it to them.
_NEVER = (Status.REFUSED, Status.BOUNCED, Status.SUPPRESSED)


def has_the_months_letter(connection: Connection, plan: Plan) -> ColumnElement[bool]:
    """Whether a reader wants one letter a month and has, or may still get, another of the month of this one.

    A correction is no letter of its own: whoever has the mistake gets it, and it is nobody's letter of the month.
    Who waits for a letter may still get it until it is cancelled, even where its time has passed.
    """
    if isinstance(plan.audience, Received):
        return false()
    month = plan.issue_id[: len("2026-11-")]
    planned = select(issues.c.no, issues.c.cancelled, issues.c.audience).where(
        issues.c.issue_id.startswith(month, autoescape=True), issues.c.issue_id != plan.issue_id
    )
    letters = {
        no: not why for no, why, audience in connection.execute(planned) if "received" not in json.loads(audience)
    }
    if not letters:
        return false()
    going = deliveries.c.issue_no.in_([no for no, goes_on in letters.items() if goes_on])
    theirs = select(deliveries.c.seq).where(
        deliveries.c.issue_no.in_(letters),
        deliveries.c.subscriber_id == subscribers.c.id,
        not_(_came_to(_NEVER)),
        or_(going, _came_to(RECEIVED), _IN_FLIGHT),
    )
    return and_(subscribers.c.frequency == Frequency.MONTHLY.value, theirs.correlate(subscribers).exists())


def _came_to(statuses: Iterable[Status]) -> ColumnElement[bool]:
    """Whether a delivery has one of these outcomes."""
    outcome = select(outcomes.c.seq).where(
        outcomes.c.issue_no == deliveries.c.issue_no,
        outcomes.c.seq == deliveries.c.seq,
        outcomes.c.status.in_([status.value for status in statuses]),
    )
    return outcome.correlate(deliveries).exists()


# Of a cancelled letter: what a sender had in hand by then may be with the provider.
_IN_FLIGHT = (
    select(batches.c.lo)
    .where(
        batches.c.issue_no == deliveries.c.issue_no,
        batches.c.lo <= deliveries.c.seq,
        batches.c.hi > deliveries.c.seq,
        batches.c.state == BatchState.CLAIMED.value,
    )
    .correlate(deliveries)
    .exists()
)
