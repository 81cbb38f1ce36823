"""A tick does what is due, once, and one thing that goes wrong keeps nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.delivery.plan import PlannedIssue
from newsletter.errors import LeaseLost, LetterHalted, NewsletterError, NotApproved, ProviderBusy, StoreError
from newsletter.usecases.tick import Did, Ticker, in_words
from tests.conftest import NOW


def issue(number: int) -> PlannedIssue:
    return PlannedIssue(
        no=number,
        issue_id=f"letter-{number}",
        revision=1,
        edition_hash="sha256:0",
        secret=b"",
        planned_at=NOW,
        candidates=9,
    )


Deed = int | Exception


def done(deed: Deed) -> int:
    if isinstance(deed, Exception):
        raise deed
    return deed


@dataclass
class World:
    """A tick's surroundings; values that are errors are raised."""

    plans: Mapping[str, Deed] = field(default_factory=dict)
    courses: Mapping[str, Mapping[str, Deed] | Exception] = field(default_factory=dict)
    sends: Mapping[int, Deed | tuple[Deed, ...]] = field(default_factory=dict)  # what lanes tell, one after the other
    doubts: Mapping[int, Deed] = field(default_factory=dict)
    heard: Mapping[str, Mapping[str, int] | Exception] = field(default_factory=dict)
    still_held: Mapping[str, int] = field(default_factory=dict)
    taken: bool = False
    unanswered: Exception | None = None
    lost: Exception | None = None
    stop_after: int = 99
    log: list[str] = field(default_factory=list)

    def ticker(self) -> Ticker:
        return Ticker(
            agenda=self,
            turns=self,
            hands=self,
            window=timedelta(hours=36),
            clock=lambda: NOW,
            stop=lambda: len(self.log) >= self.stop_after,
        )

    def take(self, *, now: datetime) -> bool:
        assert now == NOW
        return not self.taken

    def end(self, said: str, *, now: datetime) -> None:
        assert now == NOW
        if self.lost:
            raise self.lost
        self.log.append(f"end: {said}")

    def sources(self) -> list[str]:
        return list(self.heard)

    def hear(self, source: str) -> Mapping[str, int]:
        self.log.append(f"hear {source}")
        if isinstance(told := self.heard[source], Exception):
            raise told
        return told

    def answer(self) -> None:
        if self.unanswered:
            raise self.unanswered

    def letters(self, *, now: datetime) -> list[str]:
        assert now == NOW
        return list(self.plans)

    def series(self) -> list[str]:
        return list(self.courses)

    def parts(self, series: str, *, now: datetime) -> list[str]:
        assert now == NOW
        found = self.courses[series]
        if isinstance(found, Exception):
            raise found
        return list(found)

    def forecast(self, letter: str, *, now: datetime) -> int:
        assert now == NOW
        return done(self.plans[letter])

    def plan(self, letter: str, *, now: datetime) -> int:
        assert now == NOW
        self.log.append(f"plan {letter}")
        course = self.courses.get(letter.partition(".")[0], {})
        return done(self.plans[letter] if letter in self.plans or isinstance(course, Exception) else course[letter])

    def send(self, issue: PlannedIssue, *, watch: Callable[[int], None]) -> None:
        self.log.append(f"send {issue.no}")
        deeds = self.sends[issue.no]
        for deed in deeds if isinstance(deeds, tuple) else (deeds,):
            watch(done(deed))

    def reconcile(self, issue: PlannedIssue) -> int:
        return done(self.doubts[issue.no])

    def in_doubt(self, issue: PlannedIssue) -> int:
        return issue.no

    def due(self, *, now: datetime, not_before: datetime) -> list[PlannedIssue]:
        assert now - not_before == timedelta(hours=36)
        return [issue(number) for number in self.sends]

    def doubtful(self, *, since: datetime) -> list[PlannedIssue]:
        assert since < NOW
        return [issue(number) for number in self.doubts]

    def waiting(self, *, now: datetime, not_before: datetime) -> Mapping[str, int]:
        assert now - not_before == timedelta(hours=36)
        return {"letter-1": 7}

    def held(self, *, not_before: datetime, since: datetime) -> Mapping[str, int]:
        assert since < not_before < NOW
        return self.still_held

    def next_due(self, *, now: datetime) -> datetime | None:
        return now + timedelta(hours=1)


