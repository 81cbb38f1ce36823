"""What feeds gave: fetched, read by a program of its own, and remembered, so that nothing is asked for twice."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from newsletter.sources.feedmemory import Entry, Memory, Remembered, entries_from
from newsletter.sources.fetch import Fetched, Fetcher

PARSE_S = 20.0  # for one feed; ten thousand entries take five on a slow machine
_MAX_ANSWER = 16_000_000  # bytes: what the program may write, every character as \uXXXX and then some
_PROGRAM = Path(__file__).with_name("feedparsing.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gave:
    """What a feed gave: its entries as they were written, or in `trouble` why there are none, in words."""

    entries: tuple[Entry, ...] = ()
    base: str = field(default="", repr=False)  # what relative links of it are relative to
    trouble: str = ""


def read_feed(url: str, *, fetcher: Fetcher, memory: Memory, now: datetime, loopback: bool = False) -> Gave:
    """What the feed at *url* gives *now*, by itself or, where it says that nothing changed, by *memory*."""
    known = memory.of(url)
    if known.wait_until and known.wait_until > now:
        return Gave(trouble=f"it asked to be left alone until {_minute(known.wait_until)}, and was not asked again")
    fetched = fetcher.get(url, etag=known.etag, modified=known.modified, loopback=loopback)
    if fetched.failed:
        return Gave(trouble=fetched.failed)
    if fetched.status == 304 and known.base:
        return Gave(entries=known.entries, base=known.base)  # its validators stay: a 304 need not repeat them
    if fetched.status != 200:
        return _refused(fetched, now, lambda until: memory.keep(url, replace(known, wait_until=until)))
    entries, trouble = parse(fetched)
    if trouble:
        return Gave(trouble=trouble)
    entries = known.dating(entries, now)
    base = fetched.url.partition("?")[0]  # which is all that relative links need, and a query may hold a key
    memory.keep(url, Remembered(etag=fetched.etag, modified=fetched.modified, base=base, entries=tuple(entries)))
    return Gave(entries=tuple(entries), base=base)


def _refused(fetched: Fetched, now: datetime, keep: Callable[[datetime], None]) -> Gave:
    """What is said of an answer that is no feed; who asks for time gets it."""
    words = f"it answers {fetched.status}"
    if fetched.status in (404, 410):
        words += ", so it is not there any more"
    if fetched.wait and fetched.status in (429, 503):
        until = now + fetched.wait
        keep(until)
        words += f" and asks to be left alone until {_minute(until)}"
    return Gave(trouble=words)


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def parse(fetched: Fetched, *, patience_s: float = PARSE_S) -> tuple[list[Entry], str]:
    """The entries of an answer, or why there are none."""
    asked = json.dumps({"url": fetched.url, "media_type": fetched.media_type}).encode()
    answer = _run(asked + b"\n" + fetched.body, patience_s)
    if answer is None:
        return [], f"it could not be read within {patience_s:g} seconds and its share of memory"
    try:
        data = json.loads(answer)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("entries"), list):
        return [], "it could not be read"
    entries = entries_from(data["entries"])
    return entries, "" if entries or data.get("version") else "what is there is no feed"


def _run(question: bytes, patience_s: float) -> bytes | None:
    """What the program answers; None if it broke down, was killed, or said too much."""
    command = [sys.executable, "-I", str(_PROGRAM)]
    # No environment: whatever a feed may make of the parser, there is no secret near it.
    with subprocess.Popen(  # noqa: S603 - no shell, and no word of a stranger's
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    ) as child:
        alarm = threading.Timer(patience_s, child.kill)
        alarm.start()
        try:
            answer = _exchange(child, question)
        finally:
            child.kill()  # it has said all it may
            alarm.cancel()
    return answer


def _exchange(child: subprocess.Popen[bytes], question: bytes) -> bytes | None:
    if child.stdin is None or child.stdout is None:
        return None
    try:
        child.stdin.write(question)
        child.stdin.close()
    except BrokenPipeError:
        return None
    answer = child.stdout.read(_MAX_ANSWER + 1)
    if len(answer) > _MAX_ANSWER:
        return None
    return answer if child.wait() == 0 else None
