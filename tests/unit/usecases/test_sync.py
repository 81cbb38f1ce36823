"""A bookmark moves after the news was heard, page by page, and when to ask again is remembered whatever happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import pytest

from newsletter.delivery.news import Heard, Kind, News
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached, StoreError
from newsletter.usecases.ports import Provider
from newsletter.usecases.sync import EVERY, REFUSED_FOR, Sync
from tests.conftest import NOW


def news(address: str, kind: Kind = Kind.LEFT) -> News:
    return News(kind=kind, at=NOW, how="sync", reason="they said so", address=f"{address}@example.org")


PAGES: tuple[tuple[Sequence[News], str], ...] = (
    ([news("ada"), news("bo", Kind.HARD)], "one"),
    ([], "two"),
    ([news("cy", Kind.COMPLAINED)], "three"),
)


@dataclass
class World:
    """A provider, those who hear, and the bookmarks."""

    pages: tuple[tuple[Sequence[News], str] | Exception, ...] = PAGES
    deaf_from: int = 99
    now: datetime = NOW
    marks: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def departures(self, after: str, *, now: datetime) -> Iterator[tuple[Sequence[News], str]]:
        self.log.append(f"after {after!r}")
        for page in self.pages:
            if isinstance(page, Exception):
                raise page
            yield page

    def hear(self, news: Iterable[News]) -> Heard:
        if len([line for line in self.log if line.startswith("hear")]) >= self.deaf_from:
            raise StoreError("the database is locked")
        told = list(news)
        self.log.append(f"hear {len(told)}")
        return Heard(
            left=sum(each.kind is Kind.LEFT for each in told), known=sum(each.kind is Kind.HARD for each in told)
        )

    def read(self, name: str) -> str:
        return self.marks.get(name, "")

    def write(self, name: str, position: str, *, now: datetime) -> None:
        assert now == self.now
        self.marks[name] = position
        self.log.append(f"{name}: {position}")

    @property
    def sync(self) -> Sync:
        return Sync(name="here", bookmarks=self, clock=lambda: self.now)

    def run(self, *, enough: bool = False) -> Heard:
        return self.sync.sync(cast("Provider", self), self, enough=lambda: enough)

    def again(self) -> timedelta:
        return datetime.fromisoformat(self.marks["here again"]) - self.now


def test_every_page_is_heard_before_its_bookmark_is_kept() -> None:
    world = World()
    assert world.run() == Heard(left=1, known=1)
    assert world.log[:-1] == ["after ''", "hear 2", "here: one", "hear 0", "here: two", "hear 1", "here: three"]
    world.run()
    assert "after 'three'" in world.log


@pytest.mark.parametrize("heard", [0, 1, 2])
def test_what_could_not_be_heard_is_asked_for_again(heard: int) -> None:
    world = World(deaf_from=heard)
    with pytest.raises(StoreError):
        world.run()
    assert world.read("here") == ("", "one", "two")[heard]


def test_where_it_is_enough_the_rest_is_for_the_next_time() -> None:
    world = World()
    assert world.run(enough=True).left == 1
    assert world.read("here") == "one"


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (None, EVERY),
        (ProviderBusy("slow down", wait=timedelta(minutes=40)), timedelta(minutes=40)),
        (ProviderBusy("slow down", wait=timedelta(seconds=3)), EVERY),
        (ProviderBusy("not there"), EVERY),
        (QuotaReached("enough", wait=timedelta(days=1)), timedelta(days=1)),
        (ProviderRefused("the key may not"), REFUSED_FOR),
        (ZeroDivisionError(), EVERY),
    ],
)
def test_when_to_ask_again(error: Exception | None, wait: timedelta) -> None:
    world = World(pages=(PAGES[0], error) if error else PAGES)
    assert world.sync.due()
    if error:
        with pytest.raises(type(error)):
            world.run()
        assert world.read("here") == "one"
    else:
        world.run()
    assert world.again() == wait
    world.now += wait - timedelta(seconds=1)
    assert not world.sync.due()
    world.now += timedelta(seconds=1)
    assert world.sync.due()


def test_a_rehearsal_counts_and_keeps_nothing() -> None:
    world = World()
    found = world.sync.rehearse(cast("Provider", world), enough=lambda: False)
    assert found == {"left": 1, "hard bounce": 1, "complaint": 1}
    assert world.marks == {}
    assert world.log == ["after ''"]
    failing = World(pages=(NewsletterError("no"),))
    with pytest.raises(NewsletterError):
        failing.sync.rehearse(cast("Provider", failing), enough=lambda: False)
    assert failing.marks == {}
