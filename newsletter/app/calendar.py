"""The coming weeks: which letters there are and where they stand, what falls into them, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from newsletter.app.assembling import Assembling
from newsletter.app.newsletter import Newsletter
from newsletter.content.choosing import Week
from newsletter.content.issue import Level, Send
from newsletter.content.observances import Observance, Occurrence
from newsletter.content.parse import Defaults, parse
from newsletter.errors import NewsletterError, StoreError
from newsletter.settings.values import WEEKDAYS
from newsletter.usecases.approve import digests, paths, read_approval

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter in the calendar. `stands` is draft, problems, approved, changed, planned, sent and so on."""

    issue_id: str
    title: str
    send: Send
    stands: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarWeek:
    """Seven days from the day of a letter on. `unprepared` are observances that no prepared block takes up.

    It is a gap if a letter should be there, can still be written, and is not.
    """

    day: date
    letters: tuple[Letter, ...]
    occurrences: tuple[Occurrence, ...]
    unprepared: frozenset[str]
    is_quiet: bool
    is_gap: bool


class Calendar:
    """The weeks of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Look at *newsletter*; nothing is compiled, and nothing is asked of a remote."""
        self._newsletter = newsletter
        self._assembling = Assembling(newsletter)

    def weeks(self, count: int) -> list[CalendarWeek]:
        """This week and those after it, *count* in all."""
        first = self.first_day()
        return [self._week(first + number * _WEEK) for number in range(count)]

    def first_day(self) -> date:
        """The day on which this week's letter is read first: the latest day for letters that is not to come."""
        today = self._newsletter.clock().date()
        return today - (today.weekday() - WEEKDAYS.index(self._newsletter.settings.weekday)) % 7 * _DAY

    def _week(self, day: date) -> CalendarWeek:
        week = self._assembling.week(day)
        days = {str(day + number * _DAY) for number in range(7)}
        letters = [each for each in self._newsletter.workspace.letter_ids() if each[:10] in days]
        is_quiet = day in self._newsletter.quiet
        return CalendarWeek(
            day=day,
            letters=tuple(self._letter(each) for each in letters),
            occurrences=week.occurrences,
            unprepared=frozenset(self._unprepared(week)),
            is_quiet=is_quiet,
            is_gap=not letters and not is_quiet and day > self._newsletter.clock().date(),
        )

    def _unprepared(self, week: Week) -> Iterable[str]:
        blocks = self._assembling.library[0]
        for each in week.occurrences:
            what: Observance = each.observance
            if not any(what.id in block.observances or what.tags & block.tags for block in blocks):
                yield what.id

    def _letter(self, issue_id: str) -> Letter:
        settings = self._newsletter.settings
        _, path, text = self._newsletter.workspace.letter(issue_id)
        defaults = Defaults(at=settings.time, audience=settings.audience, language=settings.language)
        issue, problems = parse(text, path=path, issue_id=issue_id, defaults=defaults)
        stands = self._in_ledger.get(issue_id) or self._on_file(issue_id, path, text)
        if stands == "draft" and any(each.level is Level.ERROR for each in problems):
            stands = "problems"
        send = issue.send
        if not isinstance(send, Send) or send.day == date.min:  # it could not be read
            send = Send(day=date.fromisoformat(issue_id[:10]), at=settings.time)
        return Letter(issue_id=issue_id, title=issue.title or issue_id[11:], send=send, stands=stands)

    def _on_file(self, issue_id: str, path: str, text: str) -> str:
        """draft, approved, or changed since; whether the theme changed too is for `check` to find."""
        approval_path, _ = paths(issue_id)
        written = self._newsletter.workspace.optional(approval_path)
        if written is None:
            return "draft"
        try:
            approval = read_approval(written, at=approval_path)
        except NewsletterError:
            return "problems"
        return "approved" if approval.inputs.get(path) == digests({path: text})[path] else "changed"

    @cached_property
    def _in_ledger(self) -> dict[str, str]:
        """How planned letters stand, where the database is at hand; one that lives in Git would have to be fetched."""
        here = self._newsletter
        if here.settings.in_git or not here.has_database():
            return {}
        from newsletter.app.sending import Sending

        try:
            standings = Sending(here).status()
        except StoreError:  # `doctor` says so; the weeks can be seen without
            return {}
        return {each.issue_id: "sent" if each.stands == "done" else each.stands for each in standings if each.planned}
