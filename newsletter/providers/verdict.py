"""What an answer that is no success means: a table for each provider, read from the top."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached


class Meaning(Enum):
    """What to do about an answer."""

    SETUP = "set-up"  # stop the run: a person has to mend something
    QUOTA = "quota"  # nothing more until more is allowed
    BUSY = "busy"  # the same again, later
    ROW = "row"  # never for this recipient
    LATER = "later"  # this recipient, later
    DOUBT = "doubt"  # it may have been taken all the same


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a table: an answer with one of `codes` and, in its text, `words` (a regular expression)."""

    codes: tuple[int | str, ...]  # HTTP statuses, or the provider's own names; none is any
    words: str
    meaning: Meaning
    hint: str

    def fits(self, codes: Iterable[int | str], text: str) -> bool:
        """Whether this line is about an answer with *codes* and *text*."""
        return (not self.codes or any(code in self.codes for code in codes)) and bool(
            re.search(self.words, text, re.IGNORECASE)
        )

    def error(self, said: str, *, wait: timedelta | None = None) -> NewsletterError:
        """What ends the call; only for SETUP, QUOTA and BUSY. *said* holds no address and no secret."""
        if self.meaning is Meaning.SETUP:
            return ProviderRefused(said, hint=self.hint)
        kind = QuotaReached if self.meaning is Meaning.QUOTA else ProviderBusy
        return kind(said, hint=self.hint, wait=wait)


def judge(rules: Iterable[Rule], codes: Iterable[int | str], text: str) -> Rule:
    """The first rule that fits; the last of a table fits everything."""
    known = tuple(codes)
    return next(rule for rule in rules if rule.fits(known, text))
