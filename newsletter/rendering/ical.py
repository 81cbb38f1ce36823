"""Events as iCalendar (RFC 5545): what calendar programs subscribe to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from newsletter import __version__

_OCTETS = 75  # of a line, without its end (RFC 5545 §3.1)
_DAY = timedelta(days=1)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")  # no TEXT may hold them (§3.3.11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something on a calendar. `uid` stays the same for ever.

    A `begins` that is a day lasts until the end of `last`. One that is a time without a zone is that time on
    every reader's own clock (§3.3.5, form 1), one in UTC is an instant.
    """

    uid: str
    begins: date | datetime
    last: date | None = None
    summary: str
    description: str = ""
    url: str = ""


def ical(events: Iterable[Event], *, name: str, stamp: datetime) -> str:
    """A calendar called *name*; *stamp* is when its events were last looked at."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//newsletter//newsletter {__version__}//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for event in events:
        lines += ["BEGIN:VEVENT", f"UID:{_text(event.uid)}", f"DTSTAMP:{_time(stamp)}", *_when(event)]
        lines.append(f"SUMMARY:{_text(event.summary)}")
        lines += [f"DESCRIPTION:{_text(event.description)}"] if event.description else []
        lines += [f"URL:{event.url}"] if event.url else []
        lines += ["TRANSP:TRANSPARENT", "END:VEVENT"]  # nobody is busy because of it
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _when(event: Event) -> list[str]:
    if isinstance(event.begins, datetime):
        return [f"DTSTART:{_time(event.begins)}"]
    after = (event.last or event.begins) + _DAY  # the end is the first day that is not part of it
    return [f"DTSTART;VALUE=DATE:{event.begins:%Y%m%d}", f"DTEND;VALUE=DATE:{after:%Y%m%d}"]


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        return f"{moment:%Y%m%dT%H%M%S}"
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    escaped = re.sub(r"([\\;,])", r"\\\1", _CONTROLS.sub("", value.replace("\r\n", "\n")))
    return escaped.replace("\n", "\\n")


def _folded(line: str) -> str:
    """*line* in pieces of at most 75 octets, none of which begins within a character."""
    pieces, size, start = [], 0, 0
    for index, character in enumerate(line):
        octets = len(character.encode())
        if size + octets > _OCTETS:
            pieces.append(line[start:index])
            start, size = index, 1  # the blank that a continued line begins with
        size += octets
    return "\r\n ".join([*pieces, line[start:]])
