"""Forgetting, wired: out of the database, its files and the outbox; and what is left elsewhere, until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.app.newsletter import Newsletter
from newsletter.audience.addresses import read_address
from newsletter.audience.consent import Evidence
from newsletter.store.erasing import Forgotten, SqlErasure

UNDER_WAY = timedelta(days=5)  # that servers go on trying (RFC 5321, section 4.5.4.1)

# How long each provider's own record of messages names whom they went to, at most, as far as its pages say it
# (read 2026-11); it differs by plan. Of one that is not here, nobody says.
_KEEPS = {"mailgun": timedelta(days=30), "resend": timedelta(days=7)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Somewhere else that a person may still be known: until when, as far as that is known, and what one can do."""

    where: str
    until: datetime | None
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was forgotten. Unless it is *swept*, traces are left in free parts of the database's file."""

    forgotten: Forgotten
    messages: int
    swept: bool


class Forgetting:
    """Forgetting people of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the list of *newsletter*."""
        self._newsletter = newsletter
        self._erasure = SqlErasure(newsletter.database)

    def forget(self, address: str, *, how: str, source: str = "") -> Done:
        """Forget whoever has this address, and keep it off the list, also if nobody has it.

        Raises NewsletterError if it is none, or while a letter to them is being handed over.
        """
        newsletter = self._newsletter
        evidence = Evidence(at=newsletter.clock(), how=how, source=source)
        # Another sender may have saved the state since it was loaded: then it is done again, on theirs.
        forgotten = newsletter.durably(lambda: self._erasure.forget(address, evidence=evidence))
        return Done(forgotten=forgotten, messages=self._from_outbox(address), swept=self._erasure.scrub())

    def copies(self, forgotten: Forgotten) -> Iterator[Copy]:
        """What only time, or somebody by hand, erases."""
        now, settings, last = self._newsletter.clock(), self._newsletter.settings, forgotten.last_at
        if last and settings.provider != "outbox":
            if last + UNDER_WAY > now:
                yield Copy(where="letters that are under way", until=last + UNDER_WAY, advice="nothing can be done")
            until = last + _KEEPS[settings.provider] if settings.provider in _KEEPS else None
            if until is None or until > now:
                advice = "that is the longest; it depends on your plan" if until else "ask whoever runs it how long"
                yield Copy(where=f"the logs of {settings.provider}", until=until, advice=advice)
        if settings.in_git:
            advice = "newsletter state recreate, then ask the host to collect its garbage"
            yield Copy(where="older states on the server of the state", until=None, advice=advice)
            advice = "run any command there, such as newsletter subscribers stats: it brings the state of today"
            yield Copy(
                where="the database's file on other machines that work with the state", until=None, advice=advice
            )
        elif not self._erasure.leaves_nothing:
            advice = "free space is overwritten in time; so are logs and archives of the server"
            yield Copy(where="the files of the PostgreSQL server", until=None, advice=advice)
        advice = "delete those you need not keep; one that is put back forgets this person again"
        yield Copy(where="your backups of the database made before", until=None, advice=advice)
        yield Copy(where="your lists and exports", until=None, advice="take the person out by hand")

    def _from_outbox(self, address: str) -> int:
        """How many messages to them were deleted."""
        settings = self._newsletter.settings
        if settings.provider != "outbox":
            return 0
        from newsletter.providers.outbox import Outbox

        return Outbox(settings.root / settings.carrier["folder"]).forget(read_address(address))
