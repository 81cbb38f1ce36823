"""Fill: the row of values that makes an edition one reader's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from newsletter.audience.predicate import Predicate, holds
from newsletter.audience.segments import from_data
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch, Body, Letter, Row, delivery_ref
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim, Claimed, PlannedIssue
from newsletter.rendering.edition import Edition
from newsletter.rendering.expressions import evaluator
from newsletter.rendering.message import Cut, cut_edition

LinksOf = Callable[[Subscriber, datetime], Mapping[str, str]]  # the instant is that of the claim


@dataclass(frozen=True, slots=True)
class Filler:
    """An edition made ready once, to be filled for one reader after another."""

    letter: Letter
    _evaluate: Callable[[Mapping[str, str]], dict[str, str]]
    _conditions: tuple[Predicate, ...]
    _constants: Mapping[str, str]
    _links_of: LinksOf

    def variant(self, person: Subscriber, *, now: datetime) -> int:
        """Which body *person* gets: the truth of every condition, read as a binary number."""
        number = 0
        for condition in self._conditions:
            number = number * 2 + holds(condition, person, now=now)
        return number

    def values(self, person: Subscriber, *, at: datetime) -> dict[str, str]:
        """The value of every hole for *person* in a batch claimed *at*."""
        links = self._links_of(person, at)
        fields = {
            **person.attributes,
            "first_name": person.first_name,
            "name": person.name,
            "language": person.language,
            **self._constants,
            **links,
        }
        # The links stand in headers too, whether or not the letter's text shows them.
        return {**self._evaluate(fields), **links}

    def batch(self, issue: PlannedIssue, claim: Claim) -> tuple[Batch, list[Receipt]]:
        """The deliveries of *claim*, filled; and HELD for each that cannot be, so that it stops nobody else."""
        rows, held = [], []
        for claimed in claim.deliveries:
            try:
                variant = self.variant(claimed.person, now=claim.claimed_at)
                rows.append(_row(issue, claimed, variant, self.values(claimed.person, at=claim.claimed_at)))
            except Exception as err:  # noqa: BLE001 - whatever it is, it is about this one reader
                reason = f"cannot be filled: {type(err).__name__}"
                held.append(Receipt(seq=claimed.seq, status=Status.HELD, reason=reason))
        return Batch(letter=self.letter, claimed_at=claim.claimed_at, rows=tuple(rows)), held

    def one(self, issue: PlannedIssue, claimed: Claimed, *, claimed_at: datetime) -> Batch:
        """One delivery, filled as in a batch claimed at that instant."""
        row = _row(
            issue, claimed, self.variant(claimed.person, now=claimed_at), self.values(claimed.person, at=claimed_at)
        )
        return Batch(letter=self.letter, claimed_at=claimed_at, rows=(row,))

    def names(self, issue: PlannedIssue, claim: Claim) -> Batch:
        """The deliveries of *claim* by their names only, for asking what became of them."""
        rows = tuple(_row(issue, claimed, 0, {}) for claimed in claim.deliveries)
        return Batch(letter=self.letter, claimed_at=claim.claimed_at, rows=rows)


def _row(issue: PlannedIssue, claimed: Claimed, variant: int, values: Mapping[str, str]) -> Row:
    return Row(
        seq=claimed.seq,
        ref=delivery_ref(issue.no, claimed.seq, secret=issue.secret),
        address=claimed.person.address,
        name=claimed.person.name,
        variant=variant,
        values=values,
    )


def filler(edition: Edition, links_of: LinksOf, *, cut: Cut | None = None) -> Filler:
    """A Filler for *edition*; *links_of* makes a reader's personal addresses."""
    cut = cut or cut_edition(edition)
    letter = Letter(
        issue_id=edition.issue_id,
        edition_hash=edition.hash,
        domain=edition.identity.domain,
        sender=(edition.identity.name, edition.identity.address),
        reply_to=edition.identity.reply_to,
        subject=cut.subject,
        headers=cut.headers,
        bodies=tuple(Body(html=each.html, text=each.text, mime=each.mime) for each in cut.variants),
        leave_by_provider=edition.identity.leave_mode == "provider",
    )
    conditions = tuple(from_data(condition.rule) for condition in edition.conditions)
    return Filler(letter, evaluator(cut.expressions), conditions, edition.constants, links_of)
