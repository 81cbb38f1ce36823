"""Reconciling: what is asked, what is changed, and what stays in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim
from newsletter.errors import ProviderBusy
from newsletter.usecases.reconcile import Reconciler, Word, resolve
from newsletter.usecases.settle import Settler
from tests.conftest import NOW
from tests.unit.usecases.test_send import FILLER, ISSUE, FakeProvider, accepted, claim, sealed_claim


@dataclass(slots=True)
class Doubts:
    """A ledger with batches in doubt that keeps what it is told."""

    claims: list[Claim]
    dead: list[Claim] = field(default_factory=list)
    recorded: list[Receipt] = field(default_factory=list)
    revised: list[Receipt] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        return self.dead.pop(0) if self.dead else None

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        return next((each for each in self.claims if each.batch_no > after), None)

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        self.revised += receipts

    def record(
        self,
        claim: Claim,
        receipts: Sequence[Receipt],
        *,
        digests: Mapping[int, bytes],
        now: datetime,
        close: bool = False,
    ) -> None:
        assert close
        self.recorded += receipts
        self.closed.append(claim.batch_no)

    def decide(self, issue_no: int, what: str, *, by: str, why: str, now: datetime) -> None:
        self.decided.append(f"{by}: {what}, {why}")


def reconciler(ledger: Doubts, provider: FakeProvider, *, asks: int = 100) -> Reconciler:
    """One that has enough after so many batches."""
    settler = Settler(
        issue=ISSUE, fillers=lambda _edition: FILLER, provider=provider, window=timedelta(hours=36), clock=lambda: NOW
    )
    asked = iter(range(1, 1000))
    return Reconciler(
        issue=ISSUE,
        ledger=ledger,  # type: ignore[arg-type]
        settler=settler,
        worker="me",
        clock=lambda: NOW,
        enough=lambda: next(asked) >= asks,
    )


def test_what_the_provider_knows_is_changed_and_nothing_else() -> None:
    ledger = Doubts([claim(1, 3), claim(4, 3, batch_no=4)])
    found = reconciler(ledger, FakeProvider(accepted)).reconcile()
    assert found == {Status.ACCEPTED: 2, Status.PLANNED: 2}
    assert [(each.seq, each.status) for each in ledger.revised] == [
        (1, Status.ACCEPTED),
        (2, Status.PLANNED),
        (4, Status.ACCEPTED),
        (5, Status.PLANNED),
    ]
    assert ledger.closed == [1, 4]


def test_batches_of_dead_senders_are_settled_too() -> None:
    ledger = Doubts([], dead=[claim(1, 3)])
    reconciler(ledger, FakeProvider(accepted)).reconcile()
    assert [each.status for each in ledger.recorded] == [Status.ACCEPTED, Status.PLANNED, Status.UNKNOWN]
    assert ledger.closed == [1]


def test_it_ends_when_it_is_enough() -> None:
    ledger = Doubts([claim(1, 1), claim(2, 1, batch_no=2), claim(3, 1, batch_no=3)])
    reconciler(ledger, FakeProvider(accepted), asks=2).reconcile()
    assert ledger.closed == [1, 2]


def test_a_call_is_repeated_where_keys_are_kept() -> None:
    provider = FakeProvider(accepted, keeps_keys=timedelta(hours=24))
    ledger = Doubts([sealed_claim()])
    assert reconciler(ledger, provider).reconcile() == {Status.ACCEPTED: 3}
    assert provider.sent == [1, 2, 3]


def test_what_a_repeated_call_does_not_answer_stays_in_doubt() -> None:
    provider = FakeProvider(
        lambda seq: Receipt(seq=seq, status=Status.UNKNOWN if seq == 2 else Status.PLANNED),
        keeps_keys=timedelta(days=1),
    )
    ledger = Doubts([sealed_claim()])
    assert reconciler(ledger, provider).reconcile() == {}
    assert ledger.revised == []


def test_a_provider_that_is_away_leaves_the_batch_as_it_was() -> None:
    def away(_seq: int) -> Receipt:
        raise ProviderBusy("not there")

    ledger = Doubts([sealed_claim()])
    with pytest.raises(ProviderBusy):
        reconciler(ledger, FakeProvider(away, keeps_keys=timedelta(hours=24))).reconcile()
    assert ledger.revised == []
    assert ledger.closed == [1]


@pytest.mark.parametrize(("seqs", "expected"), [(None, [1, 2, 3]), ({2}, [2])])
def test_a_persons_word_is_kept_with_who_and_why(seqs: set[int] | None, expected: list[int]) -> None:
    ledger = Doubts([claim(1, 3)])
    word = Word(status=Status.ACCEPTED, seqs=seqs, by="Ada Example", why="in the mail log")
    count = resolve(ISSUE, word, ledger=ledger, controls=ledger, worker="me", clock=lambda: NOW)  # type: ignore[arg-type]
    assert count == len(expected)
    assert [each.seq for each in ledger.revised] == expected
    assert {each.reason for each in ledger.revised} == {"Ada Example: in the mail log"}
    assert ledger.decided == [f"Ada Example: resolve, {len(expected)} as accepted: in the mail log"]


def test_nothing_is_written_down_where_nothing_was_settled() -> None:
    ledger = Doubts([])
    word = Word(status=Status.PLANNED, seqs=None, by="Ada Example", why="the server never saw them")
    assert resolve(ISSUE, word, ledger=ledger, controls=ledger, worker="me", clock=lambda: NOW) == 0  # type: ignore[arg-type]
    assert ledger.decided == []
