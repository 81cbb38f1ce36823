"""Segments: named rules over subscribers, from subscribers/segments.toml.

    workplace = { tags = "workplace" }
    dach      = { language = ["de", "gsw"], country = ["DE", "AT", "CH"] }

Several keys: all must hold. Several values: any of them. `tags`, `language` and `zone` are what they say,
every other key is an attribute.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from newsletter.audience.importing import is_tag
from newsletter.audience.predicate import EVERYONE, All, Is, Paused, Predicate, Suppressed
from newsletter.errors import SettingsError

_OWN_FIELDS = ("tags", "language", "zone")
# Words that would otherwise quietly name an attribute that nobody has.
_MEANT = {
    "tag": "tags",
    "languages": "language",
    "lang": "language",
    "locale": "language",
    "zones": "zone",
    "timezone": "zone",
    "time_zone": "zone",
}


def read_segments(text: str, *, path: str = "subscribers/segments.toml") -> Mapping[str, Predicate]:
    """The segments by name, `everyone` among them. Raises SettingsError naming the segment and the key."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"this is no TOML: {error}", hint='write: name = { tags = "word" }', at=path) from error
    segments: dict[str, Predicate] = {"everyone": EVERYONE}
    for name, rules in tables.items():
        at = f"{path}: {name}"
        if name in segments:
            raise SettingsError("this segment is always there", hint="choose another name", at=at)
        if not isinstance(rules, dict) or not rules:
            raise SettingsError("a segment is a table of rules", hint=f'write: {name} = {{ tags = "word" }}', at=at)
        segments[name] = All(tuple(_rule(key, value, at=at) for key, value in rules.items()))
    return segments


def _rule(key: str, value: object, *, at: str) -> Predicate:
    at = f"{at}.{key}"
    if key in ("state", "status", "suppressed"):
        hint = "leave it out: whether somebody may be mailed is always asked"
        raise SettingsError("a segment does not choose by consent", hint=hint, at=at)
    if key in _MEANT:
        raise SettingsError(f"there is no {key!r}", hint=f"did you mean {_MEANT[key]!r}?", at=at)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(each, str) for each in values):
        hint = f'write: {key} = "word", or {key} = ["one", "other"]'
        raise SettingsError("the value must be a text or a list of texts", hint=hint, at=at)
    if key == "tags" and not all(map(is_tag, values)):
        hint = "tags are lower-case letters, digits, dots, dashes and underscores"
        raise SettingsError("nobody can have such a tag", hint=hint, at=at)
    if key not in _OWN_FIELDS and not key.isidentifier():
        hint = "attributes are named as at import: lower case, with underscores"
        raise SettingsError("nobody can have such an attribute", hint=hint, at=at)
    return Is(key if key in _OWN_FIELDS else f"attributes.{key}", tuple(values))


def to_data(rule: Predicate) -> dict[str, object]:
    """*rule* as plain data that JSON can hold; `from_data` reads it back."""
    match rule:
        case Is(field=field, values=values):
            return {"is": field, "values": list(values)}
        case Suppressed():
            return {"suppressed": True}
        case Paused():
            return {"paused": True}
        case All(conditions=conditions):
            return {"all": [to_data(each) for each in conditions]}


def from_data(data: object) -> Predicate:
    """The rule that `to_data` made *data* of. Raises ValueError if it made no such thing."""
    match data:
        case {"is": str(field), "values": [*values]} if all(isinstance(value, str) for value in values):
            return Is(field, tuple(str(value) for value in values))
        case {"suppressed": True}:
            return Suppressed()
        case {"paused": True}:
            return Paused()
        case {"all": [*conditions]}:
            return All(tuple(from_data(each) for each in conditions))
    raise ValueError("this is no rule over subscribers")
