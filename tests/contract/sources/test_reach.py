"""Whether pages answer, asked of a real server on loopback; and what its clock says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from newsletter.sources.finding import Level
from newsletter.sources.reach import Answer, ask, clock, leave_page, site

OK, WARNING, ERROR = Level.OK, Level.WARNING, Level.ERROR


class Site:
    """A site that does to each path as it is told, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.date = datetime.now(UTC)
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                site.asked.append(f"{self.command} {self.path}")
                site.pages.get(self.path, status(404))(self)

            def do_GET(self) -> None:
                self.do_HEAD()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(site.date, usegmt=True)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def status(code: int, **fields: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def only_get(handler: BaseHTTPRequestHandler) -> None:
    status(405 if handler.command == "HEAD" else 200)(handler)


@pytest.fixture
def pages():
    here = Site()
    thread = threading.Thread(target=here.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield here
    here.server.shutdown()
    thread.join()
    here.server.server_close()


def test_a_page_that_answers_is_asked_for_its_head_only(pages: Site) -> None:
    pages.pages["/"] = status(200)
    answer = ask(f"{pages.url}/")
    assert answer.status == 200
    assert pages.asked == ["HEAD /"]
    assert site(pages.url, answer).level is OK
    assert leave_page(pages.url, answer).level is OK


def test_a_server_without_head_is_asked_for_the_page(pages: Site) -> None:
    pages.pages["/"] = only_get
    assert ask(f"{pages.url}/").status == 200
    assert pages.asked == ["HEAD /", "GET /"]


def test_a_page_without_end_is_not_read(pages: Site) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "HEAD":
            status(405)(handler)
            return
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            handler.close_connection = True

    pages.pages["/"] = endless
    started = time.monotonic()
    assert ask(f"{pages.url}/").status == 200
    assert time.monotonic() - started < 2


def test_a_redirect_without_end_is_not_read(pages: Site) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/home")
        handler.end_headers()
        try:
            for _ in range(1000 if handler.command == "GET" else 0):
                handler.wfile.write(b"x" * 65536)
                time.sleep(0.005)
        except OSError:
            handler.close_connection = True

    def head_refused(handler: BaseHTTPRequestHandler) -> None:
        status(405)(handler) if handler.command == "HEAD" else endless(handler)

    pages.pages = {"/": head_refused, "/home": status(200)}
    started = time.monotonic()
    assert ask(f"{pages.url}/").status == 200
    assert time.monotonic() - started < 2


def test_redirects_are_followed_on_the_same_host(pages: Site) -> None:
    pages.pages = {"/": status(302, Location="/home"), "/home": status(200)}
    assert ask(f"{pages.url}/").status == 200


@pytest.mark.parametrize(
    ("to", "away"),
    [
        ("http://somebody@169.254.169.254/secret?token=1", "http://169.254.169.254"),
        ("http://127.0.0.1:1/", "http://127.0.0.1"),
        ("https://elsewhere.test/x", "https://elsewhere.test"),
        ("file:///etc/passwd", "file://"),
        ("//[bad", ""),
    ],
)
def test_another_host_is_named_and_never_asked(pages: Site, to: str, away: str) -> None:
    pages.pages["/"] = status(301, Location=to)
    answer = ask(f"{pages.url}/")
    assert (answer.away, bool(answer.failed)) == (away, not away)
    assert pages.asked == ["HEAD /"]
    if away:
        assert site(pages.url, answer).level is WARNING
        assert leave_page(pages.url, answer).level is ERROR
        assert away in site(pages.url, answer).detail


def test_redirects_in_a_circle_end(pages: Site) -> None:
    pages.pages["/"] = status(302, Location="/")
    assert "circle" in ask(f"{pages.url}/").failed
    assert len(pages.asked) < 8


@pytest.mark.parametrize(
    ("code", "of_site", "of_leaving"),
    [(204, OK, OK), (404, WARNING, WARNING), (410, WARNING, WARNING), (403, WARNING, ERROR), (503, WARNING, ERROR)],
)
def test_what_a_status_means(pages: Site, code: int, of_site: Level, of_leaving: Level) -> None:
    pages.pages["/"] = status(code)
    answer = ask(f"{pages.url}/")
    assert (site(pages.url, answer).level, leave_page(pages.url, answer).level) == (of_site, of_leaving)


def test_a_server_that_hangs_is_given_up(pages: Site) -> None:
    done = threading.Event()
    pages.pages["/"] = lambda handler: done.wait(5) and status(200)(handler)
    started = time.monotonic()
    answer = ask(f"{pages.url}/", patience_s=0.3)
    assert time.monotonic() - started < 2
    done.set()
    assert answer.failed == "no answer in 0.3 seconds"
    assert site(pages.url, answer).level is ERROR


def test_nobody_there_is_an_error_that_says_so() -> None:
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    answer = ask(f"http://127.0.0.1:{port}/")
    assert answer.failed == "it refuses connections"
    assert not answer.offline


def test_a_server_without_tls_where_tls_is_wanted_is_an_error(pages: Site) -> None:
    assert ask(pages.url.replace("http:", "https:")).failed


def test_no_network_is_a_note() -> None:
    answer = Answer(failed="there is no network", offline=True)
    assert site("https://letters.monday.test", answer).level is WARNING
    assert leave_page("https://letters.monday.test", answer).level is WARNING


def test_the_clock_is_held_against_the_servers(pages: Site) -> None:
    pages.pages["/"] = status(200)
    for off, level, words in (
        (timedelta(seconds=-30), OK, "noon"),
        (timedelta(minutes=-5), WARNING, "seconds ahead of"),
        (timedelta(hours=2), WARNING, "seconds behind"),
    ):
        pages.date = datetime.now(UTC) + off
        found = clock("noon", ask(f"{pages.url}/").ahead)
        assert (found.level, words in found.detail) == (level, True), found


def test_what_a_cache_kept_is_as_old_as_it_says(pages: Site) -> None:
    pages.date = datetime.now(UTC) - timedelta(hours=3)
    pages.pages["/"] = status(200, Age="10800")
    assert clock("noon", ask(f"{pages.url}/").ahead).level is OK


@pytest.mark.parametrize("age", ["soon", "9" * 30])
def test_a_clock_that_cannot_be_read_says_nothing(pages: Site, age: str) -> None:
    pages.pages["/"] = status(200, Age=age)
    answer = ask(f"{pages.url}/")
    assert (answer.status, answer.ahead) == (200, None)
    assert clock("noon", None).level is OK
