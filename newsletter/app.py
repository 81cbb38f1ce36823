"""The wiring: builds the real parts and offers one short method per use case. The only file that knows everyone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import NotFound, SettingsError
from newsletter.settings import FILE, KEY_FILE, Settings
from newsletter.sources import git
from newsletter.sources.files import Workspace, starter

if TYPE_CHECKING:  # each command pays only for the floors it stands on
    from newsletter.audience.consent import Evidence
    from newsletter.audience.importing import Entry, Rejected
    from newsletter.audience.subscriber import State, Subscriber
    from newsletter.delivery.plan import Plan, PlannedIssue
    from newsletter.delivery.report import DeliveryStory, Tally
    from newsletter.rendering.edition import Edition
    from newsletter.store.db import Database
    from newsletter.usecases.approve import Approval
    from newsletter.usecases.build import Built, Desk
    from newsletter.usecases.enrol import ImportReport
    from newsletter.usecases.prepare import Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where an issue stands; `tally` is None until it is planned."""

    issue_id: str
    approved_revision: int | None
    planned: PlannedIssue | None
    tally: Tally | None


class Newsletter:
    """One newsletter, open. Use as a context; it closes what it opened."""

    def __init__(self, settings: Settings) -> None:
        """Work with *settings*; nothing is opened until it is needed."""
        self.settings = settings
        self.workspace = Workspace(settings.root)
        self._opened: list[Database] = []

    def __enter__(self) -> Newsletter:
        """Itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the database, if it was opened."""
        for database in self._opened:
            database.close()

    def clock(self) -> datetime:
        """Now, in UTC; the pretended time where one is set."""
        return self.settings.now or datetime.now(UTC)

    @cached_property
    def database(self) -> Database:
        """The database, open and of this program's version. Raises StoreError."""
        from newsletter.store.db import connect
        from newsletter.store.schema import check_version

        database = connect(self.settings.database)
        self._opened.append(database)
        check_version(database)
        return database

    # -- letters ---------------------------------------------------------------------------------

    def build(self, name: str) -> Built:
        """The letter *name*, built, with its problems."""
        from newsletter.usecases.build import build

        issue_id, path, text = self.workspace.letter(name)
        return build(text, path=path, issue_id=issue_id, desk=self._desk())

    def check(self, name: str) -> Built:
        """`build`, and what readers on the list lack, where there is a list."""
        from newsletter.audience.segments import from_data
        from newsletter.store.subscribers import SqlPeople
        from newsletter.usecases.build import gaps

        built = self.build(name)
        if built.edition is None or not built.edition.needs or not self.has_database():
            return built
        people = SqlPeople(self.database)
        lacking = people.lacking(built.edition.needs, audience=from_data(built.edition.audience.rule), now=self.clock())
        return replace(built, problems=(*built.problems, *gaps(built.edition.needs, lacking)))

    def has_database(self) -> bool:
        """Whether there is a database to ask; a SQLite file that does not exist yet is none."""
        url = self.settings.database
        return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()

    def message_for(self, name: str, address: str | None) -> tuple[bytes, bytes, bytes]:
        """(HTML, text, whole message) of a letter for a subscriber, or for a reader nobody knows anything about."""
        from newsletter.audience.subscriber import Subscriber
        from newsletter.delivery.message import Batch, Row
        from newsletter.usecases.build import finished
        from newsletter.usecases.fill import filler

        edition, cut = finished(self.build(name))
        person = (
            self.person(address)
            if address
            else Subscriber(id=0, address="reader@example.org", leave_token="example-link")
        )  # noqa: S106 - an example
        fill = filler(edition, self.links_of if address else self._example_links, cut=cut)
        row = Row(
            seq=0,
            ref="0-proof",
            address=person.address,
            name=person.name,
            variant=fill.variant(person, now=self.clock()),
            values=fill.values(person),
        )
        body = fill.letter.bodies[row.variant]
        batch = Batch(letter=fill.letter, claimed_at=self.clock(), rows=(row,))
        return body.html.fill(row.values), body.text.fill(row.values), batch.message(row)

    def new(self, title: str, day: date) -> Path:
        """The path of a new letter for *day*, with the blocks most letters have."""
        from newsletter.content.draft import draft

        issue_id, text = draft(title, day=day, at=self.settings.time)
        return self.workspace.write(f"issues/{issue_id}.md", text.encode())

    def approve(self, name: str) -> tuple[Approval, bool]:
        """The approval of a letter as it is now, and whether it is a new one. Raises IssueHasProblems."""
        from newsletter.usecases import approve
        from newsletter.usecases.build import finished

        edition, _ = finished(self.build(name))
        approval_path, edition_path = approve.paths(edition.issue_id)
        text = self.workspace.optional(approval_path)
        before = approve.read_approval(text, at=approval_path) if text else None
        approval = approve.approve(
            edition, inputs=self._inputs(edition), before=before, by=git.author(self.settings.root), now=self.clock()
        )
        whole = self.workspace.optional(edition_path) == edition.to_bytes().decode()
        if approval is before and whole:
            return approval, False
        # The edition first: an approval must never name bytes that are not there.
        self.workspace.write(edition_path, edition.to_bytes(), replace=True)
        self.workspace.write(approval_path, approval.to_toml().encode(), replace=True)
        return approval, approval is not before

    def approved(self, name: str) -> tuple[Approval, Edition]:
        """The edition that was approved. Raises NotApproved if there is none or something changed since."""
        from newsletter.rendering.edition import read_edition
        from newsletter.usecases import approve

        issue_id, _, _ = self.workspace.letter(name)
        approval_text, body = (self.workspace.optional(path) for path in approve.paths(issue_id))
        inputs = {}
        if body is not None:
            try:
                inputs = self._inputs(read_edition(body.encode()))
            except ValueError:
                inputs = {}  # the comparison of the hashes says what is wrong
        return approve.approved_edition(issue_id, approval_text, body, inputs)

    def _inputs(self, edition: Edition) -> dict[str, str]:
        """Everything the edition was made from, by file; of newsletter.toml only what readers could see."""
        _, path, text = self.workspace.letter(edition.issue_id)
        theme = {
            f"templates/{self.settings.theme}/{file}": content
            for file, content in self.workspace.theme(self.settings.theme).items()
        }
        desk = self._desk()
        seen = json.dumps([asdict(desk.setting), desk.theme_name, asdict(desk.defaults)], default=str, sort_keys=True)
        rules = {name: desk.segments.get(name) for name in sorted(_segments(edition))}
        return {path: text, **theme, FILE: seen, "subscribers/segments.toml": json.dumps(rules, sort_keys=True)}

    def _desk(self) -> Desk:
        from newsletter.content.parse import Defaults
        from newsletter.rendering.compile import Setting
        from newsletter.rendering.edition import Identity
        from newsletter.usecases.build import Desk

        settings = self.settings
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
        defaults = Defaults(at=settings.time, audience=settings.audience, language=settings.language)
        return Desk(
            defaults=defaults,
            setting=setting,
            theme_name=settings.theme,
            theme_files=self.workspace.theme(settings.theme),
            segments=self._segments(),
        )

    def _segments(self) -> dict[str, Mapping[str, object]]:
        from newsletter.audience.segments import read_segments, to_data

        text = self.workspace.optional("subscribers/segments.toml") or ""
        return {name: to_data(rule) for name, rule in read_segments(text).items()}

    # -- sending ---------------------------------------------------------------------------------

    def outlook(self, name: str) -> Outlook:
        """What planning an approved letter would mean; writes nothing."""
        from newsletter.store.ledger import SqlPlanner
        from newsletter.store.subscribers import SqlPeople
        from newsletter.usecases.prepare import look_ahead

        edition, plan = self._plan(name)
        return look_ahead(
            edition, plan, planner=SqlPlanner(self.database), people=SqlPeople(self.database), now=self.clock()
        )

    def plan(self, name: str) -> PlannedIssue:
        """The plan of an approved letter, written once."""
        from newsletter.store.editions import SqlEditions
        from newsletter.store.ledger import SqlPlanner
        from newsletter.store.subscribers import SqlPeople
        from newsletter.usecases.prepare import write_plan

        edition, plan = self._plan(name)
        return write_plan(
            edition,
            plan,
            planner=SqlPlanner(self.database),
            people=SqlPeople(self.database),
            editions=SqlEditions(self.database),
            now=self.clock(),
        )

    def _plan(self, name: str) -> tuple[Edition, Plan]:
        from newsletter.store.ledger import SqlPlanner
        from newsletter.usecases.prepare import plan_for

        approval, edition = self.approved(name)
        zones = SqlPlanner(self.database).zones()
        return edition, plan_for(edition, revision=approval.revision, zones=zones, fallback_zone=self.settings.timezone)

    def planned(self, name: str) -> PlannedIssue | None:
        """The plan of a letter, if it was written."""
        from newsletter.store.ledger import SqlPlanner

        return SqlPlanner(self.database).planned(self.issue_id(name))

    def issue_id(self, name: str) -> str:
        """The id that *name* (an id or a path) stands for; the letter's file may be gone."""
        return self.workspace.letter(name)[0] if name.endswith(".md") or name in self.workspace.letter_ids() else name

    def send(self, issue: PlannedIssue, watch: Callable[[int], None]) -> int:
        """How many deliveries of a planned issue got a receipt. Reads only the database."""
        from newsletter.providers.outbox import Outbox
        from newsletter.rendering.edition import read_edition
        from newsletter.store.editions import SqlEditions
        from newsletter.store.ledger import SqlLedger
        from newsletter.store.workers import this_worker
        from newsletter.usecases.fill import filler
        from newsletter.usecases.send import Sender

        edition = read_edition(SqlEditions(self.database).get(issue.edition_hash))
        sender = Sender(
            issue=issue,
            filler=filler(edition, self.links_of),
            ledger=SqlLedger(self.database),
            provider=Outbox(self.settings.outbox),
            worker=this_worker(),
            window=self.window,
            clock=self.clock,
        )
        return sender.run(watch)

    @property
    def window(self) -> timedelta:
        """How long after its due time a letter may still leave."""
        return timedelta(hours=self.settings.window_hours)

    def links_of(self, person: Subscriber) -> dict[str, str]:
        """A subscriber's personal addresses: the leave token is stored, the others are signed."""
        return {
            "unsubscribe_url": f"{self.settings.site_url}/leave/{person.leave_token}",
            "preferences_url": f"{self.settings.site_url}/preferences/{self._signer.sign('preferences', person.id)}",
        }

    def _example_links(self, _person: Subscriber) -> dict[str, str]:
        site = self.settings.site_url
        return {"unsubscribe_url": f"{site}/leave/example-link", "preferences_url": f"{site}/preferences/example-link"}

    @cached_property
    def _signer(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        from newsletter.audience.links import Signer

        if not self.settings.secret_keys:
            raise SettingsError(
                "there is no key to sign links with",
                at=KEY_FILE,
                hint="newsletter init . writes one; on a server set NEWSLETTER_SECRET_KEYS",
            )
        return Signer(self.settings.secret_keys)

    def status(self, name: str | None = None) -> list[Status]:
        """Where one issue stands, or all of them, newest first."""
        from newsletter.store.ledger import SqlChronicle, SqlPlanner

        planned = {}
        chronicle = None
        if self.has_database():
            planned = {issue.issue_id: issue for issue in SqlPlanner(self.database).issues()}
            chronicle = SqlChronicle(self.database)
        ids = [self.issue_id(name)] if name else sorted({*planned, *self.workspace.letter_ids()}, reverse=True)
        if name and ids[0] not in planned:
            self.workspace.letter(name)  # says so if there is no such letter either
        now = self.clock()
        return [
            Status(
                issue_id=issue_id,
                approved_revision=self._revision(issue_id),
                planned=planned.get(issue_id),
                tally=chronicle.tally(planned[issue_id].no, now=now, not_before=now - self.window)
                if chronicle and issue_id in planned
                else None,
            )
            for issue_id in ids
        ]

    def _revision(self, issue_id: str) -> int | None:
        from newsletter.usecases.approve import paths, read_approval

        path, _ = paths(issue_id)
        text = self.workspace.optional(path)
        return read_approval(text, at=path).revision if text else None

    def explain(self, address: str, name: str | None) -> tuple[Subscriber, list[DeliveryStory]]:
        """A subscriber and what every issue (or one) did for them, newest first."""
        from newsletter.store.ledger import SqlChronicle

        person = self.person(address)
        now = self.clock()
        stories = SqlChronicle(self.database).stories(person.id, now=now, not_before=now - self.window)
        return person, [story for story in stories if name is None or story.issue_id == self.issue_id(name)]

    # -- people ----------------------------------------------------------------------------------

    def person(self, address: str) -> Subscriber:
        """The subscriber with this address. Raises NotFound."""
        from newsletter.store.subscribers import SqlPeople

        person = SqlPeople(self.database).find(address)
        if person is None:
            raise NotFound(
                "nobody on the list has this address",
                hint="newsletter subscribers stats shows who is there, in numbers",
            )
        return person

    def import_people(
        self, rows: Iterator[Entry | Rejected], evidence: Evidence, watch: Callable[[int], None]
    ) -> ImportReport:
        """Enter people with *evidence* of their consent."""
        from newsletter.store.subscribers import SqlPeople
        from newsletter.usecases.enrol import import_people

        return import_people(rows, people=SqlPeople(self.database), evidence=evidence, now=self.clock(), watch=watch)

    def everyone(self) -> Iterator[Subscriber]:
        """All people."""
        from newsletter.store.subscribers import SqlPeople

        return SqlPeople(self.database).everyone()

    def consent_of(self, person: Subscriber) -> list[Evidence]:
        """The moves of a person's consent, oldest first."""
        from newsletter.store.subscribers import SqlPeople

        return SqlPeople(self.database).consent_of(person.id)

    def count_people(self) -> Mapping[State, int]:
        """How many people stand where."""
        from newsletter.store.subscribers import SqlPeople

        return SqlPeople(self.database).count_by_state()

    def upgrade(self) -> None:
        """Make the database, or bring it to this program's version."""
        from newsletter.store.db import connect
        from newsletter.store.schema import upgrade

        database = connect(self.settings.database)
        self._opened.append(database)
        upgrade(database)


def _segments(edition: Edition) -> set[str]:
    return {edition.audience.name, *(condition.name.removeprefix("segment:") for condition in edition.conditions)}


def found(folder: Path) -> list[str]:
    """Start a newsletter in *folder* with what is not there yet; the names of the files written."""
    workspace = Workspace(folder)
    written = []
    for name, source in starter().items():
        if not (folder / name).exists():
            workspace.write(name, source.read_bytes())
            written.append(name)
    if not (folder / KEY_FILE).exists():
        path = workspace.write(KEY_FILE, f"{secrets.token_urlsafe(36)}\n".encode())
        path.chmod(0o600)
        written.append(KEY_FILE)
    return written
