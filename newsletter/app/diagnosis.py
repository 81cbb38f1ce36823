"""The doctor: looks at everything a newsletter needs, and says of each thing what is wrong and how to mend it.

In the order in which somebody new would set things up. What may keep us waiting (the database, the provider, DNS,
the pages) is looked at in threads, all at once, and nobody waits for any of them longer than a while.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic

from newsletter.app import durability
from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.app.sender import sender_of
from newsletter.content.issue import Level
from newsletter.errors import NewsletterError
from newsletter.settings.keys import SECRETS
from newsletter.settings.read import FILE, KEY_FILE, Settings, read_settings
from newsletter.sources import domain, git, workflows
from newsletter.sources.finding import Finding, error, fine, is_example, warning
from newsletter.sources.names import Dns

PATIENCE_S = 15.0  # for all that may keep us waiting, together
_AS_THIS_MACHINE = Dns()


def examine(
    root: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    dns: Dns = _AS_THIS_MACHINE,
    patience_s: float = PATIENCE_S,
) -> list[Finding]:
    """What was found in the newsletter at *root*; without settings, nothing else can be looked at."""
    try:
        settings = read_settings(root, environment)
    except NewsletterError as err:
        return [error("settings", str(err), err.hint)]
    with Newsletter(settings) as newsletter:
        return [fine("settings", str(root / FILE)), *_look(newsletter, environment, dns, patience_s)]


def _look(newsletter: Newsletter, environment: Mapping[str, str], dns: Dns, patience_s: float) -> Iterator[Finding]:
    until = monotonic() + patience_s
    slow = [
        _Slow("database", error, lambda: _database(newsletter, environment)),
        _Slow("provider", error, lambda: _provider(newsletter)),
        _Slow("sender domain", warning, lambda: _sender_domain(newsletter.settings, dns)),
        _Slow("site", warning, lambda: _pages(newsletter)),
    ]
    for what, look in (
        ("keys", partial(_keys, newsletter.settings, environment)),
        ("secrets", partial(_secrets, newsletter.settings)),
        ("theme", partial(_theme, newsletter)),
        ("segments", partial(_segments, newsletter)),
        ("letters", partial(_letters, newsletter)),
        ("privacy", partial(_privacy, newsletter)),
        ("workflows", partial(workflows.examine, newsletter.settings.root)),
    ):
        yield from _tried(what, look)
    for each in slow:
        yield from each.findings(until)


def _tried(what: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except NewsletterError as err:
        return [error(what, str(err), err.hint)]


class _Slow:
    """A look that begins at once, beside the others, and is given up when the time is over."""

    def __init__(
        self, what: str, verdict: Callable[[str, str, str], Finding], look: Callable[[], Iterable[Finding]]
    ) -> None:
        """*verdict* is how bad it is if nothing is heard."""
        self._what, self._verdict, self._look = what, verdict, look
        self._found: list[Finding] | None = None
        self._bug: BaseException | None = None
        # A daemon: whoever hangs in a name lookup must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = _tried(self._what, self._look)
        except BaseException as err:  # noqa: BLE001 - raised again where somebody hears it
            self._bug = err

    def findings(self, until: float) -> list[Finding]:
        """What was found by then."""
        self._thread.join(max(0.0, until - monotonic()))
        if self._bug:
            raise self._bug
        if self._found is None:
            return [self._verdict(self._what, "no answer in time", "look again; if it stays so, look at the network")]
        return self._found


def _database(newsletter: Newsletter, environment: Mapping[str, str]) -> Iterator[Finding]:
    """All that is asked of the database; one thing after another, as they share its connection."""
    found = list(durability.examine(newsletter, environment))
    yield from found
    if all(each.ok for each in found):
        from newsletter.app import leaving_look, rhythm

        yield from rhythm.examine(newsletter)
        yield from leaving_look.examine(newsletter)


def _keys(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    count = len(settings.secret_keys)
    if not count:
        fix = f"newsletter init . writes {KEY_FILE}; on a server set NEWSLETTER_SECRET_KEYS"
        yield error("keys", "there is no key to sign links with", fix)
    elif "NEWSLETTER_SECRET_KEYS" not in environment and _others_read(settings.root / KEY_FILE):
        yield error("keys", f"{KEY_FILE} can be read by others", f"chmod 600 {KEY_FILE}")
    else:
        yield fine("keys", f"{count} key{'s' if count != 1 else ''}, not shown")


def _others_read(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _secrets(settings: Settings) -> Iterator[Finding]:
    """Whether the environment holds what the provider needs; whether it is right, only the provider knows."""
    wanted = _needed(settings)
    missing = [name for name in wanted if name not in settings.secrets]
    given = [name for name in wanted if name in settings.secrets]
    if missing:
        told = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
        fix = f"{settings.provider} needs it; set it in the environment, on GitHub as a secret of the repository"
        yield error("secrets", told + (f"; {', '.join(given)} set" if given else ""), fix)
    elif given:
        yield fine("secrets", f"{', '.join(given)} set, not shown")


def _needed(settings: Settings) -> list[str]:
    unless = {
        "NEWSLETTER_SMTP_PASSWORD": settings.carrier.get("username"),
        "NEWSLETTER_DKIM_KEY": settings.carrier.get("dkim_selector"),
        "AWS_SESSION_TOKEN": settings.secrets.get("AWS_SESSION_TOKEN"),  # of borrowed credentials only
    }
    return [name for name in SECRETS[settings.provider] if unless.get(name, True)]


def _theme(newsletter: Newsletter) -> Iterator[Finding]:
    from newsletter.rendering.theme import read_theme
    from newsletter.rendering.theme_lint import lint_theme

    settings = newsletter.settings
    files = newsletter.workspace.theme(settings.theme)
    read_theme(settings.theme, files, language=settings.language)
    problems = lint_theme(settings.theme, files)
    for problem in problems:
        verdict = error if problem.level is Level.ERROR else warning
        yield verdict("theme", f"{problem.at}: {problem.what}", problem.hint)
    if not problems:
        yield fine("theme", f"templates/{settings.theme}")


def _segments(newsletter: Newsletter) -> Iterator[Finding]:
    yield fine("segments", ", ".join(sorted(Letters(newsletter).segments())))


def _letters(newsletter: Newsletter) -> Iterator[Finding]:
    ids = newsletter.workspace.letter_ids()
    told = f"{len(ids)} in issues/"
    yield fine("letters", told) if ids else error("letters", told, 'begin one: newsletter new "A title"')


def _privacy(newsletter: Newsletter) -> Iterator[Finding]:
    settings = newsletter.settings
    private = {KEY_FILE: settings.root / KEY_FILE}
    if settings.provider == "outbox":
        outbox = settings.root / settings.carrier["folder"]
        private[f"{newsletter.workspace.relative(outbox)}/"] = outbox / "a"
    if settings.database.startswith("sqlite:///"):
        path = Path(settings.database.removeprefix("sqlite:///"))
        private[newsletter.workspace.relative(path)] = path
    if newsletter.has_journal:
        private[newsletter.workspace.relative(settings.journal)] = settings.journal
    exposed = [name for name, path in private.items() if git.would_commit(settings.root, path)]
    if exposed:
        lines = " ".join(f"/{name}" for name in exposed)
        yield error("privacy", f"Git does not ignore {', '.join(exposed)}", f"add to .gitignore: {lines}")
    else:
        yield fine("privacy", "addresses, messages and keys are out of Git's reach")


def _provider(newsletter: Newsletter) -> Iterator[Finding]:
    """What the provider can be asked without sending anything."""
    from newsletter.app.carriers import carrier

    settings = newsletter.settings
    if any(name not in settings.secrets for name in _needed(settings)):
        return  # the missing secret was said, and it would only say it again
    with closing(carrier(settings, lanes=1, stop=lambda: False, clock=newsletter.clock)) as provider:
        for look in provider.examine():
            yield fine(look.what, look.detail) if look.ok else error(look.what, look.detail, look.fix)


def _sender_domain(settings: Settings, dns: Dns) -> list[Finding]:
    """Nothing where nobody is mailed: a first letter into the outbox needs no domain and no network."""
    return [] if settings.provider == "outbox" else domain.examine(sender_of(settings), dns)


def _pages(newsletter: Newsletter) -> Iterator[Finding]:
    """The pages that letters lead to, and the clock, which is held against theirs."""
    from newsletter.sources import reach

    settings = newsletter.settings
    pretended = " (pretended, by NEWSLETTER_NOW)" if settings.now else ""
    time = f"{newsletter.clock():%Y-%m-%d %H:%M} UTC{pretended}"
    if settings.provider == "outbox":
        yield fine("clock", time)
        return
    host = settings.site_url.split("/")[2].partition(":")[0]
    if is_example(host):
        yield error(
            "site", f"{settings.site_url} is nobody's: a name for examples", "set [site] url to where your pages are"
        )
        yield fine("clock", time)
        return
    answer = reach.ask(settings.site_url)
    yield reach.site(settings.site_url, answer)
    if settings.leave_mode == "own" and not answer.failed:
        leave = f"{settings.site_url}/leave/example"  # where the link of a proof leads
        yield reach.leave_page(leave, reach.ask(leave))
    yield reach.clock(time, answer.ahead)
