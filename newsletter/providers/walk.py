"""A list at a provider that grows, walked page by page: where a walk is, and how far it may go.

Who was heard of in one walk may stand in the next one again, as each begins a little before the last began: clocks
differ, and what happens is listed late. A walk that was broken off goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice

from newsletter.delivery.news import News
from newsletter.errors import ProviderBusy
from newsletter.providers.http import Answer, Http
from newsletter.providers.records import Record

HOW = "sync"  # what the evidence of a person's consent says
MOST_PAGES = 2000  # of one walk at a time
EVER = datetime(2000, 1, 1, tzinfo=UTC)  # before anything that a provider can tell
_TRIES, _SLOWER_S, _MOST_S = 4, 1.0, 10.0
_LOOK_S = 0.1

GOES_ON_FOR = timedelta(hours=20)  # a walk that was broken off; a provider does not know its places for ever

Page = tuple[Sequence[News], str]  # news, and where the walk is after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Where a walk is: all from before `since` was heard; where it is under way, it `began` and goes on at `at`."""

    since: datetime = EVER
    began: datetime
    at: str = ""

    def __str__(self) -> str:
        """As a bookmark; a walk that is over has only its end."""
        return f"{self.since.isoformat()} {self.began.isoformat()} {self.at}" if self.at else self.since.isoformat()


Read = Callable[[Walk], tuple[Sequence[News], str] | None]


def read_walk(bookmark: str, *, now: datetime) -> Walk:
    """The walk that a bookmark tells of; from the very beginning where it cannot be read, or is from the future."""
    since, _, rest = bookmark.partition(" ")
    began, _, at = rest.partition(" ")
    known, begun = read_instant(since), read_instant(began)
    if known is None or known > now:
        return Walk(began=now)
    if begun is None or not timedelta(0) <= now - begun < GOES_ON_FOR:
        return Walk(since=known, began=now)
    return Walk(since=known, began=begun, at=at)


def walked(after: str, read: Read, *, now: datetime, overlap: timedelta) -> Iterator[Page]:
    """The pages behind the bookmark *after*, where *read* gives the news of one and what the next is called.

    That is nothing after the last; and where it gives None, the page is not known any more, and the walk begins again.
    One that was broken off is followed by one to this day. Raises ProviderBusy where there is no end.
    """
    return bounded(_walked(read_walk(after, now=now), read, now, overlap))


def _walked(walk: Walk, read: Read, now: datetime, overlap: timedelta) -> Iterator[Page]:
    seen = {walk.at}
    while True:
        found = read(walk)
        if found is None:
            walk = replace(walk, at="")
            continue
        news, following = found
        if following and following in seen:
            raise ProviderBusy("the provider's list goes in a circle", hint="try again later")
        if following:
            seen.add(following)
            walk = replace(walk, at=following)
            yield news, str(walk)
            continue
        over, walk = walk, Walk(since=max(walk.since, walk.began - overlap), began=now)
        yield news, str(walk)
        if over.began == now:
            return
        seen = {""}


def bounded(pages: Iterator[Page]) -> Iterator[Page]:
    """*pages*, as far as anybody would believe in. Raises ProviderBusy after that."""
    yield from islice(pages, MOST_PAGES)
    for _ in pages:
        raise ProviderBusy(
            f"the provider's list has over {MOST_PAGES:,} pages", hint="the next newsletter sync goes on"
        )


def patiently(http: Http, path: str, *, too_fast: Callable[[Answer], bool] = lambda each: each.status == 429) -> Answer:
    """The answer to a GET; where it is *too_fast*, what is answered after a few seconds."""
    answer = http.get(path)
    for tried in range(1, _TRIES):
        wait_s = _SLOWER_S * tried if answer.wait is None else answer.wait.total_seconds()
        if not too_fast(answer) or wait_s > _MOST_S:
            break
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0 and not http.stop():
            time.sleep(min(left, _LOOK_S))
        answer = http.get(path)
    return answer


def items(answer: Answer, name: str, *, of: str) -> list[Record]:
    """The objects in the list called *name* of an answer. Raises ProviderBusy if there is no such list in it."""
    found = answer.record.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ProviderBusy(f"{of}'s list cannot be read", hint="try again later")
    return found


def heard(records: Iterable[Record], read: Callable[..., News | None], *, now: datetime) -> list[News]:
    """The news in *records*; what happened at no known time did *now*."""
    return [news for record in records if (news := read(record, now=now))]


def read_instant(told: object) -> datetime | None:
    """An instant as providers write it: seconds since 1970, ISO 8601, or as mail has it (RFC 5322)."""
    try:
        if isinstance(told, int | float):
            return datetime.fromtimestamp(told, UTC)
        if not isinstance(told, str):
            return None
        at = datetime.fromisoformat(told) if told[:4].isdigit() else parsedate_to_datetime(told)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
