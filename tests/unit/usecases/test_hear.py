"""Hearing: whom news is about, what it does to their delivery, and which refusals are news at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from newsletter.delivery.message import delivery_ref
from newsletter.delivery.news import Heard, Kind, News, Told
from newsletter.delivery.outcome import MOVES, Event, Status
from newsletter.delivery.report import Refusal
from newsletter.usecases.hear import Listener
from tests.conftest import NOW
from tests.unit.usecases.test_send import ISSUE

OURS = delivery_ref(1, 7, secret=ISSUE.secret)
FORGED = delivery_ref(1, 7, secret=b"x" * 32)
OTHER = delivery_ref(9, 7, secret=ISSUE.secret)
STRANGE = (FORGED, OTHER, "", "x", "1-", "9" * 40 + "-a")


@dataclass(slots=True)
class World:
    """One person with one delivery; what they hear they keep."""

    status: Status = Status.ACCEPTED
    refused: list[Refusal] = field(default_factory=list)
    got_it: int = 100
    looked_up: int = 0
    taken: list[tuple[int, News, int | None]] = field(default_factory=list)

    def of_delivery(self, issue_no: int, seq: int) -> int | None:
        return 70 if (issue_no, seq) == (1, 7) else None

    def of_token(self, token: str) -> int | None:
        return 70 if token == "t" * 22 else None

    def of_addresses(self, addresses: Collection[str]) -> dict[str, int]:
        self.looked_up += 1
        return {address: 70 for address in addresses if address == "ana@example.org"}

    def refusals(self, issue_no: int) -> list[Refusal]:
        return self.refused if issue_no == 1 else []

    def arrived(self, issue_no: int) -> int:
        return self.got_it

    def take(self, told: Sequence[Told]) -> list[Kind | None]:
        return [self._take(each) for each in told]

    def _take(self, told: Told) -> Kind | None:
        known = any(each.kind is told.news.kind for _, each, _ in self.taken)
        self.taken.append((told.subscriber_id, told.news, told.issue_no))
        return None if known else told.news.kind

    def settle_event(
        self, issue_no: int, seq: int, status: Status, *, provider_id: str, reason: str, now: datetime
    ) -> bool:
        assert (issue_no, seq) == (1, 7)
        if status not in MOVES.get(self.status, ()):
            return False
        self.status = status
        return True

    @property
    def listener(self) -> Listener:
        return Listener(
            people=self,
            ledger=self,
            issues=lambda no: replace(ISSUE, no=no) if no == 1 else None,
            clock=lambda: NOW,
        )


def news(kind: Kind = Kind.HARD, **of: str) -> News:
    return News(kind=kind, at=NOW - timedelta(hours=1), how="sync", reason="5.1.1 no such address", **of)


@pytest.mark.parametrize(
    ("kind", "becomes", "counted"),
    [
        (Kind.HARD, Status.BOUNCED, Heard(bounced=1)),
        (Kind.SOFT, Status.BOUNCED, Heard(soft=1)),
        (Kind.COMPLAINED, Status.COMPLAINED, Heard(complained=1)),
        (Kind.LEFT, Status.ACCEPTED, Heard(left=1)),
    ],
)
def test_news_of_a_delivery_moves_it_and_reaches_the_person(kind: Kind, becomes: Status, counted: Heard) -> None:
    world = World()
    assert world.listener.hear([news(kind, ref=OURS)]) == counted
    assert world.status is becomes
    assert world.taken == [(70, news(kind, ref=OURS), 1)]
    assert world.listener.hear([news(kind, ref=OURS)]) == Heard(known=1)
    assert world.status is becomes


def test_what_came_back_had_been_accepted_even_if_nobody_told_us() -> None:
    world = World(status=Status.UNKNOWN)
    world.listener.hear([news(Kind.SOFT, ref=OURS)])
    assert world.status is Status.BOUNCED


def test_addresses_are_looked_up_together() -> None:
    world = World()
    world.listener.hear(news(address=f"reader{n}@example.org") for n in range(1000))
    assert world.looked_up == 1


def test_people_are_known_by_one_of_three_names_and_by_nothing_else() -> None:
    world = World()
    assert world.listener.hear([news(token="t" * 22), news(address="ana@example.org")]) == Heard(bounced=1, known=1)
    assert [(who, issue) for who, _, issue in world.taken] == [(70, None)] * 2
    strangers = [news(ref=ref) for ref in STRANGE] + [news(token="u" * 22), news(address="bob@example.org")]
    assert world.listener.hear(strangers) == Heard(unknown=len(strangers))
    assert len(world.taken) == 2
    assert world.status is Status.ACCEPTED


def test_news_of_tomorrow_is_of_now() -> None:
    """It would be newer than everything that they ask until then."""
    world = World()
    world.listener.hear([replace(news(ref=OURS), at=NOW + timedelta(days=400))])
    assert [each.at for _, each, _ in world.taken] == [NOW]


def test_events_move_our_deliveries_and_nobody_elses() -> None:
    world = World(status=Status.UNKNOWN)
    moved, heard = world.listener.take_in(
        [
            *(Event(ref=ref, status=Status.BOUNCED) for ref in STRANGE),
            Event(ref=OURS, status=Status.DELIVERED),  # so it had been accepted
            Event(ref=OURS, status=Status.ACCEPTED),  # it may not go there any more
            Event(ref=OURS, status=Status.BOUNCED),
        ]
    )
    assert moved == {Status.DELIVERED: 1, Status.BOUNCED: 1}
    assert heard == Heard(bounced=1)
    assert [(who, each.kind) for who, each, _ in world.taken] == [(70, Kind.HARD)]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Event(ref=OURS, status=Status.BOUNCED, reason="no"), Kind.HARD),
        (Event(ref=OURS, status=Status.BOUNCED, reason="full", kind=Kind.SOFT), Kind.SOFT),
        (Event(ref=OURS, status=Status.BOUNCED, kind=Kind.LEFT), Kind.LEFT),
        (Event(ref=OURS, status=Status.COMPLAINED), Kind.COMPLAINED),
        (Event(ref=OURS, status=Status.REFUSED, reason="550 5.1.1 unknown"), Kind.HARD),
        (Event(ref=OURS, status=Status.REFUSED, reason="bad content"), None),
        (Event(ref=OURS, status=Status.DELIVERED), None),
    ],
)
def test_an_event_says_something_of_the_person_or_not(event: Event, kind: Kind | None) -> None:
    world = World()
    world.listener.take_in([event])
    assert [each.kind for _, each, _ in world.taken] == ([kind] if kind else [])
    assert all(issue == 1 for *_, issue in world.taken)


def test_an_event_is_as_old_as_it_says() -> None:
    world = World()
    long_ago = NOW - timedelta(days=9)
    world.listener.take_in(
        [Event(ref=OURS, status=Status.BOUNCED, at=long_ago), Event(ref=OURS, status=Status.BOUNCED)]
    )
    assert [each.at for _, each, _ in world.taken] == [long_ago, NOW]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("550 5.1.1 <…> unknown", Kind.HARD),
        ("550 5.1.2 no such host", Kind.HARD),
        ("553 5.1.3 what is this", Kind.HARD),
        ("550 5.1.6 moved away", Kind.HARD),
        ("556 5.1.10 it takes no mail", Kind.HARD),
        ("550 User unknown in virtual table", Kind.HARD),
        ("550 5.0.0 No such user here", Kind.HARD),
        ("552 5.2.2 over quota", Kind.SOFT),
        ("554 5.7.1 rejected as spam", Kind.SOFT),
        ("550 5.7.1 user unknown to our policy", Kind.SOFT),  # in doubt for the reader
        ("554 5.6.0 the letter's form", Kind.SOFT),
        ("550 no", Kind.SOFT),
        ("554 Transaction failed", Kind.SOFT),
        # Neither their server nor a word about their address: nothing is to be learned of the person.
        ("longer than the 10,240 octets the server takes", None),
        ("the address has letters before the @ that this provider cannot write to", None),
        ("Ada Example: it is in the provider's log", None),
        ("", None),
    ],
)
def test_a_refusal_is_news_where_their_server_or_its_words_say_so(said: str, kind: Kind | None) -> None:
    world = World(refused=[Refusal(subscriber_id=70, at=NOW - timedelta(minutes=1), reason=said)])
    heard = world.listener.hear_refusals(1)
    assert [(each.kind, each.at) for _, each, _ in world.taken] == (
        [(kind, NOW - timedelta(minutes=1))] if kind else []
    )
    assert (heard.bounced, heard.soft) == (kind is Kind.HARD, kind is Kind.SOFT)
    assert world.listener.hear_refusals(2) == Heard()


@pytest.mark.parametrize(("got_it", "believed"), [(0, 0), (1, 0), (2, 2)])
def test_where_more_are_refused_than_not_nobody_is_gone(got_it: int, believed: int) -> None:
    refusals = [Refusal(subscriber_id=who, at=NOW, reason="550 5.1.1 unknown") for who in (70, 71)]
    world = World(refused=refusals, got_it=got_it)
    world.listener.hear_refusals(1)
    assert len(world.taken) == believed
