"""Batches for providers: a letter with a hole of every kind, and readers who make trouble."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.plan import Claim, Claimed, PlannedIssue
from newsletter.usecases.build import finished
from newsletter.usecases.fill import Filler, filler
from tests.unit.letters import HEAD, ISSUE_ID, built

AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
LETTER = """\
::: text
Dear {{ first_name | default('friend') }} of {{ city | default('nowhere') }},
your pages are [here]({{ preferences_url }}).
:::
"""
NAMES = (
    "Ada",
    "",
    "<b>Bold</b> & 'Quote' \"Double\"",
    "{{h0}}",
    "%recipient.h0%",
    "Zoë 🌿 Ünïcode",
    "שלום עולם",
    "one\r\nBcc: two@example.org\nthree",
    "back\\slash, comma; semi",
)


@cache
def letter_filler(subject: str = "Hello {{ first_name | default('friend') }}", letter: str = LETTER) -> Filler:
    """A compiled letter, ready to be filled."""
    edition, cut = finished(
        built(letter, head=HEAD.replace("subject: One small thing for Monday", f"subject: {json.dumps(subject)}"))
    )
    return filler(
        edition,
        lambda person, _at: {
            "unsubscribe_url": f"https://letters.example.org/leave/t{person.id}",
            "preferences_url": f"https://letters.example.org/preferences/p{person.id}",
        },
        cut=cut,
    )


ISSUE = PlannedIssue(
    no=1, issue_id=ISSUE_ID, revision=1, edition_hash="e" * 64, secret=bytes(32), planned_at=AT, candidates=9
)


def reader(number: int, *, name: str = "Ada", address: str = "") -> Claimed:
    """One reader."""
    person = Subscriber(
        id=number,
        address=address or f"reader{number}@example.org",
        name=name,
        first_name=name,
        attributes={"city": f"City {number} <&>"},
    )
    return Claimed(seq=number, person=person)


def batch_of(*readers: Claimed, at: datetime = AT, with_filler: Filler | None = None) -> Batch:
    """A batch for these readers."""
    claim = Claim(
        issue_no=1,
        batch_no=1,
        worker="me",
        claimed_at=at,
        due_at=at,
        revision=1,
        edition_hash="e" * 64,
        sealed=None,
        deliveries=readers,
    )
    batch, held = (with_filler or letter_filler()).batch(ISSUE, claim)
    assert not held
    return batch


def crowd(count: int) -> Batch:
    """So many ordinary readers."""
    return batch_of(*(reader(number) for number in range(1, count + 1)))
