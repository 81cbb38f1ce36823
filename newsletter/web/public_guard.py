"""What every public page is answered with, and whom it is answered to.

There are no cookies and no sessions: a visitor is known by the word in the address or in the form, and by nothing
that a browser adds by itself. So a page of somebody else's can make a browser send a form here, but not one that
holds a word it does not know, and there is nothing for a token against forged requests to guard. The sign-up form
may be sent from anywhere, by intention.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import abort, request
from werkzeug.routing import RequestRedirect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask, Response

MAX_FORM_BYTES = 16 * 1024  # more than any of our forms can hold
ALWAYS_ANSWERED = "health"  # whoever looks after the machine asks by a number, not by our name
FOR_EVERYBODY = frozenset({"join.form", "shared.asset", "shared.robots", ALWAYS_ANSWERED})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_YEAR_S = 365 * 24 * 3600
_DEFAULT_PORT = re.compile(r":(?:80|443)\Z")


def guard(app: Flask, *, site_url: str) -> None:
    """Let *app* answer only whoever asks for the site's own name, and tell browsers to keep all to themselves."""
    site = urlsplit(site_url)
    own = _DEFAULT_PORT.sub("", site.netloc)
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # else `//` is answered with a redirect

    @app.before_request
    def redirect_nobody() -> None:
        # Some paths of slashes alone would be, all the same. Whoever leaves by one click must never meet one.
        if isinstance(request.routing_exception, RequestRedirect):
            abort(404)

    @app.before_request
    def refuse_other_names() -> None:
        asked = _DEFAULT_PORT.sub("", request.headers.get("Host", "").lower())
        if asked != own and request.endpoint != ALWAYS_ANSWERED:
            abort(400)

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"  # or a link on a page would carry its word away
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        if request.endpoint not in FOR_EVERYBODY:
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        if site.scheme == "https":
            response.headers["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
        return response


def under(prefix: str, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """*app* as it is found below the path *prefix* of its site; what is elsewhere reaches it as no page at all."""

    def answer(environ: dict[str, str], start_response: object) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        inside = path == prefix or path.startswith(f"{prefix}/")
        if inside or path != "/health":
            environ["SCRIPT_NAME"] = prefix
            environ["PATH_INFO"] = (path[len(prefix) :] or "/") if inside else "/no such page"
        return app(environ, start_response)

    return answer
