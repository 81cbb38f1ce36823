"""Letters, wired: build, check, fill for one reader, begin, approve."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from newsletter.app.newsletter import Newsletter
from newsletter.audience.segments import from_data, read_segments, to_data
from newsletter.audience.subscriber import Subscriber
from newsletter.content.draft import draft
from newsletter.content.parse import Defaults
from newsletter.delivery.message import Batch, Row
from newsletter.rendering.compile import Setting
from newsletter.rendering.edition import Edition, Identity, read_edition
from newsletter.settings.read import FILE
from newsletter.sources import git
from newsletter.usecases import approve
from newsletter.usecases.approve import Approval
from newsletter.usecases.build import Built, Desk, build, finished
from newsletter.usecases.fill import filler
from newsletter.usecases.prepare import gaps


class Letters:
    """What can be done with the letters of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the letters of *newsletter*."""
        self._newsletter = newsletter
        self._files = newsletter.workspace

    def build(self, name: str) -> Built:
        """The letter *name*, built, with its problems."""
        issue_id, path, text = self._files.letter(name)
        return build(text, path=path, issue_id=issue_id, desk=self._desk())

    def check(self, name: str) -> Built:
        """`build`, and what readers on the list lack, where there is a list."""
        built = self.build(name)
        if built.edition is None or not built.edition.needs or not self._newsletter.has_database():
            return built
        from newsletter.store.subscribers import SqlPeople  # only where the answer lies in the list

        rule = from_data(built.edition.audience.rule)
        people = SqlPeople(self._newsletter.database)
        lacking = people.lacking(built.edition.needs, audience=rule, now=self._newsletter.clock())
        return replace(built, problems=(*built.problems, *gaps(built.edition.needs, lacking)))

    def message_for(self, name: str, person: Subscriber | None) -> tuple[bytes, bytes, bytes]:
        """(HTML, text, whole message) of a letter for *person*, or for a reader nobody knows anything about."""
        edition, cut = finished(self.build(name))
        links_of = self._newsletter.links_for(edition.identity) if person else self._example_links
        person = person or Subscriber(id=0, address="reader@example.org")
        now = self._newsletter.clock()
        fill = filler(edition, links_of, cut=cut)
        row = Row(
            seq=0,
            ref="0-specimen",
            address=person.address,
            name=person.name,
            variant=fill.variant(person, now=now),
            values=fill.values(person),
        )
        body = fill.letter.bodies[row.variant]
        message = Batch(letter=fill.letter, claimed_at=now, rows=(row,)).message(row)
        return body.html.fill(row.values), body.text.fill(row.values), message

    def _example_links(self, _person: Subscriber) -> dict[str, str]:
        site = self._newsletter.settings.site_url
        return {"unsubscribe_url": f"{site}/leave/example", "preferences_url": f"{site}/preferences/example"}

    def new(self, title: str, day: date) -> Path:
        """The path of a new letter for *day*, with the blocks most letters have."""
        issue_id, text = draft(title, day=day, at=self._newsletter.settings.time)
        return self._files.write(f"issues/{issue_id}.md", text.encode())

    def approve(self, name: str) -> tuple[Approval, bool]:
        """The approval of a letter as it is now, and whether it is a new one. Raises IssueHasProblems."""
        edition, _ = finished(self.build(name))
        approval_path, edition_path = approve.paths(edition.issue_id)
        text = self._files.optional(approval_path)
        approval = approve.approve(
            edition,
            inputs=self._inputs(edition),
            before=approve.read_approval(text, at=approval_path) if text else None,
            by=git.author(self._newsletter.settings.root),
            now=self._newsletter.clock(),
        )
        fresh = text is None or approval.to_toml() != text
        # The edition first: an approval must never name bytes that are not there.
        self._files.write(edition_path, edition.to_bytes(), replace=True)
        self._files.write(approval_path, approval.to_toml().encode(), replace=True)
        return approval, fresh

    def approved(self, name: str) -> tuple[Approval, Edition]:
        """The edition that was approved. Raises NotApproved if there is none or something changed since."""
        issue_id, _, _ = self._files.letter(name)
        approval_text, body = (self._files.optional(path) for path in approve.paths(issue_id))
        try:
            inputs = self._inputs(read_edition(body.encode())) if body else {}
        except ValueError:
            inputs = {}  # the comparison of the hashes says what is wrong
        return approve.approved_edition(issue_id, approval_text, body, inputs)

    def segments(self) -> dict[str, dict[str, object]]:
        """The rules of subscribers/segments.toml by name, as data."""
        text = self._files.optional("subscribers/segments.toml") or ""
        return {name: to_data(rule) for name, rule in read_segments(text).items()}

    def _inputs(self, edition: Edition) -> dict[str, str]:
        """All that the edition was made from, by file; of newsletter.toml only what readers could see."""
        _, path, text = self._files.letter(edition.issue_id)
        desk = self._desk()
        theme = {f"templates/{desk.theme_name}/{file}": content for file, content in desk.theme_files.items()}
        seen = json.dumps([asdict(desk.setting), desk.theme_name, asdict(desk.defaults)], default=str, sort_keys=True)
        used = {edition.audience.name, *(condition.name.removeprefix("segment:") for condition in edition.conditions)}
        rules = json.dumps({name: desk.segments.get(name) for name in sorted(used)}, sort_keys=True)
        return {path: text, **theme, FILE: seen, "subscribers/segments.toml": rules}

    def _desk(self) -> Desk:
        settings = self._newsletter.settings
        identity = Identity(
            name=settings.sender_name,
            address=settings.sender_address,
            reply_to=settings.reply_to,
            newsletter=settings.name,
            list_id=settings.list_id,
            leave_mode=settings.leave_mode,
            leave_mailto=settings.leave_mailto,
        )
        setting = Setting(
            identity=identity,
            tagline=settings.tagline,
            postal_address=settings.postal_address,
            reason=settings.reason,
            site_url=settings.site_url,
            custom_fields=tuple(sorted(settings.fields)),
        )
        return Desk(
            defaults=Defaults(at=settings.time, audience=settings.audience, language=settings.language),
            setting=setting,
            theme_name=settings.theme,
            theme_files=self._files.theme(settings.theme),
            segments=self.segments(),
        )
