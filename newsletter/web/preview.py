"""The preview's pages: the letters to choose from, and one of them with all that can be seen of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from flask import Blueprint, Flask, Response, abort, jsonify, render_template, request, url_for

from newsletter.app.copies import Copy, Good, copy_for
from newsletter.app.previewing import Previewing, Sight
from newsletter.errors import NotFound
from newsletter.rendering.checks.page import CLIPPED_BYTES
from newsletter.web.loopback import LETTER_POLICY, guard
from newsletter.web.screen import for_screen

if TYPE_CHECKING:
    from newsletter.content.issue import Problem

WAIT_S = 20.0  # how long a browser that waits for news is kept without any
FRAME = "<!DOCTYPE html><html lang=en><head><title>The letter</title></head><body></body></html>"


def preview_app(desk: Previewing, *, word: str, hosts: frozenset[str], stop: Callable[[], bool]) -> Flask:
    """The pages of *desk* below `/<word>/`, for whoever asks for one of *hosts*; nobody waits once *stop* is true."""
    app = Flask("newsletter.web", static_folder=None)
    pages = Blueprint("pages", "newsletter.web", url_prefix=f"/{word}", static_folder="static")
    guard(app, word=word, hosts=hosts)

    @pages.get("/")
    def letters() -> str:
        return render_template("letters.html", name=desk.settings.name, choices=desk.choices())

    @pages.get("/letters/<issue>")
    def letter(issue: str) -> str:
        view = _or_404(lambda: desk.view(issue))
        return render_template("preview.html", name=desk.settings.name, issue=view.issue_id, readers=desk.readers())

    @pages.get("/letters/<issue>/now")
    def now(issue: str) -> Response:
        view = _or_404(lambda: desk.view(issue))
        after = _number("after")
        gone = request.environ["waitress.client_disconnected"]  # a page that asks something else hangs up
        sight = view.after(after, wait_s=WAIT_S, stop=lambda: stop() or gone()) if after else view.now()
        return jsonify(_told(desk, sight, view.issue_id))

    @pages.get("/letters/<issue>/pictures/<digest>")
    def picture(issue: str, digest: str) -> Response:
        good = _or_404(lambda: desk.view(issue)).now().good
        found = [each for each in good.edition.images if each.digest == digest] if good else []
        if not found or found[0].file not in good.pictures:
            abort(404)
        return Response(good.pictures[found[0].file], mimetype=f"image/{found[0].kind.replace('jpg', 'jpeg')}")

    @pages.get("/people")
    def people() -> Response:
        # In a header: what is typed may be somebody's address, and browsers keep what they ask for.
        found, why_not = desk.people(unquote(request.headers.get("X-Words", "")).strip()[:100])
        return jsonify(
            {"found": [{"key": each.key, "label": each.label, "note": each.note} for each in found], "whyNot": why_not}
        )

    @pages.get("/frame")
    def frame() -> Response:
        return Response(FRAME, headers={"Content-Security-Policy": LETTER_POLICY})

    app.register_blueprint(pages)
    return app


def _or_404(look: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is looked for
    try:
        return look()
    except NotFound:
        abort(404)


def _number(name: str) -> int:
    given = request.args.get(name, "0")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def _told(desk: Previewing, sight: Sight, issue: str) -> dict[str, Any]:
    """What the page needs to show *sight* as it was asked; `copy` is None until the letter could be rendered once."""
    reader = desk.reader(request.args.get("reader", ""))
    met, dark = frozenset(request.args.getlist("met")), request.args.get("light") == "dark"
    copy = copy_for(sight.good, reader, met=met, now=desk.clock()) if sight.good else None
    return {
        "number": sight.number,
        "path": sight.path,
        "fresh": sight.fresh,
        "since": sight.good.at.isoformat() if sight.good else "",
        "problems": [_problem(desk, each) for each in sight.problems],
        "texts": dict(sight.texts),
        "reader": reader.key,
        "copy": _copy(copy, pictures=_pictures(sight.good, issue), dark=dark) if copy else None,
        "from": desk.settings.sender_name,
        "clippedAt": CLIPPED_BYTES,
    }


def _pictures(good: Good | None, issue: str) -> dict[str, str]:
    """Where this page has each picture of the letter, by the address that readers are given."""
    images = good.edition.images if good else ()
    return {each.address: url_for("pages.picture", issue=issue, digest=each.digest) for each in images}


def _copy(copy: Copy, *, pictures: Mapping[str, str], dark: bool) -> dict[str, Any]:
    return {
        "html": for_screen(copy.html.decode(), pictures=pictures, dark=dark),
        "text": copy.text.decode(),
        "message": copy.message.decode("ascii", "replace"),
        "subject": copy.subject,
        "preheader": copy.preheader,
        "bytes": len(copy.html),
        "conditions": [{"name": name, "met": met} for name, met in copy.conditions],
    }


def _problem(desk: Previewing, problem: Problem) -> dict[str, Any]:
    link = desk.settings.editor
    path = quote(str(desk.settings.root.absolute() / problem.at.path))
    return {
        "level": problem.level,
        "path": problem.at.path,
        "line": problem.at.line,
        "what": problem.what,
        "hint": problem.hint,
        "check": problem.check,
        "editor": link.replace("{path}", path).replace("{line}", str(problem.at.line or 1)) if link else "",
    }
