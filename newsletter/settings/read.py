"""newsletter.toml and the environment, as one frozen value; every wrong key is named with what is allowed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from newsletter.errors import SettingsError
from newsletter.settings import values as allowed
from newsletter.settings.feeds import FEED, MAX_FEEDS, Feed
from newsletter.settings.keys import CARRIERS, KEYS, REQUIRED, SECRETS, WRITES_LEAVE, Key

FILE = "newsletter.toml"
_STATE_FILE = "sqlite:///subscribers/newsletter.db"  # what is loaded from Git and saved there
_TABLES = {"fields": allowed.fields, "interests": allowed.interests}  # whose keys everybody names for themselves
KEY_FILE = "subscribers/secret.key"  # ignored by Git, readable by its owner alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one newsletter is set up. Paths are absolute; secrets come from the environment or a file only."""

    root: Path
    database: str
    in_git: bool  # the database is a copy of the state on a branch
    state_remote: str
    state_branch: str
    state_recipients: tuple[str, ...]
    state_key: str = field(repr=False)  # from the environment only
    name: str
    tagline: str
    language: str
    timezone: str
    theme: str
    audience: str
    sender_name: str
    sender_address: str
    reply_to: str
    postal_address: tuple[str, ...]
    list_id: str
    reason: str
    site_url: str
    site_check: bool  # see that a letter's page and pictures are there before it leaves
    inline_images: bool
    time: time
    weekday: str
    quiet: tuple[str, ...]
    veto_hours: int
    window_hours: int
    recipe: tuple[str, ...]  # steps: a kind of block each, or several with "or" between them
    calendar_files: tuple[str, ...]
    calendar_regions: tuple[str, ...]  # none is all
    required_blocks: tuple[str, ...]
    checks_off: Mapping[str, str]  # id → why
    journal: Path
    serve_host: str
    serve_port: int
    serve_proxies: int  # servers of ours in front of the pages
    signup_agreement: str
    signup_per_hour: int
    signup_welcome: bool
    interests: Mapping[str, str]  # tag → what it is called on the form
    inbox_host: str  # "" = no mailbox is read
    inbox_port: int
    inbox_security: str
    inbox_username: str
    inbox_folder: str
    inbox_done: str  # "" = mails stay where they are
    inbox_password: str = field(repr=False)  # from the environment only
    leave_mode: str
    leave_mailto: str
    fields: Mapping[str, str]  # name → what it means
    feeds: tuple[Feed, ...]
    provider: str
    carrier: Mapping[str, Any]  # the section of the provider's name
    secrets: Mapping[str, str] = field(repr=False)  # those of the provider; never from newsletter.toml
    rate: float
    lanes: int
    editor: str  # a link with {path} and {line}, "" = none
    canary_people: int
    canary_minutes: int
    halt_percent: int
    now: datetime | None  # a pretended time, from the environment only
    on_runner: bool  # of GitHub Actions, whose disk is gone when the job ends
    secret_keys: tuple[bytes, ...] = field(repr=False)  # the current one first; never from newsletter.toml


def find_root(start: Path) -> Path | None:
    """The nearest folder from *start* upwards that has a newsletter.toml."""
    return next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), None)


