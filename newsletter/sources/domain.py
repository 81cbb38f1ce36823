"""What DNS says of a sender's domain: whether receivers will take its letters, and whether answers come back."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.sources import spf
from newsletter.sources.finding import Finding, error, fine, is_example, warning
from newsletter.sources.names import Dns, Names, Unanswered

_WEAK_BITS, _GOOD_BITS = 1024, 2048  # RFC 8301
_LATER = "look again later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """A DKIM key of ours: its name in DNS, and what should be found there."""

    selector: str
    domain: str
    public: bytes = b""  # as in DNS, decoded; empty if the private key is not here


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The domains of a newsletter's addresses; the addresses themselves are nobody's business here."""

    domain: str  # who the letter is from
    answers: str  # where answers go
    returns: str  # where bounces go, and so where SPF is looked up
    returns_ours: bool  # False: the provider puts in an address of its own
    signing: Sequence[Signing]  # keys of ours; empty: somebody else signs
    signer: str  # who does, in words, and what to look for


def examine(sender: Sender, dns: Dns) -> list[Finding]:
    """SPF, DKIM, DMARC and MX; a single line where DNS does not answer, which is no fault of the newsletter."""
    if is_example(sender.domain):
        fix = "put an address under a domain of yours into [sender] address"
        return [error("sender domain", f"{sender.domain} is a name for examples; nobody takes mail from it", fix)]
    names = Names(dns)
    try:
        if not names.exists(sender.domain):
            fix = "register it, or correct [sender] address; receivers refuse mail from nowhere"
            return [error("sender domain", f"{sender.domain} is not known to DNS", fix)]
    except Unanswered as err:
        if not err.reached:
            fix = "look again with a network; SPF, DKIM, DMARC and MX were not looked at"
            return [warning("sender domain", f"DNS does not answer ({err})", fix)]
    looks: list[Callable[[], Finding]] = [
        lambda: spf.examine(sender.returns, names, needed=sender.returns_ours),
        *(
            lambda key=key: _told("DKIM", key.domain, lambda: _dkim(key, sender.domain, names))
            for key in sender.signing
        ),
        lambda: _told("DMARC", sender.domain, lambda: _dmarc(sender.domain, names)),
        lambda: _told("MX", sender.answers, lambda: _mx(sender.answers, names)),
    ]
    if not sender.signing:
        looks.insert(1, lambda: fine("DKIM", sender.signer))
    with ThreadPoolExecutor(len(looks)) as pool:
        return list(pool.map(lambda look: look(), looks))


def _told(what: str, domain: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Unanswered as err:
        return warning(what, f"{domain}: {err}", _LATER)


def _dmarc(domain: str, names: Names) -> Finding:
    """The policy of the domain, or of the nearest one above it that has any."""
    at = domain
    while "." in at:
        records = [text for text in names.texts(f"_dmarc.{at}") if re.match(r"v=DMARC1\s*(;|$)", text)]
        if records:
            return _policy(domain, at, records)
        at = at.partition(".")[2]
    fix = f'publish a TXT record at _dmarc.{domain}: "v=DMARC1; p=none", with rua= to get reports'
    return error("DMARC", f"_dmarc.{domain} is not there; Gmail, Yahoo and Microsoft want it", fix)


def _policy(domain: str, at: str, records: list[str]) -> Finding:
    place = f"_dmarc.{at}"
    if len(records) > 1:
        return error("DMARC", f"{place} has two records or more", "receivers take none of them: leave one")
    tags = _tags(records[0])
    policy = (tags.get("sp") if at != domain else None) or tags.get("p", "")
    if policy not in ("none", "quarantine", "reject"):
        return error("DMARC", f"{place} has no policy that means something", "write p=none, p=quarantine or p=reject")
    note = ": receivers report, and let pass what others send in your name" if policy == "none" else ""
    return fine("DMARC", f"{place}, policy {policy}{note}")


def _mx(domain: str, names: Names) -> Finding:
    hosts = names.mail_hosts(domain)
    fix = "set MX records, or [sender] reply_to to a mailbox that gets mail"
    if hosts == ["."]:
        return error("MX", f"{domain} says that it takes no mail; answers would be lost", fix)
    if hosts:
        return fine("MX", f"{domain}, answers go to {hosts[0]}{f' and {len(hosts) - 1} more' if hosts[1:] else ''}")
    if names.has_address(domain):
        return warning("MX", f"{domain} has none; answers are tried at the machine of that name", fix)
    return error("MX", f"{domain} takes no mail; answers would be lost, and some receivers refuse the letter", fix)


def _dkim(key: Signing, sender: str, names: Names) -> Finding:
    place = f"{key.selector}._domainkey.{key.domain}"
    # Some publish a stray record beside the key; receivers look for one that can be read.
    records = [tags for text in names.texts(place) if "p" in (tags := _tags(text))]
    if not records:
        return error("DKIM", f"{place} is not there", "publish the public key there, as a TXT record")
    if len(records) > 1:
        return error("DKIM", f"{place} has two keys or more", "leave the one that is used")
    return _key(place, records[0], key) or _aligned(place, records[0], key, sender)


def _key(place: str, tags: dict[str, str], key: Signing) -> Finding | None:
    """What is wrong with the key that is published, if anything."""
    again = "publish the public key of NEWSLETTER_DKIM_KEY there"
    if not tags["p"]:
        return error("DKIM", f"{place} is revoked", again)
    try:
        public = b64decode("".join(tags["p"].split()), validate=True)
        bits = _bits(public) if tags.get("k", "rsa") == "rsa" else _GOOD_BITS
    except (NotBase64, ValueError, UnsupportedAlgorithm):
        return error("DKIM", f"{place} holds no key that can be read", again)
    if key.public and public != key.public:
        return error("DKIM", f"{place} is not the key that we sign with", again)
    if bits < _WEAK_BITS:
        return error("DKIM", f"{place} has {bits} bits, which receivers ignore", "make a key of 2048 bits")
    if bits < _GOOD_BITS:
        return warning("DKIM", f"{place} has {bits} bits", "make a key of 2048 bits")
    return None


def _bits(public: bytes) -> int:
    loaded = load_der_public_key(public)
    return loaded.key_size if isinstance(loaded, RSAPublicKey) else 0


def _aligned(place: str, tags: dict[str, str], key: Signing, sender: str) -> Finding:
    if not _related(key.domain, sender):
        fix = f"set [smtp] dkim_domain to {sender} or a domain above it"
        return error("DKIM", f"{place} signs for another domain than {sender}, which counts for nothing", fix)
    if "y" in tags.get("t", "").split(":"):
        return warning("DKIM", f"{place} says that it is a test (t=y)", "take t=y out once letters arrive")
    checked = "the key that we sign with" if key.public else "a key"
    return fine("DKIM", f"{place}, {checked}")


def _related(one: str, other: str) -> bool:
    """Whether one is the other or above it; what else shares an owner, only a list of all suffixes could tell."""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _tags(record: str) -> dict[str, str]:
    """The tags of a DKIM or DMARC record."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
