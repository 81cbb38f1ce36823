"""What a look at the world found, in the shape the doctor shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # letters leave all the same, or nothing could be found out
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `fix` says what to do where it is not well."""

    what: str
    level: Level
    detail: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        """Whether a letter may leave as far as this goes."""
        return self.level is not Level.ERROR


def fine(what: str, detail: str) -> Finding:
    """All is well."""
    return Finding(what=what, level=Level.OK, detail=detail)


def warning(what: str, detail: str, fix: str) -> Finding:
    """Something to know, or to do one day."""
    return Finding(what=what, level=Level.WARNING, detail=detail, fix=fix)


def error(what: str, detail: str, fix: str) -> Finding:
    """Something to mend before a letter leaves."""
    return Finding(what=what, level=Level.ERROR, detail=detail, fix=fix)


def is_example(name: str) -> bool:
    """Whether nobody can own a domain: it is set aside for examples (RFC 2606)."""
    labels = name.lower().rstrip(".").split(".")
    return labels[-1] in ("example", "invalid") or (
        labels[-2:-1] == ["example"] and labels[-1] in ("com", "net", "org")
    )
