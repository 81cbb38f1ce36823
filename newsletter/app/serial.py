"""Series, wired: which parts there are, and whom they go to now."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from newsletter.app.newsletter import Newsletter
from newsletter.delivery.plan import PlannedIssue
from newsletter.errors import IssueHasProblems
from newsletter.store.controls import SqlControls
from newsletter.store.editions import SqlEditions
from newsletter.store.planner import SqlPlanner
from newsletter.store.series import SqlSeries
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.approve import paths
from newsletter.usecases.prepare import gaps, has_been_heard
from newsletter.usecases.series import Approved, extension_of

if TYPE_CHECKING:
    from newsletter.app.letters import Letters

_GRID = timedelta(minutes=5)  # a part is looked at once in so long; times of day are multiples of it, as a rule


class Serial:
    """The series of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Plan for *newsletter*."""
        self._newsletter = newsletter
        self._series = SqlSeries(newsletter.database)

    @cached_property
    def _letters(self) -> Letters:
        from newsletter.app.letters import Letters  # brings the inliner; most ticks have no use for it

        return Letters(self._newsletter)

    def parts(self, series: str, *, now: datetime) -> list[str]:
        """The parts of a series that has begun whose time may have come since the last look, in their order."""
        parts = self._newsletter.workspace.parts(series)
        looked = {part: self._series.swept_at(part) for part in parts}
        if not any(looked.values()) and not (parts and self._is_approved(parts[0])):
            return []  # a draft
        return [part for part, seen in looked.items() if seen is None or _steps(seen) != _steps(now)]

    def _is_approved(self, part: str) -> bool:
        path, _ = paths(part)
        return self._newsletter.workspace.optional(path) is not None

    def extend(self, part: str, *, now: datetime) -> int:
        """Plan a part for those whose turn it is; how many. Raises NotApproved."""
        approved = self._approved(part)
        veto = timedelta(hours=self._newsletter.settings.veto_hours)
        if not has_been_heard(approved.at, veto=veto, now=now):
            return 0
        parts = self._newsletter.workspace.parts(part.partition(".")[0])
        place = parts.index(part)
        planner = SqlPlanner(self._newsletter.database)
        extension = extension_of(
            parts,
            approved,
            self._approved(parts[place - 1]) if place else None,
            swept_at=self._series.swept_at(part),
            zones=planner.zones(),
            fallback_zone=self._newsletter.settings.timezone,
            now=now,
        )
        self._refuse_gaps(approved, now=now)
        edition = approved.edition
        SqlEditions(self._newsletter.database).put(edition.hash, edition.to_bytes(), issue_id=part, now=now)
        self._renew(planner.planned(part), approved, now=now)
        return self._series.extend(extension, now=now)

    def _approved(self, part: str) -> Approved:
        approval, edition = self._letters.approved(part)
        return Approved(edition=edition, revision=approval.revision, at=approval.approved_at, by=approval.approved_by)

    def _refuse_gaps(self, approved: Approved, *, now: datetime) -> None:
        edition = approved.edition
        if not edition.needs:
            return
        lacking = SqlPeople(self._newsletter.database).lacking(edition.needs, audience=approved.audience, now=now)
        for problem in gaps(edition.needs, lacking):
            raise IssueHasProblems(problem.what, at=str(problem.at), hint=problem.hint)

    def _renew(self, issue: PlannedIssue | None, approved: Approved, *, now: datetime) -> None:
        """From now on send the part as it was approved last.

        The database counts on where approvals do not: where one was taken back, or given for words of before.
        """
        if issue is not None and not issue.cancelled and issue.edition_hash != approved.edition.hash:
            SqlControls(self._newsletter.database).correct(
                issue.no,
                revision=max(approved.revision, issue.revision + 1),
                edition_hash=approved.edition.hash,
                by=approved.by,
                why="approved anew",
                now=now,
            )


def _steps(at: datetime) -> int:
    return int(at.timestamp() // _GRID.total_seconds())
