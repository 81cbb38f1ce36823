"""Proof: the very message, to one person, marked as a proof; the ledger knows nothing of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Receipt
from newsletter.errors import ProviderRefused
from newsletter.pieces import Pieces
from newsletter.usecases.fill import Filler
from newsletter.usecases.ports import Provider

MARK = b"[Proof] "


def send_proof(
    filler: Filler, person: Subscriber, *, provider: Provider, ref: str, now: datetime
) -> tuple[Receipt, str]:
    """What the provider said, and the subject that it was sent with.

    *ref* makes the Message-ID, so it is another one for every proof.
    """
    letter = replace(filler.letter, subject=Pieces((MARK, *filler.letter.subject.parts)))
    row = Row(
        seq=1,
        ref=ref,
        address=person.address,
        name=person.name,
        variant=filler.variant(person, now=now),
        values=filler.values(person, at=now),
    )
    # To the end: a provider that takes nothing says so after the receipts, and why.
    receipts = [each for each in provider.send(Batch(letter=letter, claimed_at=now, rows=(row,))) if each is not None]
    if receipts:
        return receipts[0], letter.subject.fill(row.values).decode()
    raise ProviderRefused(f"{provider.name} did not say what became of the proof", hint="send another one")
