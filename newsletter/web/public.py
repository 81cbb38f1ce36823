"""The public pages as one application: `newsletter serve`, or any WSGI server with `newsletter.web.public:application`.

They need no JavaScript, set no cookie, and keep nothing of who asks.
"""

from __future__ import annotations

import re
import tomllib
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from newsletter.app.newsletter import Newsletter
from newsletter.app.visiting import Visiting
from newsletter.errors import NewsletterError, SettingsError
from newsletter.settings.read import FILE, find_root, read_settings
from newsletter.web.public_choosing import choosing
from newsletter.web.public_desk import Desk, Link
from newsletter.web.public_guard import ALWAYS_ANSWERED, guard, under
from newsletter.web.public_joining import joining
from newsletter.web.public_leaving import leaving
from newsletter.web.public_words import OWN, Languages

if TYPE_CHECKING:
    from types import TracebackType

Wsgi = Callable[..., Iterable[bytes]]

_STATIC = Path(__file__).with_name("static")
_ASSETS = {"pages.css": "text/css", "zone.js": "text/javascript", "ring.svg": "image/svg+xml"}
_ASSET_LIFE_S = 3600
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_NAME = re.compile(r"[a-z_]+")
_WAIT_S = {429: 900, 503: 60}
_PERSONAL = ("confirm", "leave", "preferences", "me")


class _Pages(Flask):
    """Flask, except for what it would write into a log: the path, in which stands a word that opens something."""

    def log_exception(self, exc_info: Any) -> None:  # noqa: ANN401 - as Flask has it
        """Say what went wrong and where, and not for whom."""
        kind, _, frames = exc_info
        self.logger.error("%s at %s", kind.__name__, _place(frames))


def application() -> Wsgi:
    """The pages of the newsletter in this folder, or above it; what a WSGI server calls once in each process."""
    root = find_root(Path.cwd()) or Path.cwd()
    return public_pages(Newsletter(read_settings(root)))


def public_pages(newsletter: Newsletter) -> Wsgi:
    """The pages of *newsletter*, below the path of its site. Raises SettingsError or StoreError."""
    settings = newsletter.settings
    if settings.in_git:
        hint = 'database = "sqlite:///…" on a machine that stays, or a PostgreSQL: docs/operations.md, "The pages"'
        raise SettingsError("the pages cannot work on a database in Git", at=f"{FILE} database", hint=hint)
    _ = newsletter.signer  # or the first who comes would find out that there is no key
    files = newsletter.workspace
    languages = Languages(usual=settings.language, own=files.optional(OWN) or "")
    desk = Desk(visiting=Visiting(newsletter), languages=languages)
    app = public_app(desk, colours=_colours(newsletter))
    prefix = urlsplit(settings.site_url).path
    pages: Wsgi = under(prefix, app.wsgi_app) if prefix else app.wsgi_app
    if settings.serve_proxies:
        # The host is not taken from a proxy's word: each passes on the one it was asked for.
        return ProxyFix(pages, x_for=settings.serve_proxies, x_proto=settings.serve_proxies, x_host=0)
    return pages


def public_app(desk: Desk, *, colours: str) -> Flask:
    """The pages themselves; *colours* is a style sheet that goes over ours."""
    app = _Pages("newsletter.web", template_folder="pages", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = False  # whatever FLASK_DEBUG says: servers log the path of what is raised
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    guard(app, site_url=desk.visiting.settings.site_url)
    for pages in (joining(desk), leaving(desk), choosing(desk), _shared(desk, colours)):
        app.register_blueprint(pages)

    @app.get("/health", endpoint=ALWAYS_ANSWERED)
    def health() -> Response:
        well = desk.visiting.is_well()
        text = "ok\n" if well else "the database does not answer\n"
        return Response(text, status=200 if well else 503, mimetype="text/plain")

    @app.errorhandler(HTTPException)
    def refuse(problem: HTTPException) -> Response:
        response = _refusal(desk, problem.code or 500)
        if problem.code == 405:  # it has to say what is allowed instead (RFC 9110, 15.5.6)
            response.headers.extend((name, value) for name, value in problem.get_headers() if name == "Allow")
        return response

    @app.errorhandler(NewsletterError)
    def busy(problem: NewsletterError) -> Response:
        app.logger.error("%s", problem)
        return _refusal(desk, 503)

    return app


def _shared(desk: Desk, colours: str) -> Blueprint:
    """What is nobody's page."""
    shared = Blueprint("shared", __name__)
    assets = {name: (_STATIC / name).read_bytes() for name in _ASSETS} | {"colours.css": colours.encode()}

    @shared.get("/assets/<name>")
    def asset(name: str) -> Response:
        if name not in assets:
            abort(404)
        response = Response(assets[name], mimetype=_ASSETS.get(name, "text/css"))
        response.headers["Cache-Control"] = f"public, max-age={_ASSET_LIFE_S}"
        response.add_etag()
        response.make_conditional(request)
        return response

    @shared.get("/robots.txt")
    def robots() -> Response:
        prefix = urlsplit(desk.visiting.settings.site_url).path
        lines = ["User-agent: *", *(f"Disallow: {prefix}/{each}/" for each in _PERSONAL)]
        return Response("\n".join(lines) + "\n", mimetype="text/plain")

    return shared


def _refusal(desk: Desk, code: int) -> Response:
    """The page for an error, in the words for it or for what is nearest."""
    words = desk.words
    known = f"e{code}" if f"e{code}" in words else "e500" if code >= 500 else "e400"
    link = Link(url=url_for("choose.lost"), label=words("fresh_label")) if code == 404 else None
    response = desk.message(words, known, words(f"{known}_more"), status=code, link=link)
    if wait_s := _WAIT_S.get(code):
        response.headers["Retry-After"] = str(wait_s)
    return response


def _colours(newsletter: Newsletter) -> str:
    """The palette of the newsletter's theme as a style sheet; a colour that it does not name stays ours."""
    path = f"templates/{newsletter.settings.theme}/theme.toml"
    try:
        palette = tomllib.loads(newsletter.workspace.optional(path) or "").get("colours", {})
    except tomllib.TOMLDecodeError as err:
        raise SettingsError(str(err), at=path) from err

    def rules(light: str) -> str:
        named = palette.get(light, {}).items()
        return " ".join(f"--{name}: {value};" for name, value in named if _is_colour(name, value))

    return f":root {{ {rules('light')} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {rules('dark')} }} }}\n"


def _is_colour(name: str, value: object) -> bool:
    return bool(_NAME.fullmatch(name)) and isinstance(value, str) and bool(_COLOUR.fullmatch(value))


def _place(frames: TracebackType | None) -> str:
    last = traceback.extract_tb(frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
