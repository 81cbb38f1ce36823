"""Whose turn it is, is known while nothing happens, and found out when it is another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import pytest

from newsletter.app.ticking import TheTurn
from newsletter.errors import StoreError
from tests.conftest import NOW

Result = TypeVar("Result")


class House:
    """A newsletter and its turns: what each sign of life comes to, again and again the last."""

    def __init__(self, *signs: bool | StoreError, free: bool = True) -> None:
        self.signs, self.free, self.seen, self.said = list(signs), free, 0, ""

    def clock(self) -> datetime:
        return NOW

    def durably(self, work: Callable[[], Result]) -> Result:
        return work()

    def take(self, *, now: datetime) -> bool:
        assert now == NOW
        return self.free

    def keep(self, *, now: datetime) -> bool:
        assert now == NOW
        self.seen += 1
        sign = self.signs.pop(0) if len(self.signs) > 1 else self.signs[0]
        if isinstance(sign, StoreError):
            raise sign
        return sign

    def end(self, said: str, *, now: datetime) -> None:
        assert now == NOW
        self.said = said

    def turn(self, stop: threading.Event) -> TheTurn:
        return TheTurn(self, self, stop=stop, every_s=0.01)  # type: ignore[arg-type]


def wait_for(met: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not met():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


def test_it_gives_signs_of_life_until_it_ends(stop: threading.Event) -> None:
    house = House(True)
    turn = house.turn(stop)
    assert turn.take(now=NOW)
    wait_for(lambda: house.seen >= 3)
    turn.end("2 sent", now=NOW)
    seen = house.seen
    time.sleep(0.05)
    assert (house.seen, house.said) == (seen, "2 sent")
    assert not stop.is_set()


def test_who_sees_that_another_took_over_begins_nothing_more(stop: threading.Event) -> None:
    house = House(True, StoreError("the database is locked"), True, False)
    turn = house.turn(stop)
    assert turn.take(now=NOW)
    assert stop.wait(10)
    turn.rest()
    assert house.seen == 4


def test_who_did_not_get_it_gives_no_signs(stop: threading.Event) -> None:
    house = House(True, free=False)
    turn = house.turn(stop)
    assert not turn.take(now=NOW)
    time.sleep(0.05)
    turn.rest()
    assert house.seen == 0