def test_it_plans_sends_and_settles_and_says_so() -> None:
    world = World(plans={"a": 5, "b": 0}, sends={1: 4, 2: 0}, doubts={3: 2}, still_held={"old": 1})
    did = world.ticker().tick()
    assert did == Did(
        planned={"a": 5},
        sent={"letter-1": 4},
        settled={"letter-3": 2},
        in_doubt={"letter-3": 3},
        held={"old": 1},
        next_due_at=NOW + timedelta(hours=1),
    )
    assert world.log[-1] == "end: 5 planned, 4 sent, 2 settled, 3 in doubt, 1 held"
    assert not did.idle


def test_who_left_is_heard_before_anything_is_planned() -> None:
    world = World(plans={"a": 5}, sends={1: 4}, heard={"sync": {"left": 2}, "inbox": {"left": 1, "bounced": 1}})
    did = world.ticker().tick()
    assert world.log == ["hear sync", "hear inbox", "plan a", "send 1", "end: 3 left, 1 bounced, 5 planned, 4 sent"]
    assert did.heard == {"left": 3, "bounced": 1}
    assert not Did(heard={"left": 1}).idle


def test_news_that_cannot_be_heard_is_told_and_keeps_no_letter_back() -> None:
    world = World(
        plans={"a": 5},
        sends={1: 4},
        heard={"sync": ProviderBusy("it does not answer", hint="try again later"), "inbox": {"left": 1}},
    )
    did = world.ticker().tick()
    assert (did.planned, did.sent) == ({"a": 5}, {"letter-1": 4})
    assert did.problems == ("sync: it does not answer (try again later)",)


def test_asked_to_stop_it_does_not_begin_to_listen() -> None:
    world = World(heard={"sync": {"left": 1}}, stop_after=0)
    assert world.ticker().tick().heard == {}


def test_while_another_is_at_it_nothing_is_done() -> None:
    world = World(plans={"a": 5}, sends={1: 4}, taken=True)
    did = world.ticker().tick()
    assert did == Did(elsewhere=True)
    assert in_words(did) == "another tick is at work"
    assert world.log == []


def test_a_letter_that_cannot_be_planned_or_sent_keeps_no_other() -> None:
    world = World(
        plans={"a": NotApproved("nobody has approved it", at="issues/a.md", hint="approve a"), "b": 2},
        sends={1: LetterHalted("too many were refused", at="letter-1"), 2: 3},
    )
    did = world.ticker().tick()
    assert did.planned == {"b": 2}
    assert did.sent == {"letter-2": 3}
    assert did.problems == ("issues/a.md: nobody has approved it (approve a)", "letter-1: too many were refused")
    assert did.exit_code == 3
    assert in_words(did) == "2 planned, 3 sent, 2 problems"


def test_a_broken_series_keeps_no_other_and_no_letter() -> None:
    broken = NewsletterError("two parts are called 'a'", at="issues/series/broken")
    world = World(plans={"letter": 1}, courses={"broken": broken, "whole": {"whole.a": broken, "whole.b": 2}})
    did = world.ticker().tick()
    assert did.planned == {"letter": 1, "whole.b": 2}
    assert did.problems == (
        "issues/series/broken: two parts are called 'a'",
        "whole.a: issues/series/broken: two parts are called 'a'",
    )


