"""Sign-up: the form, the question whether it was really you, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request, url_for

from newsletter.app.answering import CONFIRM
from newsletter.app.visiting import Details, zones
from newsletter.audience.addresses import BadAddress
from newsletter.errors import LinkInvalid
from newsletter.web.public_desk import Button, Desk, Link, alike, masked

if TYPE_CHECKING:
    from flask import Response

# Filled in by programs that fill in everything; people do not see it. No name that a browser fills in by itself.
TRAP = "topic"


def joining(desk: Desk) -> Blueprint:
    """The pages by which people come."""
    pages = Blueprint("join", __name__)

    @pages.get("/")
    @pages.get("/subscribe")
    @alike
    def form() -> Response:
        return _form(desk, address="", details=Details(), wrong=False)

    @alike
    def asked() -> Response:
        return desk.mailbox(url_for("join.form"))

    @pages.post("/")
    @pages.post("/subscribe")
    def ask() -> Response:
        desk.one_more_mail()
        told = request.form
        address = told.get("address", "").strip()
        details = Details(
            first_name=told.get("first_name", ""),
            interests=frozenset(told.getlist("interest")),
            zone=told.get("zone", ""),
        )
        try:
            if told.get(TRAP):
                desk.visiting.ask_for_nothing()
            else:
                desk.visiting.ask_to_join(address, details)
        except BadAddress:
            return _form(desk, address=address, details=details, wrong=True)
        return asked()

    @pages.get("/confirm/<word>")
    def ask_again(word: str) -> Response:
        try:
            person = desk.visiting.person(CONFIRM, word)
        except LinkInvalid:
            return _stale(desk)
        words = desk.words_for(person)
        button = Button(url=url_for("join.confirm", word=word), label=words("confirm_label"))
        who = words("confirm_who", address=masked(person))
        return desk.message(words, "confirm", who, said=desk.visiting.settings.signup_agreement, button=button)

    @pages.post("/confirm/<word>")
    def confirm(word: str) -> Response:
        try:
            person = desk.visiting.confirm(word)
        except LinkInvalid:
            return _stale(desk)
        words = desk.words_for(person)
        return desk.message(words, "confirmed", words("confirmed_more"), ring=True)

    return pages


def _form(desk: Desk, *, address: str, details: Details, wrong: bool) -> Response:
    settings, words = desk.visiting.settings, desk.words
    return desk.page(
        "join.html",
        words,
        status=400 if wrong else 200,
        title=words("join"),
        address=address,
        typed=details,
        wrong=wrong,
        offered=settings.interests,
        zones=zones(),
        usual_zone=settings.timezone,
        agreement=settings.signup_agreement,
        trap=TRAP,
    )


def _stale(desk: Desk) -> Response:
    words = desk.words
    link = Link(url=url_for("join.form"), label=words("join_label"))
    return desk.message(words, "stale", words("stale_confirm"), status=404, link=link)
