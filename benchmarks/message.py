"""The whole message, headers and both parts, against the standard library's; and what ten times the size costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from benchmarks.letters import SETTING, compiled
from benchmarks.measure import Row, Target, compare, each
from benchmarks.people import readers
from newsletter.audience.links import Signer
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.plan import Claim, Claimed, PlannedIssue
from newsletter.rendering.edition import Edition
from newsletter.usecases.fill import filler

MANY, FEW = 1000, 20
AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
SIGNER = Signer([b"a key that is only good for measuring"])


def links_of(person: Subscriber, _at: datetime) -> dict[str, str]:
    """The personal addresses of somebody, made as the newsletter makes them."""
    return {
        "unsubscribe_url": f"{SETTING.site_url}/leave/{person.leave_token}",
        "preferences_url": f"{SETTING.site_url}/preferences/{SIGNER.sign('preferences', person.id)}",
    }


def rows() -> Iterator[Row]:
    """The table's lines."""
    batch = letter_batch(compiled(45).edition, MANY)
    theirs = [_theirs(batch, number) for number in range(FEW)]
    for number, build in enumerate(theirs):
        _compare(batch.message(batch.rows[number]), build())
    size = len(batch.message(batch.rows[0])) / 1000
    yield compare(
        f"a message of {size:.0f} KB, filled, with its headers",
        ours=each(_messages(batch), MANY),
        ceiling=each(_all(theirs), FEW),
        called="EmailMessage.as_bytes of the same, filled before",
        target=Target(least=150),
    )
    larger = letter_batch(compiled(450).edition, MANY)
    size = len(larger.message(larger.rows[0])) / 1000
    yield compare(
        f"a message of {size:.0f} KB",
        ours=each(_messages(larger), MANY),
        ceiling=each(_messages(batch), MANY),
        called="the message above",
        target=Target(most=3),
    )


def letter_batch(edition: Edition, count: int) -> Batch:
    """The letter for so many readers, claimed at once."""
    people = [Claimed(seq=number, person=person) for number, person in enumerate(readers(count), start=1)]
    claim = Claim(
        issue_no=1,
        batch_no=1,
        worker="",
        claimed_at=AT,
        due_at=AT,
        revision=1,
        edition_hash=edition.hash,
        sealed=None,
        deliveries=tuple(people),
    )
    issue = PlannedIssue(
        no=1,
        issue_id=edition.issue_id,
        revision=1,
        edition_hash=edition.hash,
        secret=bytes(32),
        planned_at=AT,
        candidates=count,
    )
    batch, held = filler(edition, links_of).batch(issue, claim)
    assert not held
    return batch


def _messages(batch: Batch) -> Callable[[], None]:
    def work() -> None:
        for row in batch.rows:
            batch.message(row)

    return work


def _theirs(batch: Batch, number: int) -> Callable[[], bytes]:
    """A function that makes the message of a row as the documentation of `email` shows it, its texts filled already."""
    row, letter = batch.rows[number], batch.letter
    body, identity = letter.bodies[row.variant], SETTING.identity
    text, html = body.text.fill(row.values).decode(), body.html.fill(row.values).decode()
    subject = letter.subject.fill(row.values).decode()
    leave = f"<{row.values['unsubscribe_url']}>, <mailto:{identity.leave_mailto}?subject=leave>"

    def build() -> bytes:
        message = EmailMessage(policy=SMTP)
        message["Date"] = batch.date
        message["From"] = Address(identity.name, addr_spec=identity.address)
        message["Reply-To"] = identity.reply_to
        message["List-Id"] = f"{identity.newsletter} <{identity.list_id}>"
        message["List-Unsubscribe"] = leave
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["To"] = Address(row.name, addr_spec=row.address)
        message["Subject"] = subject
        message["Message-ID"] = f"<{row.ref}@{letter.domain}>"
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message.as_bytes(policy=SMTP)

    return build


def _compare(ours: bytes, theirs: bytes) -> None:
    """Stop if the two do not mean the same to a reader of mail."""
    mine, their = (message_from_bytes(raw, policy=SMTP) for raw in (ours, theirs))
    assert isinstance(mine, EmailMessage)
    assert isinstance(their, EmailMessage)
    skip = {"content-type", "mime-version"}
    headers = [{name.lower(): str(value) for name, value in message.items()} for message in (mine, their)]
    for name in (headers[0].keys() | headers[1].keys()) - skip:
        assert headers[0][name] == headers[1][name], f"{name}: {headers[0][name]!r} and {headers[1][name]!r}"
    for subtype in ("plain", "html"):
        parts = [message.get_body((subtype,)) for message in (mine, their)]
        contents = [part.get_content() for part in parts if part is not None]
        assert len(contents) == 2
        assert contents[0].rstrip("\r\n") == contents[1].rstrip("\r\n"), f"the {subtype} parts differ"


def _all(builds: Sequence[Callable[[], bytes]]) -> Callable[[], None]:
    def work() -> None:
        for build in builds:
            build()

    return work
