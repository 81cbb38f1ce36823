"""newsletter.toml and the environment, as one frozen value; every wrong key is named with what is allowed."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.errors import SettingsError

FILE = "newsletter.toml"
KEY_FILE = "subscribers/secret.key"  # ignored by Git, readable by its owner alone
REAL_PROVIDERS: tuple[str, ...] = ()
PROVIDERS = ("outbox", *REAL_PROVIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one newsletter is set up. Paths are absolute; secrets come from the environment or a file only."""

    root: Path
    # [newsletter]
    name: str
    tagline: str
    language: str
    timezone: str
    theme: str
    audience: str
    # [sender]
    sender_name: str
    sender_address: str
    reply_to: str
    postal_address: tuple[str, ...]
    list_id: str
    reason: str
    # [site]
    site_url: str
    # [schedule]
    time: time
    window_hours: int
    # [leave]
    leave_mode: str
    leave_mailto: str
    # [fields]
    fields: Mapping[str, str]
    # top level, [provider]
    database: str
    provider: str
    outbox: Path
    # environment only
    now: datetime | None
    secret_keys: tuple[bytes, ...] = field(repr=False)


_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or any(ord(character) < 32 for character in value):
        raise ValueError("a text on one line")
    return value.strip()


def _any_text(value: object) -> str:
    return "" if value == "" else _text(value)


def _address(value: object) -> str:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError("an e-mail address in ASCII, its domain in lower case")
    return value


def _no_or_address(value: object) -> str:
    return "" if value == "" else _address(value)


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('a list of lines, e.g. ["The Monday Letter", "1 Example Street", "10115 Berlin"]')
    return tuple(_text(line) for line in value)


def _zone(value: object) -> str:
    try:
        return ZoneInfo(_text(value)).key
    except (ValueError, KeyError, OSError):
        raise ValueError("a time zone such as Europe/Berlin") from None


def _clock(value: object) -> time:
    try:
        return datetime.strptime(_text(value), "%H:%M").time()  # noqa: DTZ007 - a wall clock time has no zone
    except ValueError:
        raise ValueError('a time such as "08:00"') from None


