"""Sync: hear from the provider who left, whose address bounced and who complained, and remember how far we read.

The bookmark moves after the news is heard, never before. Whatever is cut short is heard again, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Protocol

from newsletter.delivery.news import Heard, News
from newsletter.errors import ProviderBusy, ProviderRefused
from newsletter.usecases.ports import Provider

EVERY = timedelta(minutes=5)  # a tick asks; a person at the desk may ask at any time
# Nothing helps but a person who mends the set-up, and they need not be told every five minutes.
REFUSED_FOR = timedelta(days=1)


class Listener(Protocol):
    """Takes news in."""

    def hear(self, news: Iterable[News]) -> Heard:
        """What *news* led to, in numbers; the same again changes nothing."""


class Bookmarks(Protocol):
    """How far something was read."""

    def read(self, name: str) -> str:
        """Where we were; empty if nothing of it was read."""

    def write(self, name: str, position: str, *, now: datetime) -> None:
        """Keep where we are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Reads one provider's account, which is called *name*."""

    name: str
    bookmarks: Bookmarks
    clock: Callable[[], datetime]

    def due(self) -> bool:
        """Whether it is time to ask again."""
        until = self.bookmarks.read(f"{self.name} again")
        return not until or self.clock() >= datetime.fromisoformat(until)

    def sync(self, provider: Provider, listener: Listener, *, enough: Callable[[], bool]) -> Heard:
        """What was heard; some of it is left for the next time where it was *enough*."""
        again = EVERY
        try:
            return self._read(provider, listener, enough=enough)
        except ProviderBusy as err:
            again = max(EVERY, err.wait or EVERY)
            raise
        except ProviderRefused:
            again = REFUSED_FOR
            raise
        finally:
            now = self.clock()
            self.bookmarks.write(f"{self.name} again", (now + again).isoformat(), now=now)

    def _read(self, provider: Provider, listener: Listener, *, enough: Callable[[], bool]) -> Heard:
        heard = Heard()
        for news, position in provider.departures(self.bookmarks.read(self.name), now=self.clock()):
            heard = _sum(heard, listener.hear(news))
            self.bookmarks.write(self.name, position, now=self.clock())
            if enough():
                break
        return heard

    def rehearse(self, provider: Provider, *, enough: Callable[[], bool]) -> dict[str, int]:
        """How much news of each kind there is; nobody hears it."""
        found: dict[str, int] = {}
        for news, _ in provider.departures(self.bookmarks.read(self.name), now=self.clock()):
            for each in news:
                found[each.kind.value] = found.get(each.kind.value, 0) + 1
            if enough():
                break
        return found


def _sum(one: Heard, other: Heard) -> Heard:
    return Heard(**{each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Heard)})
