"""Ticks, wired: once what is due, for a scheduler that calls again and again; and the daemon that is one itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING

from newsletter.app.carriers import tells
from newsletter.app.newsletter import Newsletter
from newsletter.app.signals import OwnStop
from newsletter.delivery.plan import PlannedIssue
from newsletter.delivery.report import Turn
from newsletter.errors import IssueHasProblems, StoreError
from newsletter.schedule import day_in, newest_day
from newsletter.store.agenda import SqlAgenda, SqlTurns
from newsletter.usecases.approve import paths
from newsletter.usecases.ports import Turns
from newsletter.usecases.prepare import its_time_has_come, refuse_problems
from newsletter.usecases.tick import HELD_FOR, Did, Ticker

if TYPE_CHECKING:
    from newsletter.app.dispatch import Dispatch, Tell, Watch
    from newsletter.app.inbox import Inbox
    from newsletter.app.sending import Sending
    from newsletter.app.serial import Serial
    from newsletter.app.syncing import Syncing

ALL_ZONES = timedelta(hours=50)  # from the first minute of a day until it is over everywhere
SETTLING = timedelta(minutes=5)  # of a tick, at most, to ask about one letter's deliveries in doubt
HEARING = timedelta(minutes=2)  # of a tick, at most, to hear of those who left; the next goes on
SIGN_OF_LIFE_S = 60.0


class TheTurn:
    """Our turn: known wherever the database lives before anything is done in it, and kept while that lasts.

    By a thread of its own, as a tick may have nothing to record for long: a canary waits, a provider paces. Where
    somebody else took it all the same, as this machine slept, *stop* is set.
    """

    def __init__(self, newsletter: Newsletter, turns: SqlTurns, *, stop: threading.Event, every_s: float) -> None:
        """One turn of *newsletter*, with a sign of life every so many seconds."""
        self._newsletter, self._turns, self._stop, self._every_s = newsletter, turns, stop, every_s
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="turn", daemon=True)

    def take(self, *, now: datetime) -> bool:
        """Whether it is ours now."""
        ours = self._newsletter.durably(lambda: self._turns.take(now=now))
        if ours:
            self._keeper.start()
        return ours

    def end(self, said: str, *, now: datetime) -> None:
        """Give it back. Raises StoreError if it was taken meanwhile."""
        self.rest()
        self._newsletter.durably(lambda: self._turns.end(said, now=now))

    def rest(self) -> None:
        """Give no more signs of life."""
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()

    def _keep(self) -> None:
        while not self._over.wait(self._every_s):
            with suppress(StoreError):  # the next sign may get through
                if not self._turns.keep(now=self._newsletter.clock()):
                    self._stop.set()
                    return


class Ticking:
    """What a tick needs of one newsletter."""

    def __init__(self, newsletter: Newsletter, *, tell: Tell) -> None:
        """Tick for *newsletter*; what somebody at a terminal would like to know goes to *tell*."""
        self._newsletter = newsletter
        self._agenda = SqlAgenda(newsletter.database)
        self._turns = SqlTurns(newsletter.database)
        self._tell = tell
        self._stop = OwnStop(threading.Event())

    def tick(self, stop: threading.Event, *, limit: timedelta | None = None) -> Did:
        """Do what is due, until *stop* is set or *limit* is over; what is under way then is finished first."""
        self._stop = OwnStop(stop)
        turn = TheTurn(self._newsletter, self._turns, stop=self._stop, every_s=SIGN_OF_LIFE_S)
        timer = threading.Timer(limit.total_seconds(), self._stop.set) if limit else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            return self._ticker(turn).tick()
        finally:
            turn.rest()
            if timer:
                timer.cancel()

    def rehearse(self) -> Did:
        """What a tick would do now."""
        return self._ticker(self._turns).rehearse()

    def _ticker(self, turns: Turns) -> Ticker:
        return Ticker(
            agenda=self._agenda,
            turns=turns,
            hands=self,
            window=self._newsletter.window,
            clock=self._newsletter.clock,
            stop=self._stop.is_set,
        )

    def last(self) -> Turn | None:
        """The last tick."""
        return self._turns.last()

    def sources(self) -> Sequence[str]:
        """The provider that tells, and the mailbox, where there is one."""
        settings = self._newsletter.settings
        return [*(["sync"] if tells(settings) else []), *(["inbox"] if settings.inbox_host else [])]

    def hear(self, source: str) -> Mapping[str, int]:
        """How many left, bounced or complained; none where it was asked a moment ago."""
        until = monotonic() + HEARING.total_seconds()
        here = self._syncing if source == "sync" else self._inbox
        if not here.due():
            return {}
        if source == "sync":
            heard = self._syncing.sync(stop=self._stop, limit=HEARING)
        else:
            heard = self._inbox.poll(enough=lambda: self._stop.is_set() or monotonic() >= until).heard
        counts = {"left": heard.left, "bounced": heard.bounced, "complained": heard.complained}
        return {what: count for what, count in counts.items() if count}

    def answer(self) -> None:
        """Do what visitors asked, and send the mails that wait for one person each."""
        from newsletter.app.answering import Answering

        Answering(self._newsletter).work_once(self._stop)

    def letters(self, *, now: datetime) -> list[str]:
        """Letters whose day it is somewhere and that are not planned yet.

        By their names alone, so that it is quick. Among them are some that planning will refuse and tell: those with
        a day that no calendar has, and for a week approved ones that no tick came for in time.
        """
        found = [letter for letter in self._newsletter.workspace.letter_ids() if self._is_near(letter, now=now)]
        planned = self._agenda.planned() if found else set()
        return [letter for letter in found if letter not in planned]

    def _is_near(self, letter: str, *, now: datetime) -> bool:
        day = day_in(letter)
        over = now - ALL_ZONES - self._newsletter.window
        if day is None or newest_day(over) < day <= newest_day(now):
            return True
        was_near = newest_day(over - HELD_FOR) < day <= newest_day(over)
        return was_near and self._newsletter.workspace.optional(paths(letter)[0]) is not None

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
        people = self.forecast(letter, now=now)
        if people:
            self._sending.plan(letter)
        return people

    def forecast(self, letter: str, *, now: datetime) -> int:
        """For how many people a letter would be planned, and 0 if its time has not come. Raises IssueHasProblems."""
        day = day_in(letter)
        if day is None:
            hint = "name the file after the day it is sent on"
            raise IssueHasProblems(f"there is no such day as {letter[:10]}", at=f"issues/{letter}.md", hint=hint)
        if day in self._newsletter.quiet:  # since it was approved
            hint = "choose another day, or change [schedule] quiet"
            raise IssueHasProblems(f"{day} is a quiet day", at=f"issues/{letter}.md", hint=hint)
        approved_at, outlook = self._sending.approved_outlook(letter)
        veto = timedelta(hours=self._newsletter.settings.veto_hours)
        if not its_time_has_come(outlook.forecast, approved_at=approved_at, veto=veto, now=now):
            return 0
        refuse_problems(outlook)
        return outlook.forecast.planned

    def send(self, issue: PlannedIssue, *, watch: Watch) -> None:
        """Hand over what is due; *watch* is told how many deliveries just got an outcome."""
        self._dispatch.send(issue, watch=watch, tell=self._tell, stop=self._stop)

    def reconcile(self, issue: PlannedIssue) -> int:
        """How many deliveries in doubt were settled."""
        return self._dispatch.reconcile(issue, limit=SETTLING, stop=self._stop).total()

    def in_doubt(self, issue: PlannedIssue) -> int:
        """How many deliveries are in doubt."""
        return self._sending.tally(issue).in_doubt

    # Each brings modules that a tick with nothing due has no use for, and most ticks are that.

    @cached_property
    def _inbox(self) -> Inbox:
        from newsletter.app.inbox import Inbox

        return Inbox(self._newsletter)

    @cached_property
    def _syncing(self) -> Syncing:
        from newsletter.app.syncing import Syncing

        return Syncing(self._newsletter)

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
