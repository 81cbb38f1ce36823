"""Addresses: is it one, and how is it written so that two spellings compare equal.

The verdict is email-validator's, without asking the DNS. It is quick because a plain local part needs no
second opinion, and a domain only one.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

# Local parts that email-validator takes as they are, and domains that cannot confuse its splitting.
_PLAIN = re.compile(r"([\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*)@([^@\s\"<>\[\]()\\]+)", re.ASCII)
# Domains without anything that IDNA would have to look at.
_PLAIN_DOMAIN = re.compile(r"(?:(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!..--)([a-z]{2,63})")
_SURELY_SHORT = 120  # characters; far from the limit of 254 octets, however the domain is written
# The case of these means nothing (RFC 2142); email-validator writes them in lower case.
_ROLES = frozenset(
    {"info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster"}
    | {"hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp"}
)

_WITHOUT_DOTS = frozenset({"gmail.com", "googlemail.com"})  # dots before the @ mean nothing there


class BadAddress(ValueError):
    """No address that mail could be sent to; says why, and never quotes it."""


def read_address(text: str) -> str:
    """*text* as an address with its domain in lower-case A-labels. Raises BadAddress."""
    found = _PLAIN.fullmatch(text) if len(text) <= _SURELY_SHORT else None
    if found is None:
        address = _validated(text)
    else:
        local, domain = found[1], _domain(found[2])
        address = domain and f"{local.lower() if local.lower() in _ROLES else local}@{domain}"
    if address is None:
        raise BadAddress(_why(text))
    return address


def address_key(address: str) -> str:
    """What makes two spellings the same person's: the address as it is kept, in lower case. Raises BadAddress."""
    return read_address(address).lower()


def mailbox_of(key: str) -> str:
    """What *key* has in common with all addresses that surely lead into the same mailbox.

    Whether somebody is the same person must not be guessed so; whether a mailbox was mailed enough, it may.
    """
    local, _, domain = key.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '') if domain in _WITHOUT_DOTS else local}@{domain}"


def beginning_of(mailbox: str) -> str:
    """What all addresses that lead into *mailbox* begin with; without the signs that SQL's LIKE takes for any."""
    local, _, domain = mailbox.rpartition("@")
    return local[:1] if domain in _WITHOUT_DOTS else re.split("[%_]", local)[0]


@lru_cache(maxsize=1 << 16)
def _domain(domain: str) -> str | None:
    """*domain* in A-labels, or None if it can be nobody's."""
    lower = domain.lower()
    plain = _PLAIN_DOMAIN.fullmatch(lower)
    if plain and plain[1] not in _special_use():
        return lower
    address = _validated(f"a@{domain}")
    return address and address.partition("@")[2]


@cache
def _special_use() -> frozenset[str]:
    """The top-level domains under which email-validator refuses some or all names."""
    from email_validator import SPECIAL_USE_DOMAIN_NAMES  # noqa: PLC0415  slow to import

    return frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def _validated(text: str) -> str | None:
    """*text* as email-validator writes it, or None if it refuses."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  slow to import, rarely needed

    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        return None


def _why(text: str) -> str:
    """What is wrong with *text*, without quoting it."""
    local, at, domain = text.rpartition("@")
    if not text:
        return "there is no address"
    if not at:
        return "the address has no @"
    if not local.isascii():
        return "the address has letters before the @ that many mail servers do not take"
    if not _validated(f"a@{domain}"):
        return "what stands after the @ is no domain"
    if len(text) > _SURELY_SHORT:
        return "the address is too long"
    return "what stands before the @ cannot be right"
