"""Ticks, wired: once what is due, for a scheduler that calls again and again; and the daemon that is one itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from newsletter.app.newsletter import Newsletter
from newsletter.delivery.plan import PlannedIssue
from newsletter.delivery.report import Turn
from newsletter.errors import IssueHasProblems, NewsletterError
from newsletter.schedule import day_in, newest_day
from newsletter.store.agenda import SqlAgenda, SqlTurns
from newsletter.usecases.prepare import its_time_has_come
from newsletter.usecases.tick import Did, Ticker, rehearse

if TYPE_CHECKING:
    from newsletter.app.dispatch import Dispatch, Tell, Watch
    from newsletter.app.sending import Sending
    from newsletter.app.serial import Serial

ALL_ZONES = timedelta(hours=50)  # from the first minute of a day until it is over everywhere
SETTLING = timedelta(minutes=5)  # of a tick, at most, to ask about one letter's deliveries in doubt
SIGN_OF_LIFE = timedelta(minutes=1)


@dataclass(slots=True)
class _Pulse:
    """Keeps our turn while deliveries are recorded."""

    turns: SqlTurns
    clock: Callable[[], datetime]
    at: datetime

    def beat(self, _more: int) -> None:
        now = self.clock()
        if now - self.at > SIGN_OF_LIFE:
            self.turns.keep(now=now)
            self.at = now


@dataclass(frozen=True, slots=True)
class _Turns:
    """Turns that are known wherever the database lives, before anything is done in them."""

    newsletter: Newsletter
    turns: SqlTurns

    def take(self, *, now: datetime) -> bool:
        return self.newsletter.durably(lambda: self.turns.take(now=now))

    def end(self, said: str, *, now: datetime) -> None:
        self.newsletter.durably(lambda: self.turns.end(said, now=now))


class Ticking:
    """What a tick needs of one newsletter."""

    def __init__(self, newsletter: Newsletter, *, tell: Tell) -> None:
        """Tick for *newsletter*; what somebody at a terminal would like to know goes to *tell*."""
        self._newsletter = newsletter
        self._agenda = SqlAgenda(newsletter.database)
        self._turns = SqlTurns(newsletter.database)
        self._tell = tell
        self._stop = threading.Event()

    def tick(self, stop: threading.Event, *, limit: timedelta | None = None) -> Did:
        """Do what is due, until *stop* is set or *limit* is over; what is under way then is finished first."""
        self._stop = stop
        timer = threading.Timer(limit.total_seconds(), stop.set) if limit else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            return Ticker(
                agenda=self._agenda,
                turns=_Turns(self._newsletter, self._turns),
                hands=self,
                window=self._newsletter.window,
                clock=self._newsletter.clock,
                stop=stop.is_set,
            ).tick()
        finally:
            if timer:
                timer.cancel()

    def rehearse(self) -> Did:
        """What a tick would do now."""
        now = self._newsletter.clock()
        forecasts = {}
        for letter in self.letters(now=now):  # who is due for a part of a series shows only when it is planned
            try:
                forecasts[letter] = self._sending.outlook(letter).forecast.planned
            except NewsletterError as err:
                self._tell(f"{letter} would not be planned: {err}")
        return rehearse(self._agenda, forecasts, now=now, window=self._newsletter.window)

    def last(self) -> Turn | None:
        """The last tick."""
        return self._turns.last()

    def letters(self, *, now: datetime) -> list[str]:
        """Letters whose day it is somewhere and that are not planned yet.

        By their names alone, so that it is quick; one with a day that no calendar has is among them, and planning
        it says so.
        """
        over = newest_day(now - ALL_ZONES - self._newsletter.window)
        days = {letter: day_in(letter) for letter in self._newsletter.workspace.letter_ids()}
        near = [letter for letter, day in days.items() if day is None or over < day <= newest_day(now)]
        planned = self._agenda.planned() if near else set()
        return [letter for letter in near if letter not in planned]

    def series(self) -> list[str]:
        """The names of all series."""
        return self._newsletter.workspace.series()

    def parts(self, series: str, *, now: datetime) -> list[str]:
        """The parts of one that has begun, in their order, whose time may have come."""
        return self._serial.parts(series, now=now)

    def plan(self, letter: str, *, now: datetime) -> int:
        """Plan an approved letter that is due for somebody; for how many people, and 0 if its time has not come."""
        return self._newsletter.durably(lambda: self._plan(letter, now=now))

    def _plan(self, letter: str, *, now: datetime) -> int:
        if "." in letter:
            return self._serial.extend(letter, now=now)
        if day_in(letter) is None:
            hint = "name the file after the day it is sent on"
            raise IssueHasProblems(f"there is no such day as {letter[:10]}", at=f"issues/{letter}.md", hint=hint)
        approved_at, outlook = self._sending.approved_outlook(letter)
        veto = timedelta(hours=self._newsletter.settings.veto_hours)
        if not its_time_has_come(outlook.forecast, approved_at=approved_at, veto=veto, now=now):
            return 0
        self._sending.plan(letter)
        return outlook.forecast.planned

    def send(self, issue: PlannedIssue, *, watch: Watch) -> None:
        """Hand over what is due; *watch* is told how many deliveries just got an outcome."""
        pulse = _Pulse(self._turns, self._newsletter.clock, self._newsletter.clock())

        def told(more: int) -> None:
            pulse.beat(more)
            watch(more)

        self._dispatch.send(issue, watch=told, tell=self._tell, stop=self._stop)

    def reconcile(self, issue: PlannedIssue) -> int:
        """How many deliveries in doubt were settled."""
        return self._dispatch.reconcile(issue, limit=SETTLING, stop=self._stop).total()

    def in_doubt(self, issue: PlannedIssue) -> int:
        """How many deliveries are in doubt."""
        return self._sending.tally(issue).in_doubt

    # Each brings modules that a tick with nothing due has no use for, and most ticks are that.

    @cached_property
    def _sending(self) -> Sending:
        from newsletter.app.sending import Sending

        return Sending(self._newsletter)

    @cached_property
    def _serial(self) -> Serial:
        from newsletter.app.serial import Serial

        return Serial(self._newsletter)

    @cached_property
    def _dispatch(self) -> Dispatch:
        from newsletter.app.dispatch import Dispatch

        return Dispatch(self._newsletter)
