"""A page for the person at this machine, and for nobody else: who may ask, and what browsers are told.

Any page of the web can make a browser ask 127.0.0.1, and by rebinding a name of its own to it, can read the answer
too. So the name that is asked for must be ours, the asking page must be ours, and every address begins with a random
word that no other page knows and that is sent nowhere.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING

from flask import abort, request

if TYPE_CHECKING:
    from flask import Flask, Response

HOST = "127.0.0.1"
METHODS = ("GET", "HEAD")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A letter has its styles in its attributes and its pictures on the web, and must not run anything. Same origin, so
# that the page around it can put its new text in place; without scripts it can do nothing with that.
LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; font-src https:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)


def new_word() -> str:
    """A word nobody can guess."""
    return secrets.token_urlsafe(18)


def guard(app: Flask, *, word: str, hosts: frozenset[str]) -> None:
    """Let *app* answer only whoever asks for one of *hosts* (host:port), from no other page, and knows *word*."""

    @app.before_request
    def refuse_strangers() -> None:
        if request.method not in METHODS:
            abort(405)
        asked = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        if asked not in hosts or (origin is not None and origin != f"http://{asked}"):
            abort(403)
        # A link that a person follows, in a chat or in another program's page, may lead here; nothing else may.
        followed = request.headers.get("Sec-Fetch-Dest") == "document"
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not followed:
            abort(403)
        given = request.path.split("/")[1]
        if not compare_digest(given.encode(), word.encode()):
            abort(404)

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"  # or a link in a letter would carry the word away
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response