def read_settings(root: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the newsletter in *root*. Raises SettingsError naming the key and what is allowed."""
    path = root / FILE
    try:
        data = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError as err:
        raise SettingsError(
            "there is no newsletter here", at=str(root), hint="make one: newsletter init FOLDER"
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(str(err), at=FILE, hint="texts stand in double quotes") from err
    except OSError as err:
        raise SettingsError(f"cannot be read: {err.strerror}", at=FILE) from err
    values = _checked(data)
    if environment.get("NEWSLETTER_DATABASE_URL"):
        values["database"] = _try(
            allowed.database, environment["NEWSLETTER_DATABASE_URL"], "NEWSLETTER_DATABASE_URL", secret=True
        )
    values["in_git"] = values["database"] == allowed.STATE_IN_GIT
    values["database"] = _absolute(_STATE_FILE if values["in_git"] else values["database"], root)
    values["state_key"] = environment.get("NEWSLETTER_STATE_KEY", "")
    values["journal"] = root / values["journal"]
    values["inbox_password"] = environment.get("NEWSLETTER_INBOX_PASSWORD", "")
    values["secrets"] = {name: environment[name] for name in SECRETS[values["provider"]] if environment.get(name)}
    values["now"] = pretended_now(environment, values["provider"])
    values["on_runner"] = environment.get("GITHUB_ACTIONS") == "true"
    values["secret_keys"] = _secret_keys(root, environment)
    if values["leave_mode"] == "mailto" and not values["leave_mailto"]:
        raise SettingsError(
            'mode = "mailto" needs a mailbox', at=f"{FILE} [leave]", hint='add mailto = "leave@example.org"'
        )
    if values["leave_mode"] == "provider" and (why := WRITES_LEAVE[values["provider"]]):
        raise SettingsError(
            f'mode = "provider" does not go with {values["provider"]}: {why}',
            at=f"{FILE} [leave]",
            hint='take "own", or "mailto", or a provider that does: '
            + ", ".join(name for name, why_not in WRITES_LEAVE.items() if not why_not),
        )
    return Settings(root=root, **values)


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """The value of every field of Settings that newsletter.toml decides."""
    feeds = _feeds(data.pop("feeds", []))
    for name, content in data.items():
        if name not in KEYS[""] and (name not in (*KEYS, *CARRIERS, *_TABLES) or not isinstance(content, dict)):
            known = [*KEYS[""], *KEYS, *CARRIERS, *_TABLES, "feeds"]
            raise SettingsError(f"unknown section or key {name!r}", at=FILE, hint=_nearest(name, known))
    for section, keys in (KEYS | CARRIERS).items():
        _refuse_unknown(data.get(section, {}), keys, at=f"{FILE} [{section}]")
    values: dict[str, Any] = {"feeds": feeds}
    for name, check in _TABLES.items():
        values[name] = _try(check, data.get(name, {}), f"{FILE} [{name}]")
    for section, keys in KEYS.items():
        table = data.get(section, {}) if section else data
        values |= _section(table, keys, at=f"{FILE} [{section}]" if section else FILE)
    for section, keys in CARRIERS.items():
        if section == values["provider"]:
            values["carrier"] = _section(data.get(section, {}), keys, at=f"{FILE} [{section}]")
    return values


def _feeds(tables: object) -> tuple[Feed, ...]:
    """The feeds, in their order. Their names differ, so that a note about one says which."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        hint = 'write a line [[feeds]], then name = "…" and url = "https://…"'
        raise SettingsError("feeds is no list of tables", at=FILE, hint=hint)
    if len(tables) > MAX_FEEDS:
        raise SettingsError(f"{len(tables)} feeds; there may be {MAX_FEEDS}", at=f"{FILE} [[feeds]]")
    feeds: dict[str, Feed] = {}
    for number, table in enumerate(tables, start=1):
        at = f"{FILE} [[feeds]] {number}"
        _refuse_unknown(table, FEED, at=at)
        feed = Feed(**_section(table, FEED, at=at))
        if feed.name in feeds:
            raise SettingsError(f"a second feed called {feed.name!r}", at=at, hint="call one of them otherwise")
        feeds[feed.name] = feed
    return tuple(feeds.values())


def _refuse_unknown(table: Iterable[str], keys: Mapping[str, Key], *, at: str) -> None:
    for name in table:
        if name not in keys:
            raise SettingsError(f"unknown key {name!r}", at=at, hint=_nearest(name, keys))


def _section(table: Mapping[str, object], keys: Mapping[str, Key], *, at: str) -> dict[str, Any]:
    values = {}
    for name, key in keys.items():
        if name in table:
            values[key.field or name] = _try(key.check, table[name], f"{at} {name}", secret=key.secret)
        elif key.default is REQUIRED:
            raise SettingsError(f"{name!r} is missing", at=at, hint=key.about)
        else:
            values[key.field or name] = key.default
    return values


def _try(check: Callable[[object], Any], value: object, at: str, *, secret: bool = False) -> Any:  # noqa: ANN401
    try:
        return check(value)
    except ValueError as err:
        shown = "the value" if secret else repr(value)
        raise SettingsError(f"{shown} is not {err}", at=at) from err


def _nearest(name: str, known: Iterable[str]) -> str:
    names = [each for each in known if each]
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(names)}"


def _absolute(url: str, root: Path) -> str:
    """A SQLite address with its file seen from *root*, so that commands work from every folder."""
    if not url.startswith("sqlite:///"):
        return url
    return f"sqlite:///{root / url.removeprefix('sqlite:///')}"


def _secret_keys(root: Path, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """The keys that sign links, the current one first: from the environment, else from the key file."""
    source = environment.get("NEWSLETTER_SECRET_KEYS")
    if not source:  # on GitHub, a secret that was never set is an empty text
        try:
            source = (root / KEY_FILE).read_text()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as err:
            raise SettingsError("the keys cannot be read", at=KEY_FILE) from err
    keys = tuple(key.encode() for key in source.split())
    if any(not 32 <= len(key) <= 64 for key in keys):
        raise SettingsError(
            "a key has not 32 to 64 characters",
            at="NEWSLETTER_SECRET_KEYS or " + KEY_FILE,
            hint="newsletter init writes a good one",
        )
    return keys


def pretended_now(environment: Mapping[str, str], provider: str) -> datetime | None:
    """The time NEWSLETTER_NOW pretends it is, None without it. Raises SettingsError where people would be mailed."""
    pretended = environment.get("NEWSLETTER_NOW")
    if not pretended:
        return None
    if provider != "outbox":
        raise SettingsError(
            "a pretended time goes with the outbox only",
            at="NEWSLETTER_NOW",
            hint=f'unset it, or [provider] name = "outbox"; {provider} mails people',
        )
    try:
        now = datetime.fromisoformat(pretended)
    except ValueError as err:
        raise SettingsError(
            f"{pretended!r} is no time", at="NEWSLETTER_NOW", hint="write e.g. 2026-11-23T20:00:00+00:00"
        ) from err
    return (now if now.tzinfo else now.replace(tzinfo=UTC)).astimezone(UTC)
