"""Records of events, read without trusting their shape."""

from __future__ import annotations

from collections.abc import Mapping

Record = Mapping[str, object]


def within(record: Record, name: str) -> Record:
    """The object under *name*, or an empty one."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def text_of(record: Record, name: str) -> str:
    """The text under *name*, or nothing."""
    value = record.get(name)
    return value if isinstance(value, str) else ""
