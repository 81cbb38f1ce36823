"""The import map: what the columns and words of somebody's own lists mean, from subscribers/import.toml.

[columns]
"E-Mail-Adresse" = "email"
"Wohnort" = "city"          # a field of your own
"Kundennummer" = ""         # left out

[states]
"abgemeldet" = "unsubscribed"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.audience.columns import STATES, column_name
from newsletter.audience.headers import NAMES
from newsletter.audience.subscriber import State
from newsletter.audience.toml_lines import Place, lines_of
from newsletter.errors import SettingsError

PATH = "subscribers/import.toml"
_FIELDS = {name: meaning for meaning, names in NAMES.items() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMap:
    """Headers, as they stand in a list, with the field that each is ("" to leave it out); and words for states."""

    columns: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)


def read_map(text: str, *, path: str = PATH) -> ImportMap:
    """The import map in a TOML *text*. Raises SettingsError with the line of what is wrong."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"this is no TOML: {error}", at=path, hint='write: "Header" = "email"') from None
    try:
        _refuse_others(data)
        return ImportMap(columns=_columns(data.get("columns", {})), states=_states(data.get("states", {})))
    except _Wrong as wrong:
        line = lines_of(text).get(wrong.place)
        raise SettingsError(wrong.what, at=f"{path}:{line}" if line else path, hint=wrong.hint) from None


class _Wrong(Exception):
    """What is wrong at a place of the map."""

    def __init__(self, place: Place, what: str, hint: str) -> None:
        super().__init__(what)
        self.place, self.what, self.hint = place, what, hint


def _refuse_others(data: Mapping[str, object]) -> None:
    for name, table in data.items():
        if name not in ("columns", "states") or not isinstance(table, dict):
            raise _Wrong((name,), "this is nothing that an import map has", "it has the tables [columns], [states]")


def _columns(table: Mapping[str, object]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for header, meaning in table.items():
        name = column_name(meaning) if isinstance(meaning, str) else ""
        if not name and meaning != "":
            hint = 'write: "Header" = "email", or the name of a field of your own, or "" to leave it out'
            raise _Wrong(("columns", header), "this is no name of a field", hint)
        field = _FIELDS.get(name, name)
        if field and field in found.values():
            raise _Wrong(("columns", header), f"two headers mean {name!r}", "give each a meaning of its own")
        found[header.strip()] = field
    return found


def _states(table: Mapping[str, object]) -> Mapping[str, State]:
    found: dict[str, State] = {}
    for word, meaning in table.items():
        state = STATES.get(meaning) if isinstance(meaning, str) else None
        if state is None:
            hint = "use active, pending, unsubscribed, bounced or complained"
            raise _Wrong(("states", word), "this is no state that we know", hint)
        found[word.strip().lower()] = state
    return found
