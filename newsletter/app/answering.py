"""What visitors asked, and mails to one person, wired: for ticks, and for a thread beside the pages."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from time import monotonic
from typing import TYPE_CHECKING

from newsletter.app.newsletter import Newsletter
from newsletter.audience.asking import FORGOTTEN_AFTER, PAGE_LIFE, MailKind, MailState, OwnMail
from newsletter.audience.subscriber import Subscriber
from newsletter.errors import NotFound
from newsletter.sources.files import starter
from newsletter.store.gate import SqlGate
from newsletter.store.mails import SqlMails
from newsletter.store.unconfirmed import SqlUnconfirmed
from newsletter.store.wishes import SqlWishes

if TYPE_CHECKING:
    from newsletter.rendering.edition import Identity
    from newsletter.usecases.answering import Answered
    from newsletter.usecases.fill import Filler, LinksOf
    from newsletter.usecases.mail import Press

CONFIRM, ME = "confirm", "me"  # the purposes of signed links
A_WEEK = timedelta(days=7)
AT_MOST = timedelta(minutes=1)  # of one time at work; a tick has letters to send


class Answering:
    """Answers for one newsletter. Two at once never mail anybody twice."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Answer for *newsletter*, whose database is opened now."""
        self._newsletter = newsletter
        database = newsletter.database
        self._wishes, self._mails = SqlWishes(database), SqlMails(database)
        self._unconfirmed, self._gate = SqlUnconfirmed(database), SqlGate(database)

    def work_once(self, stop: threading.Event | None = None, *, limit: timedelta = AT_MOST) -> Answered | None:
        """Do all there is to do now, or what can be done in *limit*; None if there is nothing.

        Raises NewsletterError where the provider takes nothing, or a mail cannot be made.
        """
        now = self._newsletter.clock()
        if not (self._wishes.waiting() or self._mails.waiting(now=now) or self._unconfirmed.waiting(now=now)):
            return None
        from newsletter.app.carriers import carrier
        from newsletter.usecases.answering import Answerer

        here, settings = self._newsletter, self._newsletter.settings
        stop, until = stop or threading.Event(), monotonic() + limit.total_seconds()

        def waits(seconds: float) -> bool:
            """Wait so long, or say at once that there is no time for it."""
            return monotonic() + seconds > until or stop.wait(seconds)

        with closing(carrier(settings, lanes=1, stop=stop.is_set, clock=here.clock)) as provider:
            return Answerer(
                wishes=self._wishes,
                mails=self._mails,
                unconfirmed=self._unconfirmed,
                gate=self._gate,
                provider=provider,
                fillers=_Mailroom(here, newest=self._mails.newest_letter(since=now - A_WEEK)).filler,
                ref=lambda: f"mail-{secrets.token_hex(12)}",
                confirmations_an_hour=settings.signup_per_hour,
                welcome=settings.signup_welcome,
                rate=settings.rate,
                clock=here.clock,
                wait=waits,
                durably=here.durably,
            ).work()

    def counts(self) -> Mapping[MailState, int]:
        """How many mails of the last two weeks stand where."""
        return self._mails.counts()


class _Mailroom:
    """Makes mails, each kind and language once, of what the workspace has now."""

    def __init__(self, newsletter: Newsletter, *, newest: str | None) -> None:
        """For *newsletter*; *newest* is the letter of this week, once it began to leave."""
        from newsletter.rendering.compile import archive_url

        self._newsletter = newsletter
        self._newest_url = archive_url(newsletter.settings.site_url, newest) if newest else ""
        self._fillers = lru_cache(maxsize=16)(self._made)

    def filler(self, mail: OwnMail) -> Filler:
        """What fills *mail*. Raises IssueHasProblems where it is not as it should be."""
        return self._fillers(mail.kind, mail.person.language)

    def _made(self, kind: MailKind, language: str) -> Filler:
        from newsletter.usecases.fill import filler
        from newsletter.usecases.mail import make_mail

        path, language, text = self._text(kind, language)
        newest = bool(self._newest_url)
        edition, cut = make_mail(text, path=path, kind=kind, language=language, newest=newest, press=self._press)
        return filler(edition, self._links(edition.identity), cut=cut)

    def _text(self, kind: MailKind, language: str) -> tuple[str, str, str]:
        """Where a mail is written, in which language, and what it says: the workspace's own goes before ours."""
        from newsletter.content.mail import paths

        ours = starter()
        for path, spoken in paths(kind.value, (language, self._newsletter.settings.language)).items():
            text = self._newsletter.workspace.optional(path)
            if text is None and path in ours:
                text = ours[path].read_text(encoding="utf-8")
            if text is not None:
                return path, spoken, text
        raise NotFound(f"no mail of the kind {kind.value!r}", at=path, hint="copy it from a new newsletter's folder")

    @cached_property
    def _press(self) -> Press:
        from newsletter.app.surroundings import setting_of
        from newsletter.usecases.mail import Press

        settings = self._newsletter.settings
        files = self._newsletter.workspace.theme(settings.theme)
        return Press(setting=setting_of(settings), theme_name=settings.theme, theme_files=files)

    def _links(self, identity: Identity) -> LinksOf:
        """The addresses that a mail may carry; those to confirm and to one's own page are signed as it leaves."""
        letters, sign = self._newsletter.links_for(identity), self._newsletter.signer.sign
        site = self._newsletter.settings.site_url

        def links_of(person: Subscriber, at: datetime) -> dict[str, str]:
            return {
                **letters(person, at),
                "confirm_url": f"{site}/confirm/{sign(CONFIRM, person.id, expires_at=at + FORGOTTEN_AFTER)}",
                "page_url": f"{site}/me/{sign(ME, person.id, expires_at=at + PAGE_LIFE)}",
                "letter_url": self._newest_url,
            }

        return links_of
