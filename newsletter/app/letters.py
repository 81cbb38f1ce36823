"""Letters, wired: build, check, fill for one reader, begin, approve."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from newsletter.app.carriers import takes_whole
from newsletter.app.newsletter import Newsletter
from newsletter.app.pictures import Pictures
from newsletter.app.recipe import recipe_of
from newsletter.app.segmenting import known_letters
from newsletter.app.surroundings import setting_of
from newsletter.audience.segments import from_data, read_segments, to_data
from newsletter.audience.subscriber import Subscriber
from newsletter.content.draft import draft
from newsletter.content.issue import Problem, Send, Span
from newsletter.content.parse import Defaults
from newsletter.content.series import Series, read_series
from newsletter.content.wording import PATH as WORDING
from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Receipt
from newsletter.rendering.difference import Difference, difference
from newsletter.rendering.edition import Edition
from newsletter.rendering.images import seen_here
from newsletter.schedule import next_weekday
from newsletter.settings.read import FILE, read_settings
from newsletter.settings.values import WEEKDAYS, quiet_days
from newsletter.sources import git
from newsletter.usecases import approve
from newsletter.usecases.approve import Approval
from newsletter.usecases.build import Built, Desk, build, finished
from newsletter.usecases.fill import filler
from newsletter.usecases.inside import refuse_inside
from newsletter.usecases.prepare import gaps

LOCK = "requirements.lock"
ALL_ZONES = timedelta(days=2)  # from the first minute of a letter's day until its day is over in every zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A letter and all that it is made from, read once: what is compiled is what is digested and approved."""

    issue_id: str
    path: str
    text: str
    desk: Desk
    pictures: Pictures
    lock: str | None  # the versions of everything that compiles it, where the workspace pins them

    def build(self) -> Built:
        """The letter, built, with its problems."""
        return build(self.text, path=self.path, issue_id=self.issue_id, desk=self.desk)

    def inputs(self, edition: Edition) -> dict[str, str | bytes]:
        """All that *edition* was made from, by file; of newsletter.toml only what readers could see."""
        desk = self.desk
        seen_too = ["pictures inside"] if desk.inline and edition.images else []
        theme = {f"templates/{desk.theme_name}/{file}": content for file, content in desk.theme_files.items()}
        look = [asdict(desk.setting), desk.theme_name, asdict(desk.defaults), *seen_too]
        seen = json.dumps(look, default=str, sort_keys=True)
        used = {edition.audience.name, *(condition.name.removeprefix("segment:") for condition in edition.conditions)}
        rules = json.dumps({name: desk.rule(name) for name in sorted(used)}, sort_keys=True)
        pictures = self.pictures.contents(image.file for image in edition.images)
        lock = {LOCK: self.lock} if self.lock is not None else {}
        return {self._place: self.text, **theme, **pictures, **lock, FILE: seen, "subscribers/segments.toml": rules}

    @property
    def _place(self) -> str:
        """Its file; a part's without its number, so that one that moves to another place stays approved."""
        approval, _ = approve.paths(self.issue_id)
        return approval.replace(".approval.toml", ".md") if "." in self.issue_id else self.path


