"""Reads a feed on standard input and writes its entries as JSON; a program of its own, which may be killed.

Run by path, isolated (`python -I`), so it imports nothing of ours. What it reads was written by strangers and the
parser has known inputs that take minutes (feedparser#562), so its time, memory and output are bounded here, and its
reader believes none of it.
"""

from __future__ import annotations

import calendar
import contextlib
import html
import io
import json
import resource
import sys
from typing import Any

CPU_S = 20
MEMORY_BYTES = 512 * 1024 * 1024
MAX_ENTRIES = 500  # the newest
MAX_TITLE, MAX_SUMMARY, MAX_LINK, MAX_TAG, MAX_TAGS = 1_000, 4_000, 2_000, 60, 20
MAX_OUTPUT = 1_000_000  # characters of all entries together


def main() -> None:
    """Parse; whatever goes wrong, the exit code says it."""
    _bound()
    import feedparser  # noqa: PLC0415 - after the bounds

    head, _, body = sys.stdin.buffer.read().partition(b"\n")
    asked = json.loads(head)
    # A stream, since feedparser takes bytes for the name of a file, and text for an address, before all else.
    # Its own cleaning takes quadratic time, and lets markup through; whoever reads us cleans.
    parsed = feedparser.parse(
        io.BytesIO(body),
        response_headers={"content-type": asked["media_type"], "content-location": asked["url"]},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    entries = sorted((_entry(each) for each in parsed.entries), key=_newest_first)[:MAX_ENTRIES]
    answer = {"version": str(parsed.get("version") or ""), "entries": _within(entries)}
    sys.stdout.write(json.dumps(answer))


def _bound() -> None:
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):  # not every system knows every limit
            resource.setrlimit(what, (most, most))


def _entry(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - feedparser's own dictionary
    contents = entry.get("content") or []
    summary = entry.get("summary_detail") or (contents[0] if contents else None)
    return {
        "id": _text(entry.get("id"), MAX_LINK),
        "link": _text(entry.get("link"), MAX_LINK + 1),  # one more, so that a longer one is known as such
        "title": _html(entry.get("title_detail"), MAX_TITLE),
        "summary": _html(summary, MAX_SUMMARY),
        "published": _instant(entry, "published") or _instant(entry, "updated"),
        "tags": [_text(tag.get("term"), MAX_TAG) for tag in (entry.get("tags") or [])[:MAX_TAGS]],
    }


def _text(value: object, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def _html(detail: Any, most: int) -> str:  # noqa: ANN401 - the same
    """The text of a detail as HTML, whatever it came as."""
    if not detail:
        return ""
    value = _text(detail.get("value"), most)
    return html.escape(value) if detail.get("type") == "text/plain" else value


def _instant(entry: Any, name: str) -> int | None:  # noqa: ANN401 - the same
    # A bare number is read as a date in some other decade.
    if _text(entry.get(name), 100).strip().isdigit() or not entry.get(f"{name}_parsed"):
        return None
    try:
        return calendar.timegm(entry[f"{name}_parsed"])
    except (ValueError, OverflowError, TypeError):
        return None


def _newest_first(entry: dict[str, Any]) -> float:
    """Entries without a date first: they may be new."""
    return float("-inf") if entry["published"] is None else -entry["published"]


def _within(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of them as there is room for."""
    room = MAX_OUTPUT
    for number, entry in enumerate(entries):
        room -= sum(
            len(each) for each in (entry["id"], entry["link"], entry["title"], entry["summary"], *entry["tags"])
        )
        if room < 0:
            return entries[:number]
    return entries


if __name__ == "__main__":
    main()