def _hours(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 24 * 14:
        raise ValueError("a number of hours from 1 to 336")
    return value


def _site(value: object) -> str:
    text = _text(value).rstrip("/")
    if not re.fullmatch(r"https://[a-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~/-]*)?", text):
        raise ValueError('an address such as "https://letters.example.org"')
    return text


def _domain(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text) or len(text) > 200:
        raise ValueError('a name under a domain of yours, e.g. "monday.example.org"')
    return text


def _name(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", text):
        raise ValueError("a name in lower-case letters, digits and dashes")
    return text


def _language(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise ValueError('a language tag such as "en" or "pt-BR"')
    return text


def _one_of(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return str(value)

    return check


def _fields(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError("a table of names")  # noqa: TRY004 - shown as a wrong value
    for name, about in value.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not isinstance(about, str):
            raise ValueError('lines such as pronouns = "what it means"')
    return value


def _database(value: object) -> str:
    text = _text(value)
    if not re.match(r"(sqlite:///|postgres(ql)?://|postgresql\+psycopg://)", text):
        raise ValueError('"sqlite:///subscribers/newsletter.db" or "postgresql://…"')
    return text


@dataclass(frozen=True, slots=True)
class Key:
    """One key of newsletter.toml: what it means, how it is read, and what stands in where it is absent."""

    check: Callable[[object], Any]
    about: str
    default: Any = None
    field: str = ""


REQUIRED = object()

KEYS: dict[str, dict[str, Key]] = {
    "": {
        "database": Key(_database, "Where people and deliveries are kept.", "sqlite:///subscribers/newsletter.db"),
    },
    "newsletter": {
        "name": Key(_text, "What the newsletter is called.", REQUIRED),
        "tagline": Key(_any_text, "One line under the name.", ""),
        "language": Key(_language, "The language letters are written in, unless they say otherwise.", "en"),
        "timezone": Key(_zone, "The zone of readers whose own is unknown.", "UTC"),
        "theme": Key(_name, "A folder of templates/.", "letter"),
        "audience": Key(_name, "The segment a letter goes to, unless it says otherwise.", "everyone"),
    },
    "sender": {
        "name": Key(_text, "Who the letter is from.", REQUIRED, "sender_name"),
        "address": Key(_address, "The address it is from.", REQUIRED, "sender_address"),
        "reply_to": Key(_no_or_address, "Where answers go, if elsewhere.", ""),
        "postal_address": Key(_lines, "The postal address the law asks for, line by line.", REQUIRED),
        "list_id": Key(_domain, "The list's name for ever (RFC 2919), under a domain of yours.", REQUIRED),
        "reason": Key(_text, "Why a reader gets this letter.", "You receive this letter because you asked for it."),
    },
    "site": {"url": Key(_site, "Where your pages are.", REQUIRED, "site_url")},
    "schedule": {
        "time": Key(_clock, "The time of day letters are due, unless they say otherwise.", time(8)),
        "window_hours": Key(_hours, "How long after its due time a letter may still leave.", 36),
    },
    "leave": {
        "mode": Key(
            _one_of("own", "mailto"), "How readers leave: a page of your own, or by mail.", "own", "leave_mode"
        ),
        "mailto": Key(_no_or_address, "The mailbox that takes 'leave' mails.", "", "leave_mailto"),
    },
    "provider": {
        "name": Key(_one_of(*PROVIDERS), "Who carries the mail.", "outbox", "provider"),
        "outbox": Key(_text, "The folder the outbox writes to.", "outbox", "outbox"),
    },
}


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
            _database, environment["NEWSLETTER_DATABASE_URL"], "NEWSLETTER_DATABASE_URL", secret=True
        )
    values["database"] = _absolute(values["database"], root)
    values["outbox"] = root / values["outbox"]
    values["now"] = _now(environment, values["provider"])
    values["secret_keys"] = _secret_keys(root, environment)
    if values["leave_mode"] == "mailto" and not values["leave_mailto"]:
        raise SettingsError(
            'mode = "mailto" needs a mailbox', at=f"{FILE} [leave]", hint='add mailto = "leave@example.org"'
        )
    return Settings(root=root, **values)


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"fields": {}}
    for name, content in data.items():
        if name == "fields":
            values["fields"] = _try(_fields, content, f"{FILE} [fields]")
        elif name in KEYS[""]:
            continue
        elif name not in KEYS or not isinstance(content, dict):
            raise SettingsError(
                f"unknown section or key {name!r}", at=FILE, hint=_allowed(name, [*KEYS[""], *KEYS, "fields"])
            )
    for section, keys in KEYS.items():
        table = data.get(section, {}) if section else {key: value for key, value in data.items() if key in keys}
        at = f"{FILE} [{section}]" if section else FILE
        for name in table:
            if name not in keys:
                raise SettingsError(f"unknown key {name!r}", at=at, hint=_allowed(name, keys))
        for name, key in keys.items():
            if name in table:
                values[key.field or name] = _try(key.check, table[name], f"{at} {name}")
            elif key.default is REQUIRED:
                raise SettingsError(f"{name!r} is missing", at=at, hint=key.about)
            else:
                values[key.field or name] = key.default
    return values


def _try(check: Callable[[object], Any], value: object, at: str, *, secret: bool = False) -> Any:  # noqa: ANN401 - whatever the key holds
    try:
        return check(value)
    except ValueError as err:
        shown = "the value" if secret else repr(value)
        raise SettingsError(f"{shown} is not {err}", at=at) from err


def _allowed(name: str, known: Mapping[str, object] | list[str]) -> str:
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
    if source is None:
        try:
            source = (root / KEY_FILE).read_text()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as err:
            raise SettingsError("the keys cannot be read", at=KEY_FILE) from err
    keys = tuple(key.encode() for key in source.split())
    if any(not 32 <= len(key) <= 64 for key in keys):  # noqa: PLR2004 - BLAKE2b takes keys of up to 64 bytes
        raise SettingsError(
            "a key has not 32 to 64 characters",
            at="NEWSLETTER_SECRET_KEYS or " + KEY_FILE,
            hint="newsletter init writes a good one",
        )
    return keys


def _now(environment: Mapping[str, str], provider: str) -> datetime | None:
    pretended = environment.get("NEWSLETTER_NOW")
    if not pretended:
        return None
    if provider in REAL_PROVIDERS:
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
