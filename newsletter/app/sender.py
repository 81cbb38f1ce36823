"""Which domains a newsletter sends from, as far as the settings tell: what the doctor looks up in DNS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from newsletter.settings.read import Settings
from newsletter.sources.domain import Sender, Signing

# Who signs where we do not, and where to look. `{}` is the sender's domain.
_SIGNERS = {
    "smtp": "left to the server",
    "resend": "Resend signs, by resend._domainkey.{}",
    "mailgun": "Mailgun signs; the key's name is in its control panel under DNS records",
    "ses": "SES signs, once its three CNAME records under _domainkey.{} are there",
}
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)


def sender_of(settings: Settings) -> Sender:
    """The domains, and no address."""
    own = _domain(settings.sender_address)
    answers = _domain(settings.reply_to) if settings.reply_to else own
    returns, here = own, settings.carrier
    if settings.provider == "smtp":
        returns = _domain(here["bounces"]) if here["bounces"] else own
    elif settings.provider == "mailgun":
        returns = here["domain"]
    return Sender(
        domain=own,
        answers=answers,
        returns=returns,
        returns_ours=settings.provider in ("smtp", "mailgun"),
        signing=tuple(_signing(settings, own)) if settings.provider == "smtp" else (),
        signer=f"{_SIGNERS[settings.provider].format(own)}; a proof to yourself should say dkim=pass",
    )


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _signing(settings: Settings, own: str) -> Iterator[Signing]:
    """Our keys; a second one's selector ends in its kind, as the signatures' does."""
    selector, domain = settings.carrier["dkim_selector"], settings.carrier["dkim_domain"] or own
    if not selector:
        return
    found = list(_public_keys(settings.secrets.get("NEWSLETTER_DKIM_KEY", "")))
    for number, (kind, public) in enumerate(found or [("", b"")]):
        yield Signing(selector=f"{selector}-{kind}" if number else selector, domain=domain, public=public)


def _public_keys(pem: str) -> Iterator[tuple[str, bytes]]:
    """Kind and public half, as DNS has it, of every key in a PEM text; what cannot be read, the provider speaks of."""
    for block in _BLOCK.finditer(pem.encode()):
        try:
            public = load_pem_private_key(block[0], password=None).public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if isinstance(public, Ed25519PublicKey):
            yield "ed", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        elif isinstance(public, RSAPublicKey):
            yield "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
