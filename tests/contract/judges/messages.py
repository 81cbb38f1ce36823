"""Whole messages for those who judge mail: every sample letter, to ordinary readers and to people who make trouble."""

from __future__ import annotations

import email.policy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cache

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.plan import Claimed
from newsletter.usecases.fill import Filler, filler
from tests.acceptance.people import TRICKS, Person, mailable, spoiled, troublemakers
from tests.contract.providers.letters import batch_of
from tests.samples import SAMPLES, Sample, edition_of

ORDINARY = Person(address="zoe@example.org", name="Zoë Example", first_name="Zoë", attributes={"city": "Berlin"})
NAMELESS = Person(address="nobody.in.particular@example.org")
HOSTILE = tuple(spoiled(person) for person in mailable(troublemakers()).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message, who it is for, and the two texts it was made of."""

    sample: Sample
    person: Person
    raw: bytes
    text: str
    html: str

    def __str__(self) -> str:
        return f"{self.sample.name} to {self.person.address}"


@cache
def _filler(sample: Sample) -> Filler:
    return filler(edition_of(sample), _links)


def _links(person: Subscriber, _at: datetime) -> Mapping[str, str]:
    site, token = "https://letters.example.org", f"{person.id:022}"
    return {"unsubscribe_url": f"{site}/leave/{token}", "preferences_url": f"{site}/preferences/{token}"}


def sent(sample: Sample, person: Person = ORDINARY) -> Sent:
    """A letter to somebody, as it would leave this minute: who judges mail looks at the clock."""
    # The database may hold what no list, form or import lets through; so the tricks go in as they are.
    trick = TRICKS.get(person.address.partition("@")[0].removeprefix("trick."))
    name, first_name, city = (
        (person.name, person.first_name, person.attributes.get("city", "")) if trick is None else (trick,) * 3
    )
    subscriber = Subscriber(
        id=1, address=person.address, name=name, first_name=first_name, attributes={"city": city} if city else {}
    )
    now = datetime.now(UTC).replace(microsecond=0)
    batch = batch_of(Claimed(seq=1, person=subscriber), at=now, with_filler=_filler(sample))
    (row,) = batch.rows
    body = batch.letter.bodies[row.variant]
    return Sent(
        sample=sample,
        person=person,
        raw=batch.message(row),
        text=body.text.fill(row.values).decode(),
        html=body.html.fill(row.values).decode(),
    )


@cache
def one_of_each() -> tuple[Sent, ...]:
    """Every sample letter to an ordinary reader."""
    return tuple(sent(sample) for sample in SAMPLES)


def with_parts(message: Sent, *, text: str | None = "", html: str = "", subject: str = "") -> bytes:
    """The message with another part or subject where one is given; without a text where that is None."""
    old = BytesParser(policy=email.policy.default).parsebytes(message.raw)
    new = EmailMessage()
    for name, value in old.items():
        if name.lower() not in ("content-type", "mime-version", "subject", "list-unsubscribe"):
            new[name] = str(value)
    new["Subject"] = subject or str(old["Subject"])
    if text is None:
        new.set_content(html or message.html, subtype="html")
    else:
        new.set_content(text or message.text)
        new.add_alternative(html or message.html, subtype="html")
    return new.as_bytes(policy=email.policy.SMTP)
