"""What a value of newsletter.toml may be: each function gives it back as read, or says what it should be.

They raise ValueError with words that complete "… is not".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# No character that a mailto: address would have to escape.
_ADDRESS = re.compile(r"[A-Za-z0-9._+=-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")


def one_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or any(ord(character) < 32 for character in value):
        raise ValueError("a text on one line")
    return value.strip()


def text_or_nothing(value: object) -> str:
    return "" if value == "" else one_text(value)


def address(value: object) -> str:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError("an e-mail address in ASCII, its domain in lower case")
    return value


def address_or_nothing(value: object) -> str:
    return "" if value == "" else address(value)


def lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('a list of lines, e.g. ["The Monday Letter", "1 Example Street", "10115 Berlin"]')
    return tuple(one_text(line) for line in value)


def zone(value: object) -> str:
    try:
        return ZoneInfo(one_text(value)).key
    except (ValueError, KeyError, OSError):
        raise ValueError("a time zone such as Europe/Berlin") from None


def clock(value: object) -> time:
    try:
        return time.fromisoformat(one_text(value).zfill(5))
    except ValueError:
        raise ValueError('a time such as "08:00"') from None


def hours(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 24 * 14:
        raise ValueError("a number of hours from 1 to 336")
    return value


def quiet_days(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(day, str) and _is_quiet_day(day) for day in value):
        raise ValueError('a list of days such as ["saturday", "12-25", "2027-01-01"], and not of all weekdays')
    if {*WEEKDAYS} <= {*value}:
        raise ValueError("a list that leaves a day to send on")
    return tuple(value)


def _is_quiet_day(day: str) -> bool:
    if day in WEEKDAYS:
        return True
    try:
        date.fromisoformat(day if len(day) > 5 else f"2000-{day}")
    except ValueError:
        return False
    return True


def site(value: object) -> str:
    text = one_text(value).rstrip("/")
    if not re.fullmatch(r"(https://[a-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:\d+)?(/[A-Za-z0-9._~/-]*)?", text):
        raise ValueError('an address such as "https://letters.example.org"')
    return text


def domain(value: object) -> str:
    text = one_text(value)
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text) or len(text) > 200:
        raise ValueError('a name under a domain of yours, e.g. "monday.example.org"')
    return text


def name(value: object) -> str:
    text = one_text(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", text):
        raise ValueError("a name in lower-case letters, digits and dashes")
    return text


def language(value: object) -> str:
    text = one_text(value)
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise ValueError('a language tag such as "en" or "pt-BR"')
    return text


def one_of(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return str(value)

    return check


def fields(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError("a table of names")  # noqa: TRY004 - shown as a wrong value
    for name, about in value.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not isinstance(about, str):
            raise ValueError('lines such as pronouns = "what it means"')
    return value


def interests(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError("a table of interests")  # noqa: TRY004 - shown as a wrong value
    for tag, label in value.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", tag) or not isinstance(label, str) or not label.strip():
            raise ValueError('lines such as workplace = "Allyship at work"')
    return value


def reasons(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(why, str) and why.strip() for why in value.values()):
        raise ValueError('a table of checks, each with its reason, such as { reading-level = "we write for lawyers" }')
    return value


def names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('a list of names, such as ["reflection", "action"]')  # noqa: TRY004 - shown as a wrong value
    return tuple(name(each) for each in value)


STATE_IN_GIT = "git+age"


def recipients(value: object) -> tuple[str, ...]:
    keys = lines(value)
    if not all(re.fullmatch(r"age1[a-z0-9]{20,}", key) for key in keys):
        raise ValueError('a list of public keys of age, such as "age1…"; make one with: newsletter state key')
    return keys


def branch(value: object) -> str:
    text = one_text(value)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w-][\w.-]*)*", text) or ".." in text or text.endswith(".lock"):
        raise ValueError("a name for a branch of its own")
    return text


def database(value: object) -> str:
    text = one_text(value)
    if text == STATE_IN_GIT:
        return text
    if text.startswith("sqlite:") and "?" in text:
        raise ValueError('an SQLite address without parameters, e.g. "sqlite:///subscribers/newsletter.db"')
    if not re.match(r"(sqlite:///|postgres(ql)?://|postgresql\+psycopg://)", text):
        raise ValueError('"sqlite:///subscribers/newsletter.db", "postgresql://…" or "git+age"')
    return text


def whole(low: int, high: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high:,}")
        return value

    return check


def rate(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 100_000:
        raise ValueError("a number of messages a second")
    return float(value)


def yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - every check says so in the same way
    return value


def host(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", text := one_text(value)):
        raise ValueError("the name or address of a server")
    return text


def host_or_nothing(value: object) -> str:
    return "" if value == "" else host(value)


_API = re.compile(r"https://[a-z0-9.-]+(:\d+)?(/[\w./-]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[\w./-]*)?")


def api(value: object) -> str:
    if not _API.fullmatch(text := one_text(value)):
        raise ValueError("an https:// address (http:// on loopback only)")
    return text.rstrip("/")


def api_or_nothing(value: object) -> str:
    return "" if value == "" else api(value)


def editor_link(value: object) -> str:
    text = text_or_nothing(value)
    if text and not re.fullmatch(r"(?!https?:)[a-z][a-z0-9+.-]*://\S*\{path\}\S*", text):
        raise ValueError('a link such as "vscode://file/{path}:{line}"')
    return text


def recipe(value: object) -> tuple[str, ...]:
    form = r"[a-z]+(-[a-z]+)*( or [a-z]+(-[a-z]+)*)*"
    if not isinstance(value, list) or not value or not all(isinstance(e, str) and re.fullmatch(form, e) for e in value):
        raise ValueError('a list of kinds such as ["quote", "reflection", "steps or learn", "action"]')
    return tuple(value)


def paths(value: object) -> tuple[str, ...]:
    form = r"[\w-][\w.-]*(/[\w-][\w.-]*)*\.toml"
    if not isinstance(value, list) or not all(isinstance(each, str) and re.fullmatch(form, each) for each in value):
        raise ValueError('a list of files of this newsletter such as ["templates/calendar.toml"]')
    return tuple(value)


def words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ValueError('a list of words such as ["US", "UK"]')
    return tuple(value)