class Letters:
    """What can be done with the letters of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the letters of *newsletter*."""
        self._newsletter = newsletter
        self._files = newsletter.workspace

    def check(self, name: str) -> Built:
        """The letter *name*, built, and what is wrong with it, with its approval, and with it for this list."""
        return self.checked(self.read(name))

    def checked(self, source: Source) -> Built:
        """As `check`, of what was read before."""
        built = source.build()
        problems = [*built.problems, *self._lacking(built), *self._drift(source, built)]
        return replace(built, problems=tuple(problems))

    def _lacking(self, built: Built) -> list[Problem]:
        """What readers on the list lack, where there is a list."""
        if built.edition is None or not built.edition.needs or not self._newsletter.has_database():
            return []
        from newsletter.store.subscribers import SqlPeople  # only where the answer lies in the list

        rule = from_data(built.edition.audience.rule)
        people = SqlPeople(self._newsletter.database)
        return gaps(
            built.edition.needs, people.lacking(built.edition.needs, audience=rule, now=self._newsletter.clock())
        )

    def _drift(self, source: Source, built: Built) -> list[Problem]:
        """A problem if the letter was approved, is still to go out, and is not what was approved any more."""
        approval_path, edition_path = approve.paths(source.issue_id)
        text, body = self._files.optional(approval_path), self._files.optional(edition_path)
        send = built.issue.send
        gone_out = isinstance(send, Send) and send.day + ALL_ZONES + self._newsletter.window < self._now.date()
        if text is None or built.edition is None or gone_out:
            return []
        approval = approve.read_approval(text, at=approval_path)
        what = f"this is not what was approved as revision {approval.revision}"
        if approval.edition == built.edition.hash and body == built.edition.to_bytes().decode():
            changed = approve.changes(approval, source.inputs(built.edition))
            what = f"changed since it was approved, though readers see no difference: {', '.join(changed)}"
            if not changed:
                return []
        hint = f"look at it (newsletter diff {source.issue_id}), then: newsletter approve {source.issue_id}"
        return [Problem(at=Span(source.path), what=what, hint=hint, check="approved")]

    def message_for(self, name: str, person: Subscriber | None) -> tuple[bytes, bytes, bytes]:
        """(HTML, text, whole message) of a letter for *person*, or for a reader nobody knows anything about."""
        edition, cut = finished(self.read(name).build())
        links_of = self._newsletter.links_for(edition.identity) if person else self.example_links
        person = person or Subscriber(id=0, address="reader@example.org")
        now = self._newsletter.clock()
        fill = filler(edition, links_of, cut=cut)
        row = Row(
            seq=0,
            ref="0-specimen",
            address=person.address,
            name=person.name,
            variant=fill.variant(person, now=now),
            values=fill.values(person, at=now),
        )
        body = fill.letter.bodies[row.variant]
        message = Batch(letter=fill.letter, claimed_at=now, rows=(row,)).message(row)
        return body.html.fill(row.values), body.text.fill(row.values), message

    def shown_here(self, name: str, html: bytes) -> bytes:
        """*html* of a letter with its pictures in it, for eyes at this desk: they may be nowhere else yet."""
        source = self.read(name)
        edition, _ = finished(source.build())
        contents = source.pictures.contents(image.file for image in edition.images)
        return seen_here(html, edition.images, contents)

    def proof(self, name: str, address: str) -> tuple[Receipt, str]:
        """What the provider said about a letter as its file is now, sent to one address, and the subject it bears.

        Filled as the subscriber with that address gets it; as for a reader nobody knows, if there is none.
        """
        from newsletter.app.carriers import carrier
        from newsletter.store.subscribers import SqlPeople
        from newsletter.usecases.proof import send_proof

        here = self._newsletter
        edition, cut = finished(self.read(name).build())
        person = SqlPeople(here.database).find(address) if here.has_database() else None
        fill = filler(edition, here.links_for(edition.identity) if person else self.example_links, cut=cut)
        with closing(carrier(here.settings, lanes=1, stop=lambda: False, clock=here.clock)) as provider:
            return send_proof(
                fill,
                person or Subscriber(id=0, address=address),
                provider=provider,
                ref=f"proof-{secrets.token_hex(12)}",
                now=here.clock(),
            )

    def example_links(self, _person: Subscriber, _at: datetime) -> dict[str, str]:
        """Personal addresses that are nobody's."""
        site = self._newsletter.settings.site_url
        return {"unsubscribe_url": f"{site}/leave/example", "preferences_url": f"{site}/preferences/example"}

    def new(self, title: str, day: date | None) -> Path:
        """The path of a new letter for *day* or the next that is not quiet, with the blocks of the recipe."""
        here = self._newsletter
        day = day or next_weekday(here.clock().date(), WEEKDAYS.index(here.settings.weekday), quiet=here.quiet)
        kinds = [step[0] for step in recipe_of(here.settings)]
        issue_id, text = draft(title, day=day, at=here.settings.time, kinds=kinds)
        return self._files.write(f"issues/{issue_id}.md", text.encode())

    def approve(self, source: Source, built: Built) -> tuple[Approval, bool]:
        """The approval of what was *built* from *source*, and whether it is a new one. Raises IssueHasProblems."""
        edition, _ = finished(built)
        approval_path, edition_path = approve.paths(edition.issue_id)
        text = self._files.optional(approval_path)
        approval = approve.approve(
            edition,
            inputs=source.inputs(edition),
            before=approve.read_approval(text, at=approval_path) if text else None,
            by=git.author(self._newsletter.settings.root),
            now=self._newsletter.clock(),
        )
        # The edition first: an approval must never name bytes that are not there.
        self._files.write(edition_path, edition.to_bytes(), replace=True)
        self._files.write(approval_path, approval.to_toml().encode(), replace=True)
        return approval, approval.to_toml() != text

    def files(self, issue_id: str) -> tuple[str, str]:
        """Where a letter's approval and its frozen edition are kept."""
        approval, edition = approve.paths(issue_id)
        return approval, edition.removesuffix("edition.json")

    def approved(self, name: str) -> tuple[Approval, Edition]:
        """The edition that was approved. Raises NotApproved if there is none or something changed since."""
        source = self.read(name)
        approval_text, body = (self._files.optional(path) for path in approve.paths(source.issue_id))
        approval, edition = approve.approved_edition(source.issue_id, approval_text, body)
        approve.refuse_changes(approval, source.inputs(edition))
        refuse_inside(edition, takes_whole=takes_whole(self._newsletter.settings))
        approve.refuse_forgery(edition, identity=source.desk.setting.identity, rule_of=source.desk.rule)
        return approval, edition

    def difference(self, name: str, revision: str | None = None) -> Difference:
        """What readers would see change: since the approval of a letter, or since a *revision* of Git.

        Raises NotApproved, NotFound, or IssueHasProblems if one of the two cannot be compiled.
        """
        after, _ = finished(self.read(name).build())
        if revision is None:
            texts = (self._files.optional(path) for path in approve.paths(after.issue_id))
            _, before = approve.approved_edition(after.issue_id, *texts)
        else:
            with git.as_of(self._files.root, revision) as folder:
                then = Letters(Newsletter(read_settings(folder)))
                before, _ = finished(then.read(after.issue_id).build())
        return difference(before, after)

    def read(self, name: str) -> Source:
        """The letter *name* and all that it is made from, as it is now."""
        issue_id, path, text = self._files.letter(name)
        pictures = Pictures(self._files, letter=path)
        desk = self._desk(issue_id, pictures)
        return Source(
            issue_id=issue_id,
            path=path,
            text=text,
            desk=desk,
            pictures=pictures,
            lock=self._files.optional(LOCK),
        )

    def series_of(self, part_id: str) -> Series:
        """What the parts of a series have in common. Raises SettingsError."""
        path = f"issues/series/{part_id.partition('.')[0]}/series.toml"
        return read_series(self._files.optional(path) or "", path=path, quiet_days=quiet_days)

    def segments(self) -> dict[str, dict[str, object]]:
        """The rules of subscribers/segments.toml by name, as data."""
        text = self._files.optional("subscribers/segments.toml") or ""
        return {name: to_data(rule) for name, rule in read_segments(text).items()}

    @property
    def _now(self) -> datetime:
        return self._newsletter.clock()

    def _desk(self, issue_id: str, pictures: Pictures) -> Desk:
        settings = self._newsletter.settings
        defaults = Defaults(at=settings.time, audience=settings.audience, language=settings.language)
        if "." in issue_id:
            series = self.series_of(issue_id)
            defaults = replace(
                defaults,
                at=series.at or defaults.at,
                audience=series.audience or defaults.audience,
                since=series.since,
                quiet=settings.quiet if series.quiet is None else series.quiet,
            )
        return Desk(
            defaults=defaults,
            setting=setting_of(settings),
            theme_name=settings.theme,
            theme_files=self._files.theme(settings.theme),
            segments=self.segments(),
            letters=known_letters(self._files),
            quiet=self._newsletter.quiet,
            picture_of=pictures.picture,
            inline=settings.inline_images,
            carries_inline=takes_whole(settings),
            required=settings.required_blocks,
            wording=self._files.optional(WORDING) or "",
            off=settings.checks_off,
        )
