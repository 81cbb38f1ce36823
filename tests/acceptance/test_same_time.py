"""How long an answer takes tells nobody whether an address is on the list."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import pytest

from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry
from newsletter.store.subscribers import SqlPeople
from newsletter.web.public import public_pages
from newsletter.web.public_serving import listen, serve
from tests.visitors import NOON, found

PAIRS = 150
# Of 150 pairs, a rank sum so far from even is met by chance once in half a million runs.
FAR = 5.0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Pages that a real server answers with, of a list with PAIRS people."""
    root: Path = tmp_path_factory.mktemp("same") / "letters"
    listening = listen("127.0.0.1", 0)
    number = int(listening.getsockname()[1])
    newsletter = found(root, site=f"http://127.0.0.1:{number}", more="[serve]\nproxies = 1\n")
    entries = [Entry(address=f"known{n}@example.org") for n in range(PAIRS)]
    evidence = Evidence(at=NOON, how="import", source="a test")
    SqlPeople(newsletter.database).enter(entries, evidence=evidence, now=NOON)
    stop = threading.Event()
    server = threading.Thread(target=serve, args=(public_pages(newsletter), listening, stop))
    server.start()
    yield number
    stop.set()
    server.join()
    newsletter.database.close()


def ask(connection: http.client.HTTPConnection, path: str, address: str, *, household: int) -> tuple[float, bytes]:
    """How long the answer took, and what it said."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": f"2001:{household:x}::1"}
    start = time.perf_counter()
    connection.request("POST", path, body=urlencode({"address": address}), headers=headers)
    response = connection.getresponse()
    said = response.read()
    took = time.perf_counter() - start
    assert response.status == 200
    return took, said


def far_apart(some: list[float], others: list[float]) -> float:
    """How many standard deviations the ranks of *some* are from being like those of *others* (Mann and Whitney)."""
    beaten = sum((one > other) + (one == other) / 2 for one in some for other in others)
    pairs = len(some) * len(others)
    return float((beaten - pairs / 2) / (pairs * (len(some) + len(others) + 1) / 12) ** 0.5)


@pytest.mark.parametrize("path", ["/subscribe", "/lost"])
def test_known_and_unknown_addresses_take_the_same_time_and_say_the_same(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took: dict[str, list[float]] = {"known": [], "other": []}
    said = set()
    for number in range(-5, PAIRS):
        for who in sorted(took, reverse=number % 2 == 1):  # in turn, so that being second favours neither
            seconds, answer = ask(connection, path, f"{who}{abs(number)}@example.org", household=abs(number))
            said.add(answer)
            if number >= 0:  # the first few warm up
                took[who].append(seconds)
    connection.close()
    assert len(said) == 1
    known, unknown = took["known"], took["other"]
    assert abs(far_apart(known, unknown)) < FAR
    assert 0.67 < median(known) / median(unknown) < 1.5


def test_a_difference_would_be_seen() -> None:
    even = [number / PAIRS for number in range(PAIRS)]
    assert abs(far_apart(even, even)) < 0.01
    assert far_apart([each + 0.4 for each in even], even) > FAR
