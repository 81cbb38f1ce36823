"""Report: where an issue stands, and what it did for one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.delivery.plan import PlannedIssue
from newsletter.delivery.report import DeliveryStory, Tally
from newsletter.errors import StoreError
from newsletter.usecases.ports import Chronicle


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an issue stands; `planned` and `tally` are None until it is planned."""

    issue_id: str
    approved_revision: int | None
    planned: PlannedIssue | None
    tally: Tally | None

    @property
    def stands(self) -> str:
        """draft, approved, planned, under way, paused, cancelled, in doubt, some held, or done."""
        if self.tally is None or self.planned is None:
            return "approved" if self.approved_revision else "draft"
        if self.planned.cancelled:
            return "cancelled"
        if self.planned.paused and self.tally.to_come:
            return "paused"
        if self.tally.to_come:
            return "under way" if self.tally.handed_over else "planned"
        if self.tally.in_doubt:
            return "in doubt"
        return "some held" if self.tally.held else "done"

    def under_way(self, now: datetime) -> bool:
        """Whether anything may happen to it without a new decision, by now."""
        if self.tally is None or self.planned is None or self.planned.paused or self.planned.cancelled:
            return False
        due = self.tally.next_due_at
        return bool(self.tally.to_come) and not (due and due > now and not self.tally.recent and not self.tally.in_hand)


def tally_of(planned: PlannedIssue, *, chronicle: Chronicle, now: datetime, window: timedelta) -> Tally:
    """The numbers of a planned issue. Raises StoreError if anybody is missing from them or counted twice."""
    tally = chronicle.tally(planned.no, now=now, not_before=now - window)
    if not tally.adds_up:
        counted = sum(tally.by_status.values()) + sum(tally.excluded.values())
        raise StoreError(
            f"the ledger counts {counted:,} people where {tally.candidates:,} were planned",
            at=planned.issue_id,
            hint="somebody changed the database by hand; restore a backup before anything is sent",
        )
    return tally


def stories_of(
    subscriber_id: int, *, issue_id: str | None, chronicle: Chronicle, now: datetime, window: timedelta
) -> list[DeliveryStory]:
    """What every issue, or the one with *issue_id*, did for a subscriber, newest first."""
    stories = chronicle.stories(subscriber_id, now=now, not_before=now - window)
    return [story for story in stories if issue_id in (None, story.issue_id)]
