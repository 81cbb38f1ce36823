"""What the parts of a series have in common, from its series.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from newsletter.errors import SettingsError

_FIRST_YEAR = 1970  # instants are counted from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Who is in a series, and at what time of day its parts come; None stands for what newsletter.toml says."""

    since: date  # whoever joined before that day is not in it
    at: time | None = None
    audience: str | None = None
    quiet: tuple[str, ...] | None = None


def _day(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime) or value.year < _FIRST_YEAR:
        raise TypeError("a day such as 2026-11-23, without quotes")
    return value


def _clock(value: object) -> time:
    try:
        return time.fromisoformat(str(value).zfill(5))
    except ValueError:
        raise TypeError('a time such as "08:00"') from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError('the name of a segment, such as "everyone"')
    return value


_KEYS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "since": ("since", _day),
    "time": ("at", _clock),
    "audience": ("audience", _text),
}


def read_series(text: str, *, path: str, quiet_days: Callable[[object], tuple[str, ...]]) -> Series:
    """The series in *text*. Raises SettingsError naming the key; *quiet_days* reads what both files may say."""
    known = _KEYS | {"quiet": ("quiet", quiet_days)}
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise SettingsError(f"this is no TOML: {err}", at=path, hint="write: since = 2026-11-23") from err
    values = {}
    for name, value in data.items():
        if name not in known:
            raise SettingsError(f"unknown key {name!r}", at=path, hint=f"known are: {', '.join(known)}")
        field, check = known[name]
        try:
            values[field] = check(value)
        except (TypeError, ValueError) as err:
            raise SettingsError(f"{value!r} is not {err}", at=f"{path} {name}") from err
    if "since" not in values:
        hint = "add the day from which on people who join get it, e.g. since = 2026-11-23"
        raise SettingsError("'since' is missing", at=path, hint=hint)
    return Series(**values)
