"""Following links: politely, over real connections, and not again what was there a moment ago."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from newsletter.sources.calls import Limits
from newsletter.sources.fetch import Fetched, Fetcher
from newsletter.sources.files import Workspace
from newsletter.sources.links import FRESH, Answer, ask
from tests.contract.sources.stranger import Stranger, answer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Neighbour(Fetcher):
    """One that may look on this machine, where the tests' servers are."""

    def look(self, url: str) -> Fetched:
        return self._fetch(url, {}, loopback=True, body=False)


NEIGHBOUR = Neighbour(agent="newsletter-test", limits=Limits(total_s=2.0))


@pytest.fixture
def server() -> Iterator[Stranger]:
    with Stranger().serving() as stranger:
        yield stranger


def follow(urls: list[str], root: Path, *, now: datetime = NOW, pause_s: float = 0.0) -> dict[str, Answer]:
    return ask(urls, fetcher=NEIGHBOUR, files=Workspace(root), now=now, pause_s=pause_s)


@pytest.mark.parametrize(
    ("status", "why", "gone"),
    [
        (200, "", False),
        (204, "", False),
        (403, "", False),
        (429, "", False),
        (404, "it answers 404: there is no such page", True),
        (410, "it answers 410: there is no such page", True),
        (500, "it answers 500", False),
        (503, "it answers 503", False),
    ],
)
def test_what_an_answer_means(server: Stranger, tmp_path: Path, status: int, why: str, gone: bool) -> None:
    server.pages["/a"] = answer(status=status)
    url = f"{server.url}/a"
    assert follow([url], tmp_path) == {url: Answer(why=why, gone=gone)}


def test_redirects_are_followed_and_a_page_that_is_cut_off_is_unsure(server: Stranger, tmp_path: Path) -> None:
    server.pages |= {
        "/old": answer(status=301, Location="/new"),
        "/new": answer(b"here"),
        "/slow": server.drip(b"", b"H"),
    }
    found = follow([f"{server.url}/old", f"{server.url}/slow"], tmp_path)
    assert found[f"{server.url}/old"] == Answer()
    assert found[f"{server.url}/slow"].why
    assert not found[f"{server.url}/slow"].gone


def test_a_name_that_nobody_knows_is_gone_or_cannot_be_looked_up(tmp_path: Path) -> None:
    (found,) = follow(["https://no.such.name.invalid/"], tmp_path).values()
    assert found.why in ("its name is not known here", "no names can be looked up just now")
    assert found.gone is (found.why == "its name is not known here")


def test_what_is_on_this_machine_is_never_asked(server: Stranger, tmp_path: Path) -> None:
    url = f"{server.url}/a"
    found = ask([url], fetcher=Fetcher(agent="x"), files=Workspace(tmp_path), now=NOW)
    assert found[url].why
    assert server.asked == []


def test_each_address_is_asked_once_and_one_host_never_twice_at_a_time(server: Stranger, tmp_path: Path) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        answer(b"x")(handler)

    urls = [f"{server.url}/{number % 5}" for number in range(20)]
    server.pages |= {f"/{number}": slow for number in range(5)}
    told: list[int] = []
    ask(urls, fetcher=NEIGHBOUR, files=Workspace(tmp_path), now=NOW, pause_s=0.0, done=told.append)
    assert sorted(path for path, _ in server.asked) == ["/0", "/1", "/2", "/3", "/4"]
    assert most == 1
    assert sum(told) == 5


def test_what_was_there_is_believed_for_a_day_and_what_was_not_is_asked_again(server: Stranger, tmp_path: Path) -> None:
    server.pages["/here"] = answer(b"x")
    urls = [f"{server.url}/here", f"{server.url}/gone"]
    follow(urls, tmp_path)
    follow(urls, tmp_path, now=NOW + FRESH / 2)
    assert [path for path, _ in server.asked] == ["/here", "/gone", "/gone"]
    follow(urls, tmp_path, now=NOW + FRESH + timedelta(seconds=1))
    assert [path for path, _ in server.asked][3:] == ["/here", "/gone"]
    assert (tmp_path / ".newsletter" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("memory", ["", "{", "[]", '{"https://example.org": 7}', '{"https://example.org": "x"}'])
def test_a_broken_memory_is_an_empty_one(server: Stranger, tmp_path: Path, memory: str) -> None:
    (tmp_path / ".newsletter").mkdir()
    (tmp_path / ".newsletter" / "links.json").write_text(memory)
    server.pages["/here"] = answer(b"x")
    assert follow([f"{server.url}/here"], tmp_path) == {f"{server.url}/here": Answer()}
