"""What is remembered of feeds between two letters: a small file that Git ignores, and that may be lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from newsletter.errors import NewsletterError
from newsletter.sources.aside import FOLDER, put_aside
from newsletter.sources.files import Workspace

_NAME = "feeds.json"
FILE = f"{FOLDER}/{_NAME}"
_VERSION = 1
_MOST = {"id": 2000, "link": 2001, "title": 1000, "summary": 4000}  # characters
_MAX_ENTRIES = 500
_MAX_TAGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as its feed wrote it. Title and summary are HTML that nobody has looked at."""

    id: str = ""
    link: str = ""
    title: str = ""
    summary: str = ""
    published: datetime | None = None
    tags: tuple[str, ...] = ()
    first_seen: datetime | None = None

    @property
    def key(self) -> str:
        """What tells it from the others of its feed."""
        return self.id or self.link


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What one feed gave last, the validators that came with it, and until when it wants to be left alone."""

    etag: str = ""
    modified: str = ""
    base: str = field(default="", repr=False)
    wait_until: datetime | None = None
    entries: tuple[Entry, ...] = ()

    def dating(self, entries: Iterable[Entry], now: datetime) -> list[Entry]:
        """*entries* with the moment each was first seen, which is *now* for those that are new here."""
        seen = {entry.key: entry.first_seen for entry in self.entries}
        return [replace(entry, first_seen=seen.get(entry.key) or now) for entry in entries]


class Memory:
    """What is remembered of all feeds. A file that is missing, or that cannot be read, is an empty memory."""

    def __init__(self, workspace: Workspace, urls: Iterable[str]) -> None:
        """Read what there is of the feeds at *urls*; of others nothing is kept."""
        self._workspace = workspace
        known = _load(workspace)
        self._feeds = {key: known[key] for key in map(_key, urls) if key in known}

    def of(self, url: str) -> Remembered:
        """What is remembered of the feed at *url*."""
        return self._feeds.get(_key(url), Remembered())

    def keep(self, url: str, remembered: Remembered) -> None:
        """Remember that of the feed at *url*."""
        self._feeds[_key(url)] = remembered

    def save(self) -> None:
        """Write it. Raises NewsletterError."""
        feeds = {key: _plain(each) for key, each in sorted(self._feeds.items())}
        content = json.dumps({"version": _VERSION, "feeds": feeds}, indent=1)
        put_aside(self._workspace, _NAME, content.encode())


def _key(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:32]  # an address may hold a key, which the file need not


def _load(workspace: Workspace) -> dict[str, Remembered]:
    try:
        data = json.loads(workspace.optional(FILE) or "{}")
    except (NewsletterError, ValueError, RecursionError):
        return {}
    feeds = data.get("feeds") if isinstance(data, dict) and data.get("version") == _VERSION else None
    if not isinstance(feeds, dict):
        return {}
    return {key: _remembered(each) for key, each in feeds.items() if isinstance(each, dict)}


def _remembered(data: Mapping[str, Any]) -> Remembered:
    entries = data.get("entries")
    texts = {name: value for name in ("etag", "modified", "base") if isinstance(value := data.get(name), str)}
    return Remembered(
        **texts,
        wait_until=_instant(data.get("wait_until")),
        entries=tuple(entries_from(entries if isinstance(entries, list) else [])),
    )


def _plain(remembered: Remembered) -> dict[str, Any]:
    return {
        "etag": remembered.etag,
        "modified": remembered.modified,
        "base": remembered.base,
        "wait_until": _seconds(remembered.wait_until),
        "entries": [
            {name: getattr(entry, name) for name in _MOST}
            | {"published": _seconds(entry.published), "first_seen": _seconds(entry.first_seen), "tags": entry.tags}
            for entry in remembered.entries
        ],
    }


def entries_from(data: Iterable[object]) -> list[Entry]:
    """The entries in *data*, which may be anything; what is none is left out, what is too long is cut."""
    rows = [row for row in data if isinstance(row, dict)][:_MAX_ENTRIES]
    return [
        Entry(
            **{name: value[:most] for name, most in _MOST.items() if isinstance(value := row.get(name), str)},
            published=_instant(row.get("published")),
            first_seen=_instant(row.get("first_seen")),
            tags=_tags(row.get("tags")),
        )
        for row in rows
    ]


def _tags(value: object) -> tuple[str, ...]:
    return tuple(tag[:60] for tag in value if isinstance(tag, str))[:_MAX_TAGS] if isinstance(value, list) else ()


def _instant(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None
