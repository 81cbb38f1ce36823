"""What all public pages need at hand: the visitors' side of the newsletter, its words, and how to answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import TYPE_CHECKING

from flask import abort, make_response, render_template, request

from newsletter.app.readers import mask
from newsletter.app.visiting import Visiting
from newsletter.web.public_crowd import Crowd
from newsletter.web.public_words import Languages, Words

if TYPE_CHECKING:
    from flask import Response

    from newsletter.audience.subscriber import Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """What sends a form: where to, what it says, and what goes with it unseen."""

    url: str
    label: str
    hidden: dict[str, str] = field(default_factory=dict)
    title: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A way to go on."""

    url: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the pages are made."""

    visiting: Visiting
    languages: Languages
    crowd: Crowd = field(default_factory=Crowd)

    @property
    def words(self) -> Words:
        """The newsletter's own language."""
        return self.languages.of(self.visiting.settings.language)

    def words_for(self, person: Subscriber) -> Words:
        """The language of a person, where the pages speak it."""
        return self.languages.of(person.language or self.visiting.settings.language)

    def page(self, template: str, words: Words, *, status: int = 200, **values: object) -> Response:
        """A page in a language."""
        settings = self.visiting.settings
        about = {
            "name": settings.name,
            "tagline": settings.tagline,
            "reply_to": settings.reply_to or settings.sender_address,
            "sender_name": settings.sender_name,
            "postal_address": settings.postal_address,
        }
        return make_response(render_template(template, words=words, newsletter=about, **values), status)

    def message(self, words: Words, title: str, *lines: str, status: int = 200, **more: object) -> Response:
        """A page that says something, and may have a button and a way to go on."""
        return self.page("message.html", words, status=status, title=words(title), lines=lines, **more)

    def mailbox(self, again: str) -> Response:
        """What everybody is told who asked for a mail, whether or not one is sent; *again* is the form they used."""
        words = self.words
        link = Link(url=again, label=words("again"))
        return self.message(words, "mailbox", words("mailbox_more"), marked=words("mailbox_marked"), link=link)

    def one_more_mail(self) -> None:
        """Count a question that leads to a mail; too many of them from one place are refused."""
        if not self.crowd.lets(request.remote_addr, now_s=time.monotonic()):
            abort(429)


def alike(make: Callable[[], Response]) -> Callable[[], Response]:
    """*make*, for a page that is the same for everybody: it is put together once, wherever the pages are found."""

    @lru_cache(maxsize=4)
    def made(_below: str) -> bytes:  # the addresses on the page begin with it
        return make().get_data()

    @wraps(make)
    def page() -> Response:
        return make_response(made(request.script_root))

    return page


def masked(person: Subscriber) -> str:
    """A person's address as pages show it: enough to know it again, and not enough to write to it."""
    return mask(person.address)
