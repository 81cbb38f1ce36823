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
import re
import resource
import sys
from typing import Any

CPU_S = 20
MEMORY_BYTES = 512 * 1024 * 1024
MAX_ENTRIES = 500  # the newest
MAX_TITLE, MAX_SUMMARY, MAX_LINK, MAX_TAG, MAX_TAGS = 1_000, 4_000, 2_000, 60, 20
_REFERENCE = re.compile(rb"&#(?:(x)([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_ENTRY_END = re.compile(rb"</(?:\w{1,20}:)?(?:item|entry)\s{0,9}>")
MAX_OUTPUT = 1_000_000  # characters of all entries together


def main() -> None:
    """Answer the question on standard input; whatever goes wrong, the exit code says it."""
    _bound()
    sys.stdout.write(json.dumps(read(sys.stdin.buffer.read())))


def read(question: bytes) -> dict[str, Any]:
    """The version of a feed and its newest entries. Its bytes come after a line of JSON (url, media_type)."""
    import feedparser  # noqa: PLC0415 - after the bounds

    head, _, body = question.partition(b"\n")
    asked = json.loads(head)
    # A stream, since feedparser takes bytes for the name of a file, and text for an address, before all else.
    # Its own cleaning takes quadratic time, and lets markup through; whoever reads us cleans.
    parsed = feedparser.parse(
        io.BytesIO(_ends(_REFERENCE.sub(_if_a_character, body))),
        response_headers={"content-type": asked["media_type"], "content-location": asked["url"]},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    entries = sorted((_entry(each) for each in parsed.entries), key=_newest_first)[:MAX_ENTRIES]
    return {"version": str(parsed.get("version") or ""), "entries": _within(entries)}


def _if_a_character(reference: re.Match[bytes]) -> bytes:
    """A reference to what XML has no character for is dropped: it spoils all of a feed, and crashes the parser."""
    number = int(reference[2], 16) if reference[1] else int(reference[3])
    good = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000
    return reference[0] if good else b""


def _ends(body: bytes) -> bytes:
    """A feed of very many entries without those in the middle: the newest stand at its top, or at its end."""
    ends = [found.end() for found in _ENTRY_END.finditer(body)]
    return body[: ends[MAX_ENTRIES - 1]] + body[ends[-MAX_ENTRIES - 1] :] if len(ends) > 2 * MAX_ENTRIES else body


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
    # Of dict itself, since feedparser's own look-up gives one date for another. It reads a bare number as a date, too.
    written, parts = _text(dict.get(entry, name), 100).strip(), dict.get(entry, f"{name}_parsed")
    if not parts or (written.isdigit() and len(written) > len("20261123")):
        return None
    try:
        return calendar.timegm(parts)
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
