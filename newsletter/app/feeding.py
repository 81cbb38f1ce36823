"""Feeds, wired: what a letter takes from them, and what has to be said about those that gave nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from newsletter.app.newsletter import Newsletter
from newsletter.content.feeds import Item, Rule, block, items_of, pick
from newsletter.errors import NewsletterError
from newsletter.settings.feeds import Feed

if TYPE_CHECKING:
    from newsletter.sources.feedmemory import Memory
    from newsletter.sources.fetch import Fetcher

AT_ONCE = 4  # feeds that are asked at the same time; each is read by a program that may take half a gigabyte
_FIRST_LOOK = timedelta(days=7)  # how far back the first letter looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one feed offers a letter, newest first; where something was wrong with it, `note` says what."""

    feed: Feed
    items: tuple[Item, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What feeds give a letter: Markdown of one `feed` block for each feed that has something new, and notes.

    A note names a feed and says what was wrong with it. None of this ever keeps a letter from being assembled.
    """

    markdown: str | None
    notes: tuple[str, ...]


class Feeding:
    """What can be done with the feeds of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the feeds of *newsletter*; nothing is fetched until something is asked for."""
        self._newsletter = newsletter
        self._settings = newsletter.settings

    def fill(self, since: datetime, tags: Sequence[str] = ()) -> Filled:
        """What came after *since* in the feeds for every letter and, with *tags*, in those that have one of them.

        Without *tags*, all feeds are asked.
        """
        wanted = {tag.casefold() for tag in tags}
        feeds = [
            feed
            for feed in self._settings.feeds
            if not wanted or not feed.tags or wanted & {tag.casefold() for tag in feed.tags}
        ]
        offers, trouble = self._ask(feeds, since)
        blocks = [block(offer.feed.name, offer.items) for offer in offers if offer.items]
        notes = [f"{offer.feed.name}: {offer.note}" for offer in offers if offer.note]
        return Filled(markdown="\n".join(blocks) or None, notes=(*notes, *trouble))

    def offers(self, since: datetime) -> tuple[list[Offer], list[str]]:
        """What every feed would give a letter after *since*, and what else has to be said."""
        return self._ask(self._settings.feeds, since)

    def since(self) -> datetime:
        """When the last letter was due: what came later is new. A week ago, if there is none."""
        now, zone = self._newsletter.clock(), ZoneInfo(self._settings.timezone)
        dues = [
            datetime.combine(day, self._settings.time, zone).astimezone(UTC)
            for letter in self._newsletter.workspace.letter_ids()
            if (day := _day(letter))
        ]
        return max((due for due in dues if due <= now), default=now - _FIRST_LOOK)

    def _ask(self, feeds: Sequence[Feed], since: datetime) -> tuple[list[Offer], list[str]]:
        """What *feeds* offer, in their order and nothing twice, and what else has to be said."""
        if not feeds:
            return [], []
        from newsletter.sources.feedmemory import Memory
        from newsletter.sources.fetch import Fetcher

        memory = Memory(self._newsletter.workspace, [feed.url for feed in self._settings.feeds])
        fetcher = Fetcher(agent=f"newsletter (+{self._settings.site_url})")
        now = self._newsletter.clock()
        with ThreadPoolExecutor(AT_ONCE) as asking:
            offers = list(asking.map(lambda feed: _offer(feed, fetcher, memory, since=since, now=now), feeds))
        try:
            memory.save()
        except NewsletterError as err:
            return _once(offers), [f"what feeds gave could not be remembered: {err}"]
        return _once(offers), []


def _offer(feed: Feed, fetcher: Fetcher, memory: Memory, *, since: datetime, now: datetime) -> Offer:
    from newsletter.sources.feeds import read_feed

    gave = read_feed(feed.url, fetcher=fetcher, memory=memory, now=now, loopback=feed.loopback)
    if gave.trouble:
        return Offer(feed=feed, note=gave.trouble)
    items = items_of(gave.entries, base=gave.base, now=now)
    if gave.entries and not items:
        return Offer(feed=feed, note="none of its entries has a title and a link that a letter can show")
    rule = Rule(latest=feed.pick.latest, per_source=feed.pick.per_source, tags=feed.pick.tags)
    return Offer(feed=feed, items=tuple(pick(items, rule, since=since)))


def _once(offers: Iterable[Offer]) -> list[Offer]:
    """*offers* without what an earlier feed offers already."""
    seen: set[str] = set()
    left = []
    for offer in offers:
        items = tuple(item for item in offer.items if item.link not in seen)
        seen |= {item.link for item in items}
        left.append(replace(offer, items=items))
    return left


def _day(letter: str) -> date | None:
    try:
        return date.fromisoformat(letter[:10])
    except ValueError:
        return None
