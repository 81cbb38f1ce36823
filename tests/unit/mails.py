"""Mails to one person, for tests: made with the usual setting, in every language they come in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from newsletter.audience.asking import MailKind
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch, Row
from newsletter.usecases.fill import Filler, filler
from newsletter.usecases.mail import Press, make_mail
from tests.unit.letters import ROOT, SETTING, theme_files

SITE = "https://letters.example.org"
LANGUAGES = sorted({path.name.split(".")[1] for path in (ROOT / "templates" / "mails").glob("*.md")})
LINKS = {
    "unsubscribe_url": f"{SITE}/leave/{'a' * 22}",
    "preferences_url": f"{SITE}/preferences/{'b' * 32}",
    "confirm_url": f"{SITE}/confirm/{'c' * 32}",
    "page_url": f"{SITE}/me/{'d' * 32}",
    "letter_url": f"{SITE}/letters/2026-11-23-renew-your-goals/",
}


def mail_text(kind: MailKind, language: str = "en") -> str:
    """A mail as its author wrote it."""
    return (ROOT / "templates" / "mails" / f"{kind.value}.{language}.md").read_text()


def links_of(_person: Subscriber, _at: datetime) -> Mapping[str, str]:
    """Addresses that are nobody's."""
    return LINKS


@cache
def mail_filler(kind: MailKind, language: str = "en", theme: str = "letter", *, newest: bool = True) -> Filler:
    """A mail that comes with the newsletter, ready to be filled."""
    path = f"templates/mails/{kind.value}.{language}.md"
    press = Press(setting=SETTING, theme_name=theme, theme_files=theme_files(theme))
    edition, cut = make_mail(
        mail_text(kind, language), path=path, kind=kind, language=language, newest=newest, press=press
    )
    return filler(edition, links_of, cut=cut)


def mail_to(person: Subscriber, kind: MailKind, language: str, theme: str, *, at: datetime) -> tuple[bytes, str]:
    """The whole message, and its page."""
    fill = mail_filler(kind, language, theme)
    row = Row(seq=1, ref="mail-0", address=person.address, name="", variant=0, values=fill.values(person, at=at))
    message = Batch(letter=fill.letter, claimed_at=at, rows=(row,)).message(row)
    return message, fill.letter.bodies[0].html.fill(row.values).decode()
