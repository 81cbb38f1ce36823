"""The mailbox, wired: what came in is read, heard, and put away, in that order.

Whoever ends us in between leaves a mail that was heard and still lies there; hearing it again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import blake2b

from newsletter.app.hearing import Hearing
from newsletter.app.newsletter import Newsletter
from newsletter.delivery.mailbag import Aside, read_mail
from newsletter.delivery.news import Heard, Kind, News
from newsletter.errors import SettingsError
from newsletter.settings.read import FILE
from newsletter.sources.mailbox import Account, Mailbox
from newsletter.store.bookmarks import SqlBookmarks

AT_ONCE = 25  # mails
BOOKMARK = "inbox"
ASKED, EVERY = "inbox asked", timedelta(minutes=5)
_COUNTED = {Kind.LEFT: "left", Kind.HARD: "bounced", Kind.SOFT: "soft", Kind.COMPLAINED: "complained"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What came in, in mails: news, by what they led to, and those that are not for us to act on."""

    heard: Heard
    aside: Mapping[Aside, int]


class Inbox:
    """The mailbox of a newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Of *newsletter*; nothing is opened yet."""
        self._newsletter = newsletter
        self._account = _account(newsletter)
        self._bookmarks = SqlBookmarks(newsletter.database)

    def look(self) -> Polled:
        """What came in, as far as the mails themselves say it, without a change anywhere."""
        heard: Counter[str] = Counter()
        aside: Counter[Aside] = Counter()
        with Mailbox(self._account, look_only=True) as mailbox:
            for batch in self._batches(mailbox):
                for said in self._read(mailbox, batch).values():
                    if isinstance(said, News):
                        heard[_COUNTED[said.kind]] += 1
                    else:
                        aside[said] += 1
        return Polled(heard=Heard(**heard), aside=aside)

    def due(self) -> bool:
        """Whether it is time for a tick to look; a person at the desk may look at any time."""
        last = self._bookmarks.read_at(ASKED)
        return last is None or self._newsletter.clock() >= last + EVERY

    def poll(self, *, enough: Callable[[], bool] = lambda: False) -> Polled:
        """Take in what came since the last time, until it is *enough*; the next time goes on there.

        Raises NewsletterError; what was heard by then is heard.
        """
        self._bookmarks.write(ASKED, "", now=self._newsletter.clock())
        heard: Counter[str] = Counter()
        aside: Counter[Aside] = Counter()
        hearing = Hearing(self._newsletter)
        with Mailbox(self._account) as mailbox:
            whole, upto = True, 0
            for batch in self._batches(mailbox):
                said = self._read(mailbox, batch)
                aside.update(each for each in said.values() if isinstance(each, Aside))
                news = {uid: each for uid, each in said.items() if isinstance(each, News)}
                if news:
                    counts, ours = self._hear(hearing, news)
                    heard.update(asdict(counts))
                    if ours:
                        mailbox.put_away(ours)
                # Where one could not be fetched, the next poll begins there, if it has not been taken away by then.
                whole = whole and len(said) == len(batch)
                if whole:
                    upto = batch[-1]
                    self._remember(mailbox, upto)
                if enough():
                    break
            if upto:
                self._newsletter.durably(lambda: self._remember(mailbox, upto))
        return Polled(heard=Heard(**heard), aside=aside)

    def _batches(self, mailbox: Mailbox) -> Iterator[Sequence[int]]:
        uids = mailbox.after(self._known(mailbox))
        return (uids[start : start + AT_ONCE] for start in range(0, len(uids), AT_ONCE))

    def _read(self, mailbox: Mailbox, uids: Sequence[int]) -> dict[int, News | Aside]:
        return {each.uid: read_mail(each.raw, at=each.at) for each in mailbox.fetch(uids)}

    def _hear(self, hearing: Hearing, news: Mapping[int, News]) -> tuple[Heard, list[int]]:
        """What they led to, and those that are ours: what names nobody we know may be another newsletter's."""
        heard = self._newsletter.durably(lambda: hearing.hear(news.values()))
        if not heard.unknown:
            return heard, list(news)
        return heard, [uid for uid, each in news.items() if not hearing.hear([each]).unknown]

    def _known(self, mailbox: Mailbox) -> int:
        """Up to which number everything was looked at; 0 in a folder that we do not know, or not by these numbers."""
        where, _, uid = self._bookmarks.read(BOOKMARK).rpartition(" ")
        return int(uid) if where == self._where(mailbox) else 0

    def _remember(self, mailbox: Mailbox, uid: int) -> None:
        self._bookmarks.write(BOOKMARK, f"{self._where(mailbox)} {uid}", now=self._newsletter.clock())

    def _where(self, mailbox: Mailbox) -> str:
        account = self._account
        folder = blake2b(f"{account.place}\n{account.username}\n{account.folder}".encode(), digest_size=8)
        return f"{folder.hexdigest()} {mailbox.validity}"


def _account(newsletter: Newsletter) -> Account:
    settings = newsletter.settings
    if not settings.inbox_host:
        hint = 'add host = "imap.example.org" and username; docs/operations.md, "The mailbox"'
        raise SettingsError("there is no mailbox to read", at=f"{FILE} [inbox]", hint=hint)
    if not settings.inbox_password:
        hint = "the mailbox needs it; it is read from the environment only"
        raise SettingsError("is not set", at="NEWSLETTER_INBOX_PASSWORD", hint=hint)
    return Account(
        host=settings.inbox_host,
        port=settings.inbox_port,
        security=settings.inbox_security,
        username=settings.inbox_username,
        password=settings.inbox_password,
        folder=settings.inbox_folder,
        done=settings.inbox_done,
    )
