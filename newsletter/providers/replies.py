"""What an SMTP server's replies mean: by the enhanced code (RFC 3463) first, else by the plain one."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from newsletter.providers.http import redacted


class Step(StrEnum):
    """What a reply is the answer to."""

    RSET = "RSET"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    DOT = "the message"
    LONE_DOT = "no message"


class Meaning(StrEnum):
    """What follows from a reply that is no yes."""

    REFUSED = "refused"  # this recipient, for ever
    DEFERRED = "deferred"  # this recipient, now
    CONTENT = "content"  # this message; if it is all of them, the letter or the set-up
    SETUP = "set-up"  # everything, until somebody mends it
    BUSY = "busy"  # everything, now
    CLOSING = "closing"  # this connection


class Reply(NamedTuple):
    """A whole reply."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether it is a yes."""
        return self.code < 400

    def answers(self, step: Step) -> bool:
        """Whether it can be the answer to *step*; else replies are out of step, and none means what it seems to."""
        return 400 <= self.code < 600 or (self.code == 354 if step is Step.DATA else 200 <= self.code < 300)

    @property
    def said(self) -> str:
        """It in words for people: one line, no address."""
        return redacted(f"{self.code} {self.text}")


class Rule(NamedTuple):
    """At one of `steps` (all, if empty), a reply that begins so means that."""

    pattern: str
    meaning: Meaning
    steps: tuple[Step, ...] = ()


# The first that fits holds. `code enhanced text` is what patterns are held against.
RULES = (
    Rule(r"421 ", Meaning.CLOSING),
    Rule(r"53[0458] ", Meaning.SETUP),  # sign in, first or properly
    Rule(r"454 .*[Tt]hrottl", Meaning.BUSY),  # how SES says it
    Rule(r"4\d\d 4\.7\.0 .*([Rr]ate|[Tt]oo many|[Ll]imit)", Meaning.BUSY),
    Rule(r"452 (4\.3\.1|(?!4\.)).*", Meaning.BUSY),  # its disk is full
    Rule(r"4", Meaning.BUSY, (Step.MAIL, Step.DATA, Step.RSET)),
    Rule(r"4", Meaning.DEFERRED),
    Rule(r"5", Meaning.SETUP, (Step.MAIL, Step.RSET)),  # 5.1.8, 5.7.1: the sender
    Rule(r"5\d\d 5\.1\.[78]", Meaning.SETUP),
    Rule(r"5\d\d 5\.2\.2", Meaning.DEFERRED),  # a full mailbox is often empty tomorrow
    Rule(r"5\d\d 5\.[12]\.", Meaning.REFUSED),
    Rule(r"5", Meaning.REFUSED, (Step.RCPT,)),
    Rule(r"5", Meaning.CONTENT),  # 5.3.4 too large, 5.6.x its form, 5.7.x policy, 554
)


def meaning_of(step: Step, reply: Reply) -> Meaning:
    """What a reply that is no yes means."""
    text = f"{reply.code} {reply.text}"
    return next(
        rule.meaning
        for rule in (*RULES, Rule("", Meaning.BUSY))
        if (not rule.steps or step in rule.steps) and re.match(rule.pattern, text)
    )
