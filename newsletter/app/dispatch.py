"""Handing over, wired: send in lanes, stop, reconcile, resolve, prove, and what people decide about a letter."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cached_property, lru_cache
from time import monotonic

from newsletter.app.arrival import refuse_unpublished
from newsletter.app.carriers import carrier, lanes_of
from newsletter.app.hearing import Hearing
from newsletter.app.newsletter import Newsletter
from newsletter.delivery.news import Heard
from newsletter.delivery.outcome import Status
from newsletter.delivery.plan import PlannedIssue
from newsletter.delivery.report import InDoubt
from newsletter.errors import LetterHalted, NotFound, SettingsError
from newsletter.rendering.edition import read_edition
from newsletter.settings.keys import WRITES_LEAVE
from newsletter.settings.read import Settings
from newsletter.sources import git
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.controls import SqlControls
from newsletter.store.editions import SqlEditions
from newsletter.store.gate import SqlGate
from newsletter.store.keeper import SavedControls, SavedGate, SavedLedger
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.store.workers import this_worker
from newsletter.usecases.canary import Canary, Verdict
from newsletter.usecases.fill import Filler, filler
from newsletter.usecases.ports import Provider
from newsletter.usecases.reconcile import Reconciler, Word, resolve
from newsletter.usecases.send import Run, Sender
from newsletter.usecases.settle import Settler

LISTED = 10_000  # deliveries in doubt that are shown, or chosen from, at once

Watch = Callable[[int], None]
Tell = Callable[[str], None]


class Dispatch:
    """What can be done with planned letters."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Send for *newsletter*."""
        self._newsletter = newsletter
        self._settings = newsletter.settings
        self._database = newsletter.database
        ledger = SqlLedger(self._database)
        self._saved = SavedLedger(ledger, newsletter.keeper) if newsletter.keeper else None
        self._ledger: SqlLedger | SavedLedger = self._saved or ledger
        controls, gate = SqlControls(self._database), SqlGate(self._database)
        self.controls = SavedControls(controls, self._saved) if self._saved else controls
        self._gate = SavedGate(gate, self._saved) if self._saved else gate
        self._fillers = lru_cache(maxsize=4)(self._filler)
        self._hearing = Hearing(newsletter)

    def planned(self, name: str) -> PlannedIssue:
        """The plan of a letter. Raises NotFound."""
        issue = SqlPlanner(self._database).planned(self._newsletter.issue_id(name))
        if issue is None:
            raise NotFound("it is not planned", at=name, hint="newsletter plan comes before this")
        return issue

    @cached_property
    def by(self) -> str:
        """Who is at the desk."""
        return git.author(self._settings.root)

    def _filler(self, edition_hash: str) -> Filler:
        edition = read_edition(SqlEditions(self._database).get(edition_hash))
        if edition.identity.leave_mode == "provider" and WRITES_LEAVE[self._settings.provider]:
            raise LetterHalted(
                f"it was approved for a provider that writes how to leave, which {self._settings.provider} does not",
                at=edition.issue_id,
                hint="go back to that provider; or change [leave] mode, approve it again, then: newsletter correct",
            )
        return filler(edition, self._newsletter.links_for(edition.identity))

    def send(self, issue: PlannedIssue, *, watch: Watch, tell: Tell, stop: threading.Event) -> int:
        """How many deliveries got an outcome; ends when nothing is due, or soon after *stop* is set."""
        _refuse_halted(issue)
        _refuse_forgetting(self._settings)
        refuse_unpublished(read_edition(SqlEditions(self._database).get(issue.edition_hash)), self._settings)
        if self._newsletter.keeper:
            self._newsletter.keeper.stop = stop
        with self._keeping():
            done = self._send(issue, watch=watch, tell=tell, stop=stop)
            self._hear_refusals(issue, tell)
        return done

    def _hear_refusals(self, issue: PlannedIssue, tell: Tell) -> None:
        """Let those be gone whose address does not exist, said their server; not where the letter halted itself."""
        heard = Heard()

        def hear() -> None:
            nonlocal heard
            heard = self._hearing.hear_refusals(issue.no)

        self._saved.soon(hear) if self._saved else hear()
        if heard.bounced:
            tell(f"Not mailed any more, as their address does not work: {heard.bounced:,}.")

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Whatever happens, what is known by then is kept where the database lives."""
        try:
            yield
        finally:
            if self._saved:
                self._saved.flush()

    def _send(self, issue: PlannedIssue, *, watch: Watch, tell: Tell, stop: threading.Event) -> int:
        done = 0
        while True:
            verdict, left = self._canary(issue)
            if verdict is Verdict.HALT:
                why = "halted: too many of the first were refused or bounced"
                self.controls.pause(issue.no, by="the canary", why=why, now=self._newsletter.clock())
                raise LetterHalted(why, at=issue.issue_id, hint="look at newsletter status; then newsletter resume")
            if verdict is Verdict.WAITING:
                tell(f"The first {self._settings.canary_people:,} are out; waiting {left} for bounces before the rest.")
                if self._saved:
                    self._saved.flush()  # so that whoever hears of bounces finds the deliveries they are about
                if stop.wait(left.total_seconds()):
                    return done
                if self._saved:
                    self._saved.catch_up()
                issue = self.planned(issue.issue_id)  # somebody may have paused or corrected it meanwhile
                _refuse_halted(issue)
                continue
            if verdict is not Verdict.UNDER_WAY:
                break
            sent = self._lanes(issue, watch=watch, stop=stop, lanes=1, below=self._settings.canary_people + 1)
            done += sent
            if stop.is_set() or not sent:
                return done
        if verdict is Verdict.INACTIVE:
            tell("The canary is inactive: nothing reports bounces back, so silence about the first proves nothing.")
        lanes = lanes_of(self._settings)
        return done + self._lanes(issue, watch=watch, stop=stop, lanes=lanes, below=None)

    def _canary(self, issue: PlannedIssue) -> tuple[Verdict, timedelta]:
        settings, chronicle = self._settings, SqlChronicle(self._database)
        now = self._newsletter.clock()
        canary = Canary(
            people=settings.canary_people,
            wait=timedelta(minutes=settings.canary_minutes),
            halt_percent=settings.halt_percent,
        )
        if not canary.people or issue.is_part:
            return Verdict.NONE, timedelta(0)
        first, last_at = chronicle.first(issue.no, settings.canary_people, not_before=now - self._newsletter.window)
        return canary.judge(
            first, planned=chronicle.planned(issue.no), last_at=last_at, hears=chronicle.hears(), now=now
        )

    def _lanes(self, issue: PlannedIssue, *, watch: Watch, stop: threading.Event, lanes: int, below: int | None) -> int:
        """Send in so many lanes at once; the first that fails ends the others, and its error is raised."""
        ended = threading.Event()
        run = Run()

        def waits(seconds: float) -> bool:
            """Wait so long or until somebody asks to stop; whether they did."""
            until = monotonic() + seconds
            while not (stop.is_set() or ended.is_set()):
                left = until - monotonic()
                if left <= 0:
                    return False
                stop.wait(min(left, 0.2))
            return True

        def lane() -> int:
            with closing(self._carrier(lanes, lambda: stop.is_set() or ended.is_set())) as provider:
                return self._sender(issue, provider, run=run, waits=waits).send(watch, below=below)

        with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
            futures: list[Future[int]] = [pool.submit(lane) for _ in range(lanes)]
            wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.done() and future.exception() for future in futures):
                ended.set()
        return sum(future.result() for future in futures)

    def _carrier(self, lanes: int, stop: Callable[[], bool]) -> Provider:
        return carrier(self._settings, lanes=lanes, stop=stop, clock=self._newsletter.clock)

    def _sender(self, issue: PlannedIssue, provider: Provider, *, run: Run, waits: Callable[[float], bool]) -> Sender:
        return Sender(
            issue=issue,
            fillers=self._fillers,
            ledger=self._ledger,
            gate=self._gate,
            controls=self.controls,
            provider=provider,
            worker=this_worker(),
            window=self._newsletter.window,
            rate=self._settings.rate,
            halt_percent=self._settings.halt_percent,
            clock=self._newsletter.clock,
            wait=waits,
            roll=random.random,
            run=run,
        )

    def reconcile(self, issue: PlannedIssue, *, limit: timedelta, stop: threading.Event) -> Counter[Status]:
        """What was found out about deliveries in doubt, in at most *limit*; the rest stays in doubt."""
        until = monotonic() + limit.total_seconds()
        with self._keeping(), closing(self._carrier(1, stop.is_set)) as provider:
            settler = Settler(
                issue=issue,
                fillers=self._fillers,
                provider=provider,
                window=self._newsletter.window,
                clock=self._newsletter.clock,
            )
            return Reconciler(
                issue=issue,
                ledger=self._ledger,
                settler=settler,
                worker=this_worker(),
                clock=self._newsletter.clock,
                enough=lambda: stop.is_set() or monotonic() >= until,
            ).reconcile()

    def take_in(self, data: bytes) -> tuple[Counter[Status], Heard]:
        """What the provider's events in *data* changed: deliveries, and people."""
        with closing(self._carrier(1, lambda: False)) as provider:
            return self._newsletter.durably(lambda: self._hearing.take_in(provider.read_events(data)))

    def doubts(self, issue: PlannedIssue) -> list[InDoubt]:
        """Everybody in doubt."""
        return SqlChronicle(self._database).doubts(issue.no, limit=LISTED)

    def resolve(self, issue: PlannedIssue, word: Word) -> int:
        """How many deliveries in doubt were settled by a person's word."""
        return resolve(
            issue,
            word,
            ledger=self._ledger,
            controls=self.controls,
            worker=this_worker(),
            clock=self._newsletter.clock,
        )


def _refuse_forgetting(settings: Settings) -> None:
    """Raise SettingsError where people would be mailed and the record of it would be lost."""
    if (
        settings.on_runner
        and settings.provider != "outbox"
        and settings.database.startswith("sqlite:")
        and not settings.in_git
    ):
        raise SettingsError(
            "the database is a file of this runner, and gone when the job ends: the next would mail everybody again",
            at="database",
            hint="set the secret NEWSLETTER_DATABASE_URL to a PostgreSQL, or keep the state in Git: docs/operations.md",
        )


def _refuse_halted(issue: PlannedIssue) -> None:
    if issue.cancelled:
        raise LetterHalted(f"it was cancelled: {issue.cancelled}", at=issue.issue_id, hint="begin a new letter")
    if issue.paused:
        raise LetterHalted(f"it is paused: {issue.paused}", at=issue.issue_id, hint="go on: newsletter resume")
