"""From an empty Thursday to a draft, wired: the block library, the awareness calendar, and what was used when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath

from newsletter.app.newsletter import Newsletter
from newsletter.app.recipe import recipe_of
from newsletter.content.choosing import Uses, Week, candidate
from newsletter.content.frontmatter import YEARS
from newsletter.content.issue import Problem
from newsletter.content.observances import Observance, in_week, read_calendar
from newsletter.content.prepared import Prepared, read_prepared, taken_from
from newsletter.errors import NewsletterError, SettingsError
from newsletter.schedule import due_at, next_weekday
from newsletter.settings.values import WEEKDAYS
from newsletter.usecases.assemble import Assembled, Fed, FillFeed, Order, assemble

_WEEK = timedelta(weeks=1)
_YEAR = 53  # weeks: how far ahead a block's next turn is looked for
EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """A prepared block, the day of the letter that had it last, and that of the next it would fit."""

    prepared: Prepared
    last_used: date | None
    next_fit: date | None
    fits_for: str  # the observance it would be for; "" where it is for any week


class Assembling:
    """Drafts from prepared blocks."""

    def __init__(self, newsletter: Newsletter, *, fill_feed: FillFeed | None = None) -> None:
        """Assemble for *newsletter*; *fill_feed* stands in for its feeds."""
        self._newsletter = newsletter
        self._fill_feed = fill_feed or self._ask_feeds

    def assemble(self, day: date) -> tuple[Path, Assembled]:
        """The path of a draft for *day*, written, and how it came about. Never touches a letter that is there."""
        here = self._newsletter
        self._refuse(day)
        earlier = [each for each in self._days.values() if each < day]
        order = Order(
            week=self.week(day),
            at=here.settings.time,
            recipe=recipe_of(here.settings),
            library=self.library[0],
            uses=self.uses,
            before=max(earlier, default=day - _WEEK),
        )
        made = assemble(order, fill_feed=self._fill_feed)
        return here.workspace.write(f"issues/{made.issue_id}.md", made.text.encode()), made

    def _refuse(self, day: date) -> None:
        if day.year not in YEARS:
            raise NewsletterError(f"the year {day.year} is none to send in", at=str(day), hint="write e.g. 2026-11-30")
        if day in self._newsletter.quiet:
            raise NewsletterError(f"{day} is a quiet day", at="newsletter.toml [schedule] quiet", hint="take another")
        there = next((each for each in self._newsletter.workspace.letter_ids() if each.startswith(str(day))), None)
        if there:
            hint = f"go on with it: newsletter check {there}; to assemble it anew, delete it first"
            raise NewsletterError(f"there is a letter for {day} already", at=f"issues/{there}", hint=hint)

    def next_day(self) -> date:
        """The day of the next letter."""
        here = self._newsletter
        return next_weekday(here.clock().date(), WEEKDAYS.index(here.settings.weekday), quiet=here.quiet)

    def day_in(self, year: int, week: int) -> date:
        """The day on which letters are sent in an ISO week. Raises ValueError where the year has no such week."""
        return date.fromisocalendar(year, week, WEEKDAYS.index(self._newsletter.settings.weekday) + 1)

    def week(self, day: date) -> Week:
        """The week that a letter of *day* is read in."""
        return Week(day=day, occurrences=in_week(self.calendar.values(), day))

    @cached_property
    def calendar(self) -> dict[str, Observance]:
        """The observances of the regions that count, by their ids. Raises SettingsError."""
        regions = {*self._newsletter.settings.calendar_regions, EVERYWHERE}
        every = len(regions) == 1
        return {name: each for name, each in self._observances.items() if every or each.region in regions}

    @cached_property
    def _observances(self) -> dict[str, Observance]:
        """Those of all calendars. Raises SettingsError with the first thing that is wrong."""
        settings, found, problems = self._newsletter.settings, dict[str, Observance](), list[Problem]()
        for path in settings.calendar_files:
            text = self._newsletter.workspace.optional(path)
            if text is None:
                hint = "newsletter init . adds the one that comes with it; others are named under [calendar] files"
                raise SettingsError("there is no such calendar", at=path, hint=hint)
            observances, wrong = read_calendar(text, path=path)
            found |= observances
            problems += wrong
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise SettingsError(f"{problems[0].what}{more}", at=str(problems[0].at), hint=problems[0].hint)
        return found

    @cached_property
    def library(self) -> tuple[tuple[Prepared, ...], tuple[Problem, ...]]:
        """All prepared blocks that can be read, and what is wrong with the others."""
        blocks, problems = [], list[Problem]()
        for path, text in self._newsletter.workspace.library().items():
            place = PurePosixPath(path)
            block = read_prepared(
                text,
                path=path,
                kind=place.parent.name,
                name=place.stem,
                known=self._observances,
                problems=problems,
            )
            blocks += [block] if block else []
        return tuple(blocks), tuple(problems)

    @cached_property
    def uses(self) -> Uses:
        """The days of the letters that each prepared block was used in, as the letters themselves tell."""
        uses = defaultdict[tuple[str, str], list[date]](list)
        for letter, day in self._days.items():
            _, path, text = self._newsletter.workspace.letter(letter)
            for key in taken_from(text, path=path):
                uses[key].append(day)
        return uses

    @cached_property
    def _days(self) -> dict[str, date]:
        """The day of every letter that is called after one."""
        days = {}
        for letter in self._newsletter.workspace.letter_ids():
            with suppress(ValueError):  # `check` says so
                days[letter] = date.fromisoformat(letter[:10])
        return days

    def stock(self) -> list[Stock]:
        """The library, block by block."""
        first = self.next_day()
        weeks = [self.week(first + number * _WEEK) for number in range(_YEAR)]
        return [self._stock(each, weeks) for each in self.library[0]]

    def _stock(self, prepared: Prepared, weeks: Sequence[Week]) -> Stock:
        turns = ((week, candidate(prepared, week, self.uses)) for week in weeks)
        found = next(((week, each) for week, each in turns if each and not each.rests), None)
        named = found[1].named if found else None
        return Stock(
            prepared=prepared,
            last_used=max(self.uses.get(prepared.key, ()), default=None),
            next_fit=found[0].day if found else None,
            fits_for=named.observance.name if named else "",
        )

    def _ask_feeds(self, since: date, tags: Sequence[str]) -> Fed:
        from newsletter.app.feeding import Feeding  # only where the recipe has a feed

        settings = self._newsletter.settings
        fed: Fed = Feeding(self._newsletter).fill(due_at(since, settings.time, settings.timezone), tags)
        return fed
