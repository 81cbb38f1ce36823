"""Fill: the row of values that makes an edition one reader's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from newsletter.audience.predicate import Predicate, holds
from newsletter.audience.segments import from_data
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch, Body, Letter, Row, delivery_ref
from newsletter.delivery.plan import Claim, PlannedIssue
from newsletter.rendering.edition import Edition
from newsletter.rendering.expressions import evaluator
from newsletter.rendering.message import Cut, cut_edition

LinksOf = Callable[[Subscriber], Mapping[str, str]]


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

    def values(self, person: Subscriber) -> dict[str, str]:
        """The value of every hole for *person*."""
        links = self._links_of(person)
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

    def batch(self, issue: PlannedIssue, claim: Claim) -> Batch:
        """The deliveries of *claim*, filled."""
        rows = tuple(
            Row(
                seq=claimed.seq,
                ref=delivery_ref(issue.no, claimed.seq, secret=issue.secret),
                address=claimed.person.address,
                name=claimed.person.name,
                variant=self.variant(claimed.person, now=claim.claimed_at),
                values=self.values(claimed.person),
            )
            for claimed in claim.deliveries
        )
        return Batch(letter=self.letter, claimed_at=claim.claimed_at, rows=rows)


def filler(edition: Edition, links_of: LinksOf, *, cut: Cut | None = None) -> Filler:
    """A Filler for *edition*; *links_of* makes a reader's personal addresses."""
    cut = cut or cut_edition(edition)
    letter = Letter(
        issue_id=edition.issue_id,
        domain=edition.identity.domain,
        subject=cut.subject,
        headers=cut.headers,
        bodies=tuple(Body(html=each.html, text=each.text, mime=each.mime) for each in cut.variants),
    )
    conditions = tuple(from_data(condition.rule) for condition in edition.conditions)
    return Filler(letter, evaluator(cut.expressions), conditions, edition.constants, links_of)