def test_our_own_mistakes_with_one_letter_keep_no_other_and_quote_nobody() -> None:
    bugs = {
        "plans": {"broken": KeyError("reader1@example.org"), "b": 2},
        "sends": {1: ValueError("reader1@example.org"), 2: 3},
        "doubts": {3: TypeError("reader1@example.org"), 4: 1},
    }
    did = World(**bugs).ticker().tick()  # type: ignore[arg-type]
    assert (did.planned, did.sent, did.settled) == ({"b": 2}, {"letter-2": 3}, {"letter-4": 1})
    assert [each.partition(" in ")[0] for each in did.problems] == [
        "broken: a bug: KeyError",
        "letter-1: a bug: ValueError",
        "letter-3: a bug: TypeError",
    ]
    assert all(" in test_tick.py:" in each for each in did.problems)
    assert did.exit_code == 70


def test_what_was_sent_before_something_went_wrong_is_counted() -> None:
    did = World(sends={1: (50, 20, ProviderBusy("come back later"))}).ticker().tick()
    assert did.sent == {"letter-1": 70}
    assert did.problems == ("letter-1: come back later",)


def test_what_goes_wrong_first_is_what_is_told() -> None:
    world = World(sends={1: LeaseLost("another sender has it")}, lost=StoreError("another tick took over"))
    with pytest.raises(LeaseLost):
        world.ticker().tick()


def test_visitors_who_cannot_be_answered_keep_no_letter() -> None:
    did = World(plans={"a": 3}, unanswered=ProviderBusy("the provider is full")).ticker().tick()
    assert did.planned == {"a": 3}
    assert did.problems == ("mails: the provider is full",)
    assert did.exit_code == ProviderBusy.exit_code


def test_a_turn_that_was_lost_is_told_beside_what_was_done() -> None:
    did = World(sends={1: 4}, lost=StoreError("another tick took over", hint="wait")).ticker().tick()
    assert did.sent == {"letter-1": 4}
    assert did.problems == ("another tick took over (wait)",)
    assert did.exit_code == 1


def test_a_provider_that_takes_nothing_is_asked_once() -> None:
    world = World(sends={1: ProviderBusy("come back later"), 2: 3}, doubts={5: 1})
    did = world.ticker().tick()
    assert [each for each in world.log if each.startswith("send")] == ["send 1"]
    assert did.problems == ("letter-1: come back later",)
    assert did.exit_code == 5
    assert did.settled == {"letter-5": 1}


def test_asked_to_stop_it_begins_nothing_more() -> None:
    world = World(sends={1: 1, 2: 1, 3: 1}, doubts={4: 1}, stop_after=2)
    did = world.ticker().tick()
    assert did.sent == {"letter-1": 1, "letter-2": 1}
    assert did.settled == {}
    assert did.stopped


def test_asked_to_stop_it_plans_nothing_more() -> None:
    world = World(plans={"a": 1, "b": 1}, courses={"c": {"c.d": 1}}, sends={1: 1}, stop_after=1)
    did = world.ticker().tick()
    assert (did.planned, did.sent) == ({"a": 1}, {})


def test_a_tick_that_was_overtaken_says_what_it_did_and_fails() -> None:
    world = World(plans={"a": 5}, sends={1: LeaseLost("another sender has it")})
    with pytest.raises(LeaseLost):
        world.ticker().tick()
    assert world.log[-1] == "end: 5 planned"


@pytest.mark.parametrize("made", [Did, lambda: World().ticker().tick()])
def test_nothing_to_do_is_nothing_to_tell(made: Callable[[], Did]) -> None:
    assert made().idle
    assert in_words(made()) == "nothing was due"


def test_a_rehearsal_counts_and_does_nothing() -> None:
    world = World(
        plans={"a": 5, "b": NotApproved("nobody approved it", at="b")}, courses={"c": {"c.d": 1}}, sends={1: 4}
    )
    did = world.ticker().rehearse()
    assert did.planned == {"a": 5}
    assert did.sent == {"letter-1": 7}
    assert did.problems == ("b: nobody approved it",)
    assert world.log == []
