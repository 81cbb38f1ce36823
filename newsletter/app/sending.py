"""Sending, wired: outlook, plan, correct, status, explain."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from newsletter.app.newsletter import Newsletter
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import values_digest
from newsletter.delivery.plan import Claimed, Plan, PlannedIssue
from newsletter.delivery.report import DeliveryStory, Tally
from newsletter.errors import IssueHasProblems, NotFound
from newsletter.rendering.edition import Edition, read_edition
from newsletter.sources import git
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.controls import SqlControls
from newsletter.store.editions import SqlEditions
from newsletter.store.planner import SqlPlanner
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.approve import paths, read_approval
from newsletter.usecases.fill import filler
from newsletter.usecases.prepare import Outlook, look_ahead, plan_for, refuse_other_plan, write_plan
from newsletter.usecases.report import Standing, stories_of, tally_of

if TYPE_CHECKING:
    from newsletter.app.letters import Letters


class Sending:
    """What can be done to bring approved letters to people."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Send for *newsletter*."""
        self._newsletter = newsletter

    @cached_property
    def _letters(self) -> Letters:
        from newsletter.app.letters import Letters  # brings the inliner, which a sender at work has no use for

        return Letters(self._newsletter)

    def outlook(self, name: str) -> Outlook:
        """What planning an approved letter would mean; writes nothing."""
        return self._outlook(*self._plan(name))

    def approved_outlook(self, name: str) -> tuple[datetime, Outlook]:
        """When a letter was approved, and what planning it would mean. Raises NotApproved."""
        approval, _ = self._letters.approved(name)
        return approval.approved_at, self.outlook(name)

    def plan(self, name: str) -> PlannedIssue:
        """The plan of an approved letter, written once; durable before anything is claimed by its number."""
        return self._newsletter.durably(lambda: self._write(name))

    def _write(self, name: str) -> PlannedIssue:
        edition, plan = self._plan(name)
        outlook = self._outlook(edition, plan)
        database = self._newsletter.database
        return write_plan(
            edition,
            plan,
            outlook,
            planner=SqlPlanner(database),
            editions=SqlEditions(database),
            canary=self._newsletter.settings.canary_people,
            now=self._newsletter.clock(),
        )

    def _outlook(self, edition: Edition, plan: Plan) -> Outlook:
        here = self._newsletter
        return look_ahead(
            edition,
            plan,
            planner=SqlPlanner(here.database),
            people=SqlPeople(here.database),
            now=here.clock(),
            window=here.window,
        )

    def _plan(self, name: str) -> tuple[Edition, Plan]:
        approval, edition = self._letters.approved(name)
        if edition.series is not None:
            hint = "newsletter tick plans it for everybody whose turn it is; approve it, and that is all"
            raise IssueHasProblems("a part of a series is not planned by hand", at=edition.issue_id, hint=hint)
        zones = SqlPlanner(self._newsletter.database).zones()
        zone = self._newsletter.settings.timezone
        return edition, plan_for(edition, revision=approval.revision, zones=zones, fallback_zone=zone)

    def planned(self, name: str) -> PlannedIssue | None:
        """The plan of a letter, if it was written."""
        return SqlPlanner(self._newsletter.database).planned(self._newsletter.issue_id(name))

    def correct(self, name: str, *, why: str) -> PlannedIssue:
        """The plan of a letter, from now on with its newest approved revision for all who are still to get it."""
        here = self._newsletter
        planner, editions = SqlPlanner(here.database), SqlEditions(here.database)
        issue = planner.planned(here.issue_id(name))
        if issue is None:
            raise NotFound("it is not planned", at=name, hint="newsletter plan takes the newest revision anyway")
        approval, edition = self._letters.approved(name)
        outlook = self._outlook(*self._plan(name))
        refuse_other_plan(read_edition(editions.get(issue.edition_hash)), edition, outlook)
        now = here.clock()
        editions.put(edition.hash, edition.to_bytes(), issue_id=issue.issue_id, now=now)
        SqlControls(here.database).correct(
            issue.no,
            revision=approval.revision,
            edition_hash=edition.hash,
            by=git.author(here.settings.root),
            why=why,
            now=now,
        )
        return replace(issue, revision=approval.revision, edition_hash=edition.hash)

    def message(self, person: Subscriber, story: DeliveryStory) -> tuple[bytes, bool]:
        """The message of a delivery, filled again, and whether that is byte for byte what was sent."""
        here = self._newsletter
        issue = self.planned(story.issue_id)
        if issue is None or story.seq is None or story.claimed_at is None:
            raise NotFound("nothing was made for them yet", at=story.issue_id)
        edition = read_edition(SqlEditions(here.database).get(story.edition_hash))
        fill = filler(edition, here.links_for(edition.identity))
        claimed = Claimed(seq=story.seq, person=person)
        batch = fill.one(issue, claimed, claimed_at=story.claimed_at)
        return batch.message(batch.rows[0]), values_digest(batch.rows[0].values) == story.values_digest

    def status(self, name: str | None = None) -> list[Standing]:
        """Where one issue stands, or all of them, newest first."""
        planned = {}
        if self._newsletter.has_database():
            planned = {issue.issue_id: issue for issue in SqlPlanner(self._newsletter.database).issues()}
        if name is None:
            known = self._newsletter.workspace.all_ids()
            letters = sorted({each for each in (*planned, *known) if "." not in each}, reverse=True)
            ids = letters + list(dict.fromkeys(each for each in (*known, *planned) if "." in each))
        else:
            ids = [self._newsletter.issue_id(name)]
            if ids[0] not in planned:
                self._newsletter.workspace.letter(name)  # says so if there is no such letter either
        return [self._standing(issue_id, planned.get(issue_id)) for issue_id in ids]

    def _standing(self, issue_id: str, planned: PlannedIssue | None) -> Standing:
        path, _ = paths(issue_id)
        approval = self._newsletter.workspace.optional(path)
        return Standing(
            issue_id=issue_id,
            approved_revision=read_approval(approval, at=path).revision if approval else None,
            planned=planned,
            tally=self.tally(planned) if planned else None,
        )

    def tally(self, planned: PlannedIssue) -> Tally:
        """The numbers of a planned issue."""
        here = self._newsletter
        return tally_of(planned, chronicle=SqlChronicle(here.database), now=here.clock(), window=here.window)

    def explain(self, person: Subscriber, name: str | None) -> list[DeliveryStory]:
        """What every issue (or one) did for a subscriber, newest first."""
        here = self._newsletter
        issue_id = here.issue_id(name) if name else None
        if issue_id and self.planned(issue_id) is None:
            here.workspace.letter(issue_id)  # says so if there is no such letter
        return stories_of(
            person.id, issue_id=issue_id, chronicle=SqlChronicle(here.database), now=here.clock(), window=here.window
        )
