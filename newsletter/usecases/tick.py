"""Tick: do once whatever is due now. Late, doubled or cut short, it harms nobody; the next one goes on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Protocol, TypeVar

from newsletter.errors import INTERNAL_ERROR, LeaseLost, NewsletterError, ProviderBusy, ProviderRefused, StoreError
from newsletter.usecases.ports import Agenda, Hands, Turns

ASKED_FOR = timedelta(days=2)  # how long a tick asks again about deliveries in doubt; then it is for a person
HELD_FOR = timedelta(days=7)  # how long it goes on to report what was held

Clock = Callable[[], datetime]
Thing = TypeVar("Thing")


class Plan(Protocol):
    """Plans a letter, or forecasts it; for how many people."""

    def __call__(self, letter: str, /, *, now: datetime) -> int:
        """How many it is for, and 0 if its time has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """What a tick did, in people by letter, and what is left for somebody to look at.

    `heard` counts those of whom the provider or the mailbox told, by what; `elsewhere` says that another tick is at
    work and nothing was done; `planned` counts those who would be mailed, and `sent` deliveries that got an outcome
    (on a rehearsal, those that could be handed over).
    """

    heard: Mapping[str, int] = field(default_factory=dict)
    planned: Mapping[str, int] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    settled: Mapping[str, int] = field(default_factory=dict)
    in_doubt: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    exit_code: int = 0  # of the first error among the problems
    next_due_at: datetime | None = None
    elsewhere: bool = False
    stopped: bool = False

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do and nothing to tell."""
        return not any((self.heard, self.planned, self.sent, self.settled, self.in_doubt, self.held, self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """Ticks. `window` is how long after its time a letter may leave; `stop` says whether to begin nothing more."""

    agenda: Agenda
    turns: Turns
    hands: Hands
    window: timedelta
    clock: Clock
    stop: Callable[[], bool]

    def rehearse(self) -> Did:
        """What a tick would do now; changes nothing. Who is due for a part of a series shows only in a tick."""
        work, now = _Work(self), self.clock()
        work.plan_each(self.hands.letters(now=now), self.hands.forecast, now=now)
        return replace(work.did(), sent=self.agenda.waiting(now=now, not_before=now - self.window))

    def tick(self) -> Did:
        """Plan, send and settle what is due, unless another tick is at it."""
        if not self.turns.take(now=self.clock()):
            return Did(elsewhere=True)
        work = _Work(self)
        try:
            work.hear()  # first, so that who left is not planned for
            work.answer()
            work.plan()
            work.send()
            work.settle()
        except BaseException:
            with suppress(NewsletterError):  # what went wrong first is what is told
                self.turns.end(in_words(work.did()), now=self.clock())
            raise
        did = work.did()
        try:
            self.turns.end(in_words(did), now=self.clock())
        except StoreError as err:  # what was done was done all the same
            return replace(
                did, problems=(*did.problems, problem_in_words(err)), exit_code=did.exit_code or err.exit_code
            )
        return did


@dataclass(slots=True)
class _Work:
    """What one tick has done so far."""

    ticker: Ticker
    heard: dict[str, int] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    in_doubt: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    exit_code: int = 0

    def hear(self) -> None:
        """Hear from the provider and the mailbox; where one cannot be heard, letters leave all the same."""
        for source in self._until_stopped(self.ticker.hands.sources()):
            with self._telling(source):
                for what, count in self.ticker.hands.hear(source).items():
                    self.heard[what] = self.heard.get(what, 0) + count

    def answer(self) -> None:
        """Answer visitors, who look into their mailbox now; that takes little time, or is cut short."""
        with self._telling("mails"):
            self.ticker.hands.answer()

    def plan(self) -> None:
        """Plan the letters whose time has come; one that cannot be planned keeps no other."""
        hands, now = self.ticker.hands, self.ticker.clock()
        self.plan_each(hands.letters(now=now), hands.plan, now=now)
        for series in self._until_stopped(hands.series()):
            with self._telling(series):
                self.plan_each(hands.parts(series, now=now), hands.plan, now=now)

    def plan_each(self, letters: Iterable[str], plan: Plan, *, now: datetime) -> None:
        """Plan so many letters, or find out whom they would go to."""
        for letter in self._until_stopped(letters):
            with self._telling(letter):
                if people := plan(letter, now=now):
                    self.planned[letter] = people

    def send(self) -> None:
        """Hand over what is due; a letter that halts keeps no other, a provider that takes nothing keeps all."""
        now = self.ticker.clock()
        for issue in self._until_stopped(self.ticker.agenda.due(now=now, not_before=now - self.ticker.window)):
            done: list[int] = []  # several lanes tell at once
            try:
                with self._telling(issue.issue_id, but=(LeaseLost, ProviderBusy, ProviderRefused)):
                    self.ticker.hands.send(issue, watch=done.append)
            except (ProviderBusy, ProviderRefused) as err:
                self._wrong(err, issue.issue_id)
                return
            finally:
                if sum(done):
                    self.sent[issue.issue_id] = sum(done)

    def settle(self) -> None:
        """Ask about what is in doubt."""
        hands = self.ticker.hands
        for issue in self._until_stopped(self.ticker.agenda.doubtful(since=self.ticker.clock() - ASKED_FOR)):
            with self._telling(issue.issue_id):
                if found := hands.reconcile(issue):
                    self.settled[issue.issue_id] = found
            with self._telling(issue.issue_id):
                if left := hands.in_doubt(issue):
                    self.in_doubt[issue.issue_id] = left

    def did(self) -> Did:
        now = self.ticker.clock()
        last = now - self.ticker.window
        return Did(
            heard=self.heard,
            planned=self.planned,
            sent=self.sent,
            settled=self.settled,
            in_doubt=self.in_doubt,
            held=self.ticker.agenda.held(not_before=last, since=last - HELD_FOR),
            problems=tuple(self.problems),
            exit_code=self.exit_code,
            next_due_at=self.ticker.agenda.next_due(now=now),
            stopped=self.ticker.stop(),
        )

    def _until_stopped(self, things: Iterable[Thing]) -> Iterator[Thing]:
        for thing in things:
            if self.ticker.stop():
                return
            yield thing

    @contextmanager
    def _telling(self, letter: str, *, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Whatever goes wrong with one letter is told and keeps no other, our own mistakes included."""
        try:
            yield
        except but:
            raise
        except Exception as err:  # noqa: BLE001 - readers of all other letters must not wait until it is mended
            self._wrong(err, letter)

    def _wrong(self, err: Exception, letter: str) -> None:
        said = problem_in_words(err)
        self.problems.append(said if letter in said else f"{letter}: {said}")
        self.exit_code = self.exit_code or (err.exit_code if isinstance(err, NewsletterError) else INTERNAL_ERROR)


def problem_in_words(err: Exception) -> str:
    """What went wrong and what to do; of our own mistakes only where, as their text may quote an address."""
    if isinstance(err, NewsletterError):
        return f"{err}{f' ({err.hint})' if err.hint else ''}"
    frame = traceback.extract_tb(err.__traceback__)[-1]
    return f"a bug: {type(err).__name__} in {PurePath(frame.filename).name}:{frame.lineno}"


def in_words(did: Did) -> str:
    """*did* in a few words; counts only."""
    words = [f"{count:,} {what}" for what, count in did.heard.items()]
    words += [
        f"{sum(counts.values()):,} {what}"
        for what, counts in (
            ("planned", did.planned),
            ("sent", did.sent),
            ("settled", did.settled),
            ("in doubt", did.in_doubt),
            ("held", did.held),
        )
        if counts
    ]
    if did.elsewhere:
        words.append("another tick is at work")
    if did.problems:
        words.append(f"{len(did.problems)} problem{'s' if len(did.problems) != 1 else ''}")
    return ", ".join(words) or "nothing was due"
