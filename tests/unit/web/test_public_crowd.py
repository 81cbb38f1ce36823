"""How often one place may ask for a mail."""

from __future__ import annotations

import pytest

from newsletter.web import public_crowd
from newsletter.web.public_crowd import AT_MOST, WITHIN_S, Crowd, place_of


def asked(crowd: Crowd, address: str, times: int, *, now_s: float = 0) -> list[bool]:
    return [crowd.lets(address, now_s=now_s) for _ in range(times)]


def test_so_many_in_a_while_and_no_more() -> None:
    crowd = Crowd()
    assert asked(crowd, "192.0.2.1", AT_MOST + 2) == [True] * AT_MOST + [False, False]
    assert asked(crowd, "192.0.2.2", 1) == [True]
    assert asked(crowd, "192.0.2.1", 1, now_s=WITHIN_S - 1) == [False]
    assert asked(crowd, "192.0.2.1", 1, now_s=WITHIN_S) == [True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("no address", None, True),
    ],
)
def test_a_household_is_one_place(one: str, other: str | None, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same


def test_a_network_of_many_households_is_no_way_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_crowd, "AT_MOST_NEAR", 5)
    crowd = Crowd()
    let_in = [crowd.lets(f"2001:db8:0:{household:x}::1", now_s=0) for household in range(8)]
    assert let_in == [True] * 5 + [False] * 3
    assert crowd.lets("2001:db8:1::1", now_s=0)
    assert all(crowd.lets(f"::ffff:192.0.2.{number}", now_s=0) for number in range(9))


def test_memory_is_bounded_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_crowd, "_PLACES", 3)
    crowd = Crowd()
    asked(crowd, "192.0.2.9", AT_MOST)
    asked(crowd, "192.0.2.1", 1)
    asked(crowd, "192.0.2.2", 1)
    assert asked(crowd, "192.0.2.9", 1) == [False]  # whoever comes again is not the oldest
    for last in (3, 4, 5):
        asked(crowd, f"192.0.2.{last}", 1)
    assert len(crowd._asked) == 3
    assert asked(crowd, "192.0.2.9", 1) == [True]
