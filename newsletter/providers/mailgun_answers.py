"""What Mailgun's answers mean when they are no success.

Source: Mailgun's "Error Codes Library" and documentation.mailgun.com, "API Response Codes" (read 2026-11-21), and
what others reported to have got from it (402, 420).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from newsletter.providers.http import read_wait
from newsletter.providers.verdict import Meaning, Rule

_BUG = "this is a mistake of this program: please report it, with this message"

RULES: tuple[Rule, ...] = (
    # Nobody says that these took nothing, in whatever words; the events will tell.
    Rule((408, *range(500, 600)), r"", Meaning.DOUBT, ""),
    Rule((400,), r"^'?to'? parameter is not a valid address", Meaning.ROW, ""),
    Rule(
        (400, 403),
        r"sandbox subdomains are|free accounts are",
        Meaning.SETUP,
        "add a domain of your own or upgrade the account at Mailgun; until then it sends to authorized recipients only",
    ),
    Rule((400, 403), r"domain is unverified", Meaning.SETUP, "add the DNS records that Mailgun shows for the domain"),
    Rule((400, 403), r"activate your mailgun account", Meaning.SETUP, "open the activation mail that Mailgun sent"),
    Rule(
        (), r"recipient limit exceeded", Meaning.QUOTA, "wait as it says, or ask Mailgun to allow the domain more mail"
    ),
    Rule(
        (), r"limit exceeded|try again after", Meaning.BUSY, "nothing to do but wait; lower provider.rate if it repeats"
    ),
    Rule(
        (),
        r"not allowed to send large batches",
        Meaning.SETUP,
        "the domain is new to Mailgun: ask its support to allow large batches, or warm the domain up with short lists",
    ),
    Rule((400, 403), r"not allowed to send", Meaning.SETUP, "see at Mailgun why the domain or account may not send"),
    Rule(
        (400,), r"^'?from'? parameter is not a valid address", Meaning.SETUP, "mend sender.address in newsletter.toml"
    ),
    Rule((400,), r"limited to 16 ?kB", Meaning.SETUP, "shorten the sender and the list's name in newsletter.toml"),
    Rule((400,), r"", Meaning.SETUP, _BUG),
    Rule(
        (401,),
        r"",
        Meaning.SETUP,
        "check NEWSLETTER_MAILGUN_API_KEY, and that mailgun.region is where the domain lives",
    ),
    Rule((402,), r"", Meaning.SETUP, "see at Mailgun whether the account is paid for and active"),
    Rule((403,), r"\bIP\b", Meaning.SETUP, "allow this machine's address for the key, or the sending IP, at Mailgun"),
    Rule((403,), r"", Meaning.SETUP, "give the key the right to send, and check that mailgun.region is the domain's"),
    Rule(
        (404,),
        r"",
        Meaning.SETUP,
        "check mailgun.domain, and mailgun.region: a domain lives in 'us' or in 'eu' and is unknown in the other",
    ),
    Rule((413,), r"", Meaning.SETUP, "the letter is too large for Mailgun: shorten it"),
    Rule((420,), r"", Meaning.QUOTA, "see at Mailgun how much the account may send, and wait or upgrade"),
    Rule((429,), r"", Meaning.BUSY, "nothing to do but wait; lower provider.rate if it repeats"),
    Rule((), r"", Meaning.SETUP, "see status.mailgun.com, and report this message if nothing is wrong there"),
)

_AFTER = re.compile(r"try again after (.{20,40}?)\s*$", re.IGNORECASE)


def wait_in(message: str, *, now: datetime) -> timedelta | None:
    """How long *message* asks to wait, if it names a date."""
    found = _AFTER.search(message)
    return read_wait(found[1], now=now) if found else None
