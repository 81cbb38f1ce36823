"""The doctor: looks at everything a newsletter needs, and says of each thing what is wrong and how to mend it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.errors import NewsletterError
from newsletter.settings.read import FILE, KEY_FILE, read_settings
from newsletter.sources import git


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `fix` says what to do where it is not ok."""

    what: str
    ok: bool
    detail: str
    fix: str = ""


def examine(root: Path) -> list[Finding]:
    """What was found in the newsletter at *root*; without settings, nothing else can be looked at."""
    try:
        settings = read_settings(root)
    except NewsletterError as err:
        return [Finding(what="settings", ok=False, detail=str(err), fix=err.hint)]
    with Newsletter(settings) as newsletter:
        return [Finding(what="settings", ok=True, detail=str(root / FILE)), *_look(newsletter)]


def _look(newsletter: Newsletter) -> Iterator[Finding]:
    for what, look in (
        ("theme", _theme),
        ("segments", _segments),
        ("letters", _letters),
        ("keys", _keys),
        ("database", _database),
        ("privacy", _privacy),
        ("clock", _clock),
    ):
        yield from _tried(what, newsletter, look)
    yield from _provider(newsletter)


def _tried(what: str, newsletter: Newsletter, look: Callable[[Newsletter], tuple[bool, str, str]]) -> Iterator[Finding]:
    try:
        ok, detail, fix = look(newsletter)
    except NewsletterError as err:
        yield Finding(what=what, ok=False, detail=str(err), fix=err.hint)
    else:
        yield Finding(what=what, ok=ok, detail=detail, fix=fix)


def _theme(newsletter: Newsletter) -> tuple[bool, str, str]:
    from newsletter.rendering.inline import refuse_traps
    from newsletter.rendering.theme import read_theme

    settings = newsletter.settings
    theme = read_theme(settings.theme, newsletter.workspace.theme(settings.theme), language=settings.language)
    refuse_traps(theme.name, theme.base_css, theme.client_css)
    return True, f"templates/{settings.theme}", ""


def _segments(newsletter: Newsletter) -> tuple[bool, str, str]:
    return True, ", ".join(sorted(Letters(newsletter).segments())), ""


def _letters(newsletter: Newsletter) -> tuple[bool, str, str]:
    ids = newsletter.workspace.letter_ids()
    return bool(ids), f"{len(ids)} in issues/", "" if ids else 'begin one: newsletter new "A title"'


def _keys(newsletter: Newsletter) -> tuple[bool, str, str]:
    count = len(newsletter.settings.secret_keys)
    if not count:
        return (
            False,
            "there is no key to sign links with",
            f"newsletter init . writes {KEY_FILE}; on a server set NEWSLETTER_SECRET_KEYS",
        )
    path = newsletter.settings.root / KEY_FILE
    if "NEWSLETTER_SECRET_KEYS" not in os.environ and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return False, f"{KEY_FILE} can be read by others", f"chmod 600 {KEY_FILE}"
    return True, f"{count} key{'s' if count != 1 else ''}, not shown", ""


def _database(newsletter: Newsletter) -> tuple[bool, str, str]:
    if not newsletter.has_database():
        return False, "there is none yet", "newsletter db upgrade"
    from newsletter.app.people import People  # the doctor works without a database, too

    counts = People(newsletter).count()
    return True, f"{newsletter.database.place}, {sum(counts.values()):,} people", ""


def _provider(newsletter: Newsletter) -> Iterator[Finding]:
    """What the provider can be asked without sending anything."""
    from newsletter.app.carriers import carrier

    try:
        with closing(carrier(newsletter.settings, lanes=1, stop=lambda: False, clock=newsletter.clock)) as provider:
            for look in provider.examine():
                yield Finding(what=look.what, ok=look.ok, detail=look.detail, fix=look.fix)
    except NewsletterError as err:
        yield Finding(what="provider", ok=False, detail=str(err), fix=err.hint)


def _privacy(newsletter: Newsletter) -> tuple[bool, str, str]:
    settings = newsletter.settings
    private = {KEY_FILE: settings.root / KEY_FILE}
    if settings.provider == "outbox":
        outbox = settings.root / settings.carrier["folder"]
        private[f"{newsletter.workspace.relative(outbox)}/"] = outbox / "a"
    if settings.database.startswith("sqlite:///"):
        path = Path(settings.database.removeprefix("sqlite:///"))
        private[newsletter.workspace.relative(path)] = path
    exposed = [name for name, path in private.items() if git.would_commit(settings.root, path)]
    if exposed:
        lines = " ".join(f"/{name}" for name in exposed)
        return False, f"Git does not ignore {', '.join(exposed)}", f"add to .gitignore: {lines}"
    return True, "addresses, messages and keys are out of Git's reach", ""


def _clock(newsletter: Newsletter) -> tuple[bool, str, str]:
    now = newsletter.clock()
    pretended = " (pretended, by NEWSLETTER_NOW)" if newsletter.settings.now else ""
    return True, f"{now:%Y-%m-%d %H:%M} UTC{pretended}", ""
