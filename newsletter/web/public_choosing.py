"""One's own page: what one gets and what we know, changed, taken along, or erased.

The link in a letter only asks for a fresh one, since letters are passed on; the fresh one is good for an hour.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request, url_for

from newsletter.app.answering import ME
from newsletter.app.visiting import PREFERENCES, Details, zones
from newsletter.audience.addresses import BadAddress
from newsletter.audience.subscriber import Frequency
from newsletter.errors import LinkInvalid
from newsletter.web.public_desk import Button, Desk, Link, alike, masked

if TYPE_CHECKING:
    from newsletter.audience.subscriber import Subscriber


def choosing(desk: Desk) -> Blueprint:
    """The pages by which people see and change what is theirs."""
    pages = Blueprint("choose", __name__)
    _asking(pages, desk)
    _own(pages, desk)
    return pages


def _asking(pages: Blueprint, desk: Desk) -> None:
    """The pages that lead to a fresh link."""

    @pages.get("/preferences/<word>")
    def who(word: str) -> Response:
        try:
            person = desk.visiting.person(PREFERENCES, word)
        except LinkInvalid:
            return _stale(desk, "stale_preferences")
        words = desk.words_for(person)
        button = Button(url=url_for("choose.ask_by_word", word=word), label=words("who_label"))
        return desk.message(words, "who", words("who_more", address=masked(person)), button=button)

    @alike
    def asked() -> Response:
        return desk.mailbox(url_for("choose.lost"))

    @pages.post("/preferences/<word>")
    def ask_by_word(word: str) -> Response:
        desk.one_more_mail()
        try:
            person = desk.visiting.person(PREFERENCES, word)
        except LinkInvalid:
            return _stale(desk, "stale_preferences")
        desk.visiting.ask_for_link(person.address)
        return asked()

    @pages.get("/lost")
    def lost() -> Response:
        return desk.page("lost.html", desk.words, title=desk.words("lost"), address="", wrong=False)

    @pages.post("/lost")
    def ask_by_address() -> Response:
        desk.one_more_mail()
        address = request.form.get("address", "").strip()
        try:
            desk.visiting.ask_for_link(address)
        except BadAddress:
            title = desk.words("lost")
            return desk.page("lost.html", desk.words, status=400, title=title, address=address, wrong=True)
        return asked()


def _own(pages: Blueprint, desk: Desk) -> None:
    """The pages that a fresh link opens."""

    @pages.errorhandler(LinkInvalid)
    def stale(_: LinkInvalid) -> Response:
        return _stale(desk, "stale_me")

    @pages.get("/me/<word>")
    def me(word: str) -> Response:
        person = desk.visiting.person(ME, word)
        return _me(desk, word, person, desk.visiting.told_by(person))

    @pages.post("/me/<word>")
    def change(word: str) -> Response:
        person = desk.visiting.person(ME, word)
        told, right = _told(desk, person)
        if not right:
            return _me(desk, word, person, told, wrong=True)
        desk.visiting.change(person, told)
        person = desk.visiting.person(ME, word)
        return _me(desk, word, person, desk.visiting.told_by(person), kept=True)

    @pages.post("/me/<word>/data")
    def export(word: str) -> Response:
        known = desk.visiting.export_of(desk.visiting.person(ME, word))
        text = json.dumps(known, ensure_ascii=False, indent=2)
        headers = {"Content-Disposition": 'attachment; filename="what-is-known-of-me.json"'}
        return Response(f"{text}\n", mimetype="application/json", headers=headers)

    @pages.get("/me/<word>/erase")
    def ask_to_erase(word: str) -> Response:
        person = desk.visiting.person(ME, word)
        words = desk.words_for(person)
        button = Button(url=url_for("choose.erase", word=word), label=words("erase_sure"))
        link = Link(url=url_for("choose.me", word=word), label=words("keep_me"))
        return desk.message(words, "erase", words("erase_why"), button=button, link=link)

    @pages.post("/me/<word>/erase")
    def erase(word: str) -> Response:
        person = desk.visiting.person(ME, word)
        words = desk.words_for(person)
        desk.visiting.erase(person)
        return desk.message(words, "erased", words("erased_more"))


def _told(desk: Desk, person: Subscriber) -> tuple[Details, bool]:
    """What the form says, and whether the day in it can be meant."""
    told = request.form
    before = desk.visiting.told_by(person)
    first, last = desk.visiting.days_to_rest(person)
    day, right = None, True
    if typed := told.get("paused_until", "").strip():
        try:
            day = date.fromisoformat(typed)
            right = first <= day <= last or day == before.paused_until
        except ValueError:
            right = False
    language = told.get("language", "")
    details = Details(
        first_name=told.get("first_name", ""),
        name=told.get("name", ""),
        interests=frozenset(told.getlist("interest")),
        zone=told.get("zone", ""),
        language=language if language in _languages(desk, before) else before.language,
        frequency=Frequency.MONTHLY if told.get("frequency") == Frequency.MONTHLY else Frequency.WEEKLY,
        paused_until=day,
    )
    return details, right


def _me(
    desk: Desk, word: str, person: Subscriber, told: Details, *, wrong: bool = False, kept: bool = False
) -> Response:
    settings, words = desk.visiting.settings, desk.words_for(person)
    soonest, latest = desk.visiting.days_to_rest(person)
    return desk.page(
        "me.html",
        words,
        status=400 if wrong else 200,
        title=words("me"),
        word=word,
        masked=masked(person),
        leave_token=person.leave_token,
        told=told,
        language=told.language or words.tag,
        wrong=wrong,
        kept=kept,
        soonest=soonest,
        latest=latest,
        offered=settings.interests,
        zones=zones(),
        usual_zone=settings.timezone,
        languages=_languages(desk, told),
    )


def _languages(desk: Desk, told: Details) -> dict[str, str]:
    """What can be chosen: what the pages speak, and what a person reads already."""
    own = {told.language: told.language} if told.language else {}
    return own | dict(desk.languages.names)


def _stale(desk: Desk, why: str) -> Response:
    words = desk.words
    link = Link(url=url_for("choose.lost"), label=words("fresh_label"))
    return desk.message(words, "stale", words(why), status=404, link=link)
