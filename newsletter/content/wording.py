"""The word list of the check `wording`: words that may leave somebody out or hurt, with reasons and alternatives."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from newsletter.errors import SettingsError

PATH = "templates/wording.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Words to think about, why, and what could be said instead; `instead` is empty where nothing is needed."""

    pattern: re.Pattern[str]
    why: str
    instead: tuple[str, ...]


@lru_cache(maxsize=2)
def read_wording(text: str) -> Mapping[str, tuple[Term, ...]]:
    """The terms of every language in *text*. Raises SettingsError that names the row."""
    try:
        languages = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise SettingsError(str(err), at=PATH, hint="texts stand in double quotes") from err
    return {
        language: tuple(_term(row, f"{PATH} [[{language}]] number {number}") for number, row in enumerate(rows, 1))
        for language, rows in languages.items()
    }


def _term(row: object, at: str) -> Term:
    match row:
        case {"words": [*words], "why": str(why), "instead": [*instead]} if words:
            try:
                one_of = "|".join(words).replace(" ", r"[ \n]+")
                pattern = re.compile(rf"(?i)(?<![\w-])(?:{one_of})(?![\w-])")
            except (re.error, TypeError) as err:
                raise SettingsError(f"words cannot be read: {err}", at=at, hint="write plain words") from err
            return Term(pattern=pattern, why=why, instead=tuple(instead))
    raise SettingsError("not a row", at=at, hint='write words = ["…"], why = "…" and instead = ["…"]')
