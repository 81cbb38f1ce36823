"""Why a mail came back: what servers say about it, and whether the address is to blame for good.

The codes are those of RFC 3463 and its registry; the words stand in for them where a server gives none, or one
that tells nothing. Whatever may be our own fault, or may pass, is soft: nobody is lost for a mistake of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.delivery.news import Kind


@dataclass(frozen=True, slots=True)
class Cause:
    """One line of the table: a `code` that begins so and, in what was said, `words`; both are regular expressions."""

    code: str
    words: str
    kind: Kind
    why: str


# Read from the top. An empty expression fits everything.
CAUSES = (
    Cause("", r"over ?quota|quota exceeded|(?:mailbox|inbox) (?:is )?(?:over)?full|out of storage", Kind.SOFT, "full"),
    Cause("", r"gr[ae]y[ -]?list", Kind.SOFT, "asked to come again later"),
    Cause(
        "",
        r"\bsender (?:address|domain|id|ip|verif|is|not|rejected|denied)|mail from|reverse dns|\bptr\b|\bhelo\b",
        Kind.SOFT,
        "our sending was refused",
    ),
    Cause("", r"spam|block|black ?list|policy|reputation|\bdmarc|\bspf\b|\bdkim", Kind.SOFT, "by policy"),
    Cause("", r"rate limit|at a rate", Kind.SOFT, "too many mails at once"),  # Gmail says so with 5.2.1
    Cause(r"4\.", "", Kind.SOFT, "put off until the server gave up"),
    Cause(r"5\.1\.[789]", "", Kind.SOFT, "our own address was refused"),
    Cause(r"5\.1\.4", "", Kind.SOFT, "the address is ambiguous"),
    Cause(r"5\.1\.[1-36]|5\.1\.10", "", Kind.HARD, "no such address"),
    Cause(r"5\.2\.1", "", Kind.HARD, "the mailbox is closed"),
    Cause(r"5\.2\.2", "", Kind.SOFT, "full"),
    Cause(r"5\.6\.|5\.2\.3|5\.3\.4", "", Kind.SOFT, "the letter itself was refused"),
    Cause(r"5\.7\.", "", Kind.SOFT, "by policy"),
    Cause(
        "",
        r"unknown (?:user|recipient|address|mailbox)|(?:user|recipient|address|mailbox|account) (?:is )?"
        r"(?:unknown|not found|unavailable|invalid|disabled|inactive|closed|rejected)|"
        r"no (?:such )?(?:user|recipient|address|mailbox|account)\b|invalid (?:user|recipient|address|mailbox)|"
        r"(?:address|domain|user|account|mailbox).{0,40}(?:does ?n[o']t|doesnt|not) exist|unrouteable address",
        Kind.HARD,
        "no such address",
    ),
    Cause(r"5\.[2345]\.", "", Kind.SOFT, "the servers did not get on with each other"),
    Cause(r"5\.", "", Kind.SOFT, "refused for good, and not why"),
    Cause("", "", Kind.SOFT, "no reason given"),
)

# The old codes of SMTP, for servers that give no others.
_OLD = {"552": "5.2.2", "550": "5.0.0", "551": "5.0.0", "553": "5.0.0", "554": "5.0.0"}
_CODE = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?![\d.]*\d)")
_OLD_CODE = re.compile(r"(?<![\d.])(4[2-5][0-9]|55[0-4])(?![\d.]*\d)")
_ADDRESS = re.compile(r"[^\s<>@]{0,200}@[^\s<>@]{0,200}")  # its words say nothing: spam@example.org
_SAID = 2000


def cause_of(code: str, said: str) -> tuple[Kind, str]:
    """What a failure means, and the reason in our words. The more telling of *code* and a code in *said* counts."""
    said = _ADDRESS.sub("", " ".join(said[:_SAID].split()))
    given = _CODE.search(code)
    within = _CODE.search(said)
    code = given[1] if given else ""
    if within and (not code or code.endswith(".0.0")):
        code = within[1]
    if not code and (old := _OLD_CODE.search(said)):
        code = _OLD.get(old[1], "4.0.0")
    cause = next(each for each in CAUSES if re.match(each.code, code) and re.search(each.words, said, re.IGNORECASE))
    return cause.kind, f"{code} {cause.why}".strip()
