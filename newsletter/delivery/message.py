"""What is handed to a provider: one letter in pieces, and a row of values for each recipient."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cached_property, lru_cache
from hashlib import blake2b
from hmac import compare_digest

from newsletter.pieces import DATE, MESSAGE_ID, SUBJECT, TO, Pieces, address_header


@dataclass(frozen=True, kw_only=True)
class Body:
    """One variant of a letter: its parts for providers that build the message, and the whole MIME message."""

    html: Pieces
    text: Pieces
    mime: Pieces


@dataclass(frozen=True, kw_only=True)
class Letter:
    """Everything the recipients of a batch have in common. `headers` are those beside To, Subject and Date.

    Their first is From, and Reply-To follows if there is one; providers that want these as data take
    `sender` and `reply_to`, and `own_headers` for the rest.
    """

    issue_id: str
    edition_hash: str
    domain: str  # that Message-IDs are made under
    sender: tuple[str, str]  # name, address
    reply_to: str
    subject: Pieces
    headers: tuple[tuple[str, Pieces], ...]
    bodies: tuple[Body, ...]
    leave_by_provider: bool = False  # which then writes how, into the headers and where the letter shows it

    @cached_property
    def own_headers(self) -> tuple[tuple[str, Pieces], ...]:
        """The headers that no provider writes: List-Id and how to leave."""
        return tuple((name, pieces) for name, pieces in self.headers if name not in ("From", "Reply-To"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recipient of a batch: `ref` names the delivery to the outside, `variant` is an index of `bodies`."""

    seq: int
    ref: str
    address: str
    name: str
    variant: int
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one call hands over. The same claim makes the same bytes, however often it is resumed."""

    letter: Letter
    claimed_at: datetime
    rows: tuple[Row, ...]

    @cached_property
    def date(self) -> str:
        """The Date header of all its messages: the instant of the claim."""
        return format_datetime(self.claimed_at)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that stand for all it hands over: equal for the same rows of the same letter, and only then."""
        whole = blake2b(digest_size=32, person=b"batch")
        for part in (self.letter.edition_hash, self.date, *(each for row in self.rows for each in _said(row))):
            whole.update(f"{len(part)}:{part}".encode())
        return whole.digest()

    @property
    def key(self) -> str:
        """An idempotency key, made of its content: 64 characters."""
        return self.digest.hex()

    def message(self, row: Row) -> bytes:
        """The whole message for *row*, ready for SMTP: CRLF line ends, no line over 998 octets."""
        values = {
            **row.values,
            TO: address_header(row.name, row.address),
            SUBJECT: self.letter.subject.fill(row.values).decode(),
            DATE: self.date,
            MESSAGE_ID: f"{row.ref}@{self.letter.domain}",
        }
        return self.letter.bodies[row.variant].mime.fill(values)


def _said(row: Row) -> tuple[str, ...]:
    return row.ref, row.address, row.name, str(row.variant), values_digest(row.values).hex()


def delivery_ref(issue_no: int, seq: int, *, secret: bytes) -> str:
    """The name by which the outside world knows a delivery: opaque, the same for ever, hard to forge.

    A synthetic-IV construction (compare RFC 5297): the tag authenticates (issue, seq) and also masks the
    seq, so a reference tells nobody how long the list is, and no table of references is needed. Lower
    case base32, because it stands in file names, Message-IDs and the local parts of addresses.
    """
    tags, masks = _keyed(secret)
    sealer = tags.copy()
    sealer.update(struct.pack(">QQ", issue_no, seq))
    tag = sealer.digest()
    masked = seq ^ _mask(masks, tag)
    return f"{issue_no}-{base64.b32encode(tag + masked.to_bytes(8)).decode().lower()}"


def read_delivery_ref(ref: str, *, secret: bytes) -> int | None:
    """The seq that *ref* stands for, or None if this plan never made such a reference."""
    found = _REF.fullmatch(ref)
    if found is None:
        return None
    raw = base64.b32decode(found[2].upper())
    seq = int.from_bytes(raw[12:]) ^ _mask(_keyed(secret)[1], raw[:12])
    return seq if compare_digest(delivery_ref(int(found[1]), seq, secret=secret), ref) else None


_REF = re.compile(r"([1-9][0-9]{0,18})-([a-z2-7]{32})")


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> tuple[blake2b, blake2b]:
    """What makes the tags and the masks of a plan; keying a hash costs as much as using it, so it is done once."""
    return blake2b(key=secret, digest_size=12, person=b"delivery"), blake2b(key=secret, digest_size=8)


def _mask(masks: blake2b, tag: bytes) -> int:
    masker = masks.copy()
    masker.update(tag)
    return int.from_bytes(masker.digest())


def values_digest(values: Mapping[str, str]) -> bytes:
    """16 bytes that tell whether a delivery would be filled with the same values again."""
    # Each text with its length in front, so that no two rows of values make the same bytes.
    parts = [f"{len(name)}:{name}{len(values[name])}:{values[name]}" for name in sorted(values)]
    return blake2b("".join(parts).encode(), digest_size=16, person=b"hole values").digest()
