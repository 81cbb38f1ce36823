"""Links that belong to one person and one purpose: opaque, signed, without a table to look them up in.

A synthetic-IV construction (compare RFC 5297): the tag authenticates purpose, person and expiry, and also
masks the latter two, so a link tells nobody how long the list is. Leaving needs none of this: a random
token is kept for each person, valid for ever.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest

from newsletter.errors import LinkExpired, LinkInvalid

# 7 bytes for the subscriber and 5 for the expiry: seconds of the epoch, or 0 for never.
_PAYLOAD_BYTES, _EXPIRY_BITS = 12, 40
_TAG_BYTES = 12
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_SHORTEST_KEY_BYTES = 16


class Signer:
    """Makes and reads links. The first key signs, all are accepted: a new one is put in front."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or min(map(len, keys)) < _SHORTEST_KEY_BYTES:
            raise ValueError(f"links need at least one key, each of {_SHORTEST_KEY_BYTES} bytes or more")
        self._keys = tuple(blake2b(key, digest_size=32, person=b"newsletter links").digest() for key in keys)

    def sign(self, purpose: str, subscriber_id: int, *, expires_at: datetime | None = None) -> str:
        """A token of 32 URL-safe characters; the same for the same person, purpose and expiry."""
        expiry = 0 if expires_at is None else max(1, int(expires_at.timestamp()))
        payload = (subscriber_id << _EXPIRY_BITS | expiry).to_bytes(_PAYLOAD_BYTES)
        tag, mask = _seal(self._keys[0], purpose, payload)
        return urlsafe_b64encode(tag + _xor(payload, mask)).decode()

    def read(self, purpose: str, token: str, *, now: datetime) -> int:
        """The subscriber that *token* stands for. Raises LinkInvalid, or LinkExpired from *expires_at* on."""
        if not _TOKEN.fullmatch(token):
            raise _invalid()
        raw = urlsafe_b64decode(token)
        tag, masked = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        for key in self._keys:
            payload = _xor(masked, _mask(key, tag))
            if compare_digest(_seal(key, purpose, payload)[0], tag):
                subscriber_id, expiry = divmod(int.from_bytes(payload), 1 << _EXPIRY_BITS)
                if expiry and now.timestamp() >= expiry:
                    raise LinkExpired("this link is too old", hint="ask for a new one")
                return subscriber_id
        raise _invalid()


def _seal(key: bytes, purpose: str, payload: bytes) -> tuple[bytes, bytes]:
    """The tag of *payload* for *purpose*, and the mask that hides it."""
    state = _keyed(key, purpose).copy()
    state.update(payload)
    tag = state.digest()
    return tag, _mask(key, tag)


@lru_cache(maxsize=64)
def _keyed(key: bytes, purpose: str) -> blake2b:
    # A length in front, so that no purpose and payload can be read as another purpose and payload.
    words = purpose.encode()
    return blake2b(len(words).to_bytes(4) + words, key=key, digest_size=_TAG_BYTES, person=b"tag")


def _mask(key: bytes, tag: bytes) -> bytes:
    return blake2b(tag, key=key, digest_size=_PAYLOAD_BYTES, person=b"mask").digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(_PAYLOAD_BYTES)


def _invalid() -> LinkInvalid:
    return LinkInvalid("this link is not one of ours", hint="was it cut off when it was copied?")
