"""Leaving: with one click in a mail program (RFC 8058), or by a page that asks once, and can be undone for an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from newsletter.audience.subscriber import State
from newsletter.errors import LinkInvalid
from newsletter.web.public_desk import Button, Desk, Link, masked

if TYPE_CHECKING:
    from flask import Response


def leaving(desk: Desk) -> Blueprint:
    """The pages by which people go. The token in them is good for ever, and for this alone."""
    pages = Blueprint("leave", __name__, url_prefix="/leave")

    @pages.get("/<token>")
    def ask(token: str) -> Response:
        person = desk.visiting.leaver(token)
        if person is None:
            return _unknown(desk)
        words = desk.words_for(person)
        rest = Button(
            url=url_for("leave.rest", token=token),
            label=words("pause_label"),
            title=words("pause_instead"),
            why=words("pause_why"),
        )
        button = Button(url=url_for("leave.leave", token=token), label=words("leave_label"))
        second = rest if person.state is State.ACTIVE else None
        return desk.message(words, "leave", words("leave_who", address=masked(person)), button=button, second=second)

    # A mail program sends one line and expects 200: no redirect, no cookie, no question. Whatever else is sent,
    # or nothing, somebody pressed a button that said so.
    @pages.post("/<token>")
    def leave(token: str) -> Response:
        left = desk.visiting.leave(token, how="one-click" if _by_program() else "page")
        if left is None:
            return _unknown(desk)
        words = desk.words_for(left.person)
        gone = words("left_more", address=masked(left.person))
        if not left.undo:
            link = Link(url=url_for("join.form"), label=words("join_label"))
            return desk.message(words, "left", gone, words("come_back"), link=link)
        button = Button(url=url_for("leave.undo"), label=words("undo_label"), hidden={"word": left.undo})
        return desk.message(words, "left", gone, words("undo_ask"), button=button)

    @pages.post("/<token>/rest")
    def rest(token: str) -> Response:
        rested = desk.visiting.rest(token)
        if rested is None:
            return _unknown(desk)
        person, until = rested
        words = desk.words_for(person)
        return desk.message(words, "paused", words("paused_more", day=words.day(until)))

    @pages.post("/undo")
    def undo() -> Response:
        try:
            person = desk.visiting.undo(request.form.get("word", ""))
        except LinkInvalid:
            link = Link(url=url_for("join.form"), label=desk.words("join_label"))
            return desk.message(desk.words, "stale", desk.words("stale_undo"), status=404, link=link)
        words = desk.words_for(person)
        return desk.message(words, "undone", words("undone_more"), ring=True)

    return pages


def _by_program() -> bool:
    """Whether what was sent is what mail programs send."""
    try:
        return request.form.get("List-Unsubscribe") == "One-Click"
    except RequestEntityTooLarge:
        return False


def _unknown(desk: Desk) -> Response:
    words = desk.words
    link = Link(url=url_for("choose.lost"), label=words("fresh_label"))
    return desk.message(words, "e404", words("e404_leave"), status=404, link=link)
