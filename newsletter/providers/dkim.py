"""DKIM signatures (RFC 6376, RFC 8463): relaxed headers, simple body, made beside the wire in threads.

Our messages end in exactly one CRLF, so the simple body is the body as it is. The headers that never change
within a batch could be hashed once, but the signature itself is three quarters of the work. The library holds
the interpreter while it signs, so threads gain only what hashing and the wire leave to each other.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from newsletter.errors import SettingsError

# What readers and mailboxes go by; List-Unsubscribe and its Post must be signed for one click to be honoured
# (RFC 8058 §4). From stands twice, so that nobody can add a second one.
SIGNED = (
    "from",
    "from",
    "reply-to",
    "to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
_WEAK_BITS = 1024


class Dkim:
    """Signs messages for a domain by the keys in a PEM text: RSA, Ed25519, or one of each."""

    def __init__(self, *, domain: str, selector: str, private_key_pem: str) -> None:
        """Read the keys. With two, the second one's selector is `<selector>-ed` or `-rsa`, after its kind."""
        self.domain = domain
        keys = _keys(private_key_pem)
        self._signers = [
            _Signer(key=key, domain=domain, selector=selector if number == 0 else f"{selector}-{_suffix(key)}")
            for number, key in enumerate(keys)
        ]

    @property
    def kinds(self) -> str:
        """Which algorithms it signs by, in words."""
        return " and ".join(signer.algorithm for signer in self._signers)

    def sign(self, message: bytes) -> bytes:
        """*message* with a signature before it for each key."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = _fields(head)
        digest = b64encode(sha256(body).digest()).decode()
        return b"".join(signer.header(fields, digest) for signer in self._signers) + message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signer:
    key: RSAPrivateKey | Ed25519PrivateKey
    domain: str
    selector: str

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def header(self, fields: dict[str, bytes], body_digest: str) -> bytes:
        """The DKIM-Signature field, with its line end."""
        present = [name for name in SIGNED if name in fields]
        tags = (
            f" v=1; a={self.algorithm}; c=relaxed/simple; d={self.domain};\r\n s={self.selector};"
            f" bh={body_digest};\r\n h={':'.join(present[:7])}:\r\n  {':'.join(present[7:])};\r\n b="
        )
        # The second "from" signs that there is none.
        signed = [fields[name] for name in dict.fromkeys(present)]
        data = b"\r\n".join([*signed, b"dkim-signature:" + _relaxed(tags.encode())])
        return b"DKIM-Signature:" + tags.encode() + _folded(b64encode(self._sign(data))) + b"\r\n"

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(sha256(data).digest())  # RFC 8463 §3: of the hash


def _fields(head: bytes) -> dict[str, bytes]:
    """The relaxed form of every header field of a message of ours, in which each name stands once."""
    found = {}
    for field in re.split(rb"\r\n(?![ \t])", head):
        name, _, value = field.partition(b":")
        lower = name.strip().lower()
        found[lower.decode()] = lower + b":" + _relaxed(value)
    return found


def _relaxed(value: bytes) -> bytes:
    """A field's value, unfolded, its blanks made one (RFC 6376 §3.4.2)."""
    return re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" \t")


def _folded(signature: bytes) -> bytes:
    return b"\r\n ".join(signature[start : start + 72] for start in range(0, len(signature), 72))


def _keys(pem: str) -> list[RSAPrivateKey | Ed25519PrivateKey]:
    blocks = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", pem, re.DOTALL)
    keys: list[RSAPrivateKey | Ed25519PrivateKey] = []
    for block in blocks:
        try:
            key = serialization.load_pem_private_key(block.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, RSAPrivateKey) and key.key_size < _WEAK_BITS:
            raise SettingsError("is an RSA key of under 1024 bits, which nobody accepts", at="NEWSLETTER_DKIM_KEY")
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            break
        keys.append(key)
    if not keys or len(keys) != len(blocks):
        raise SettingsError(
            "holds no RSA or Ed25519 key without a password",
            at="NEWSLETTER_DKIM_KEY",
            hint="make one: openssl genrsa 2048, or openssl genpkey -algorithm ed25519",
        )
    return keys


def _suffix(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    return "rsa" if isinstance(key, RSAPrivateKey) else "ed"
