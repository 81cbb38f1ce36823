"""Whether a page and a picture are really there, asked of a real server on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from newsletter.sources import published
from newsletter.sources.published import MAX_BYTES, Published

PICTURE = b"a picture" * 1000
DIGEST = sha256(PICTURE).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler], None]


def body(content: bytes, status: int = 200, **fields: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    return answer


class Site:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Answer] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(f"{self.command} {self.path}")
                try:
                    site.answers.get(self.path, body(b"", 404))(self)
                except OSError:
                    self.close_connection = True

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    here = Site()
    thread = threading.Thread(target=here.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield here
    here.server.shutdown()
    thread.join()
    here.server.server_close()


def of_page(site: Site) -> str:
    return Published(site.url).page(f"{site.url}/letters/a/")


def of_picture(site: Site) -> str:
    return Published(site.url).file(f"{site.url}/images/a.png", DIGEST)


def test_a_page_that_is_there_is_asked_for_its_head_only(site: Site) -> None:
    site.answers["/letters/a/"] = body(b"page")
    assert of_page(site) == ""
    assert site.asked == ["HEAD /letters/a/"]


def test_a_page_that_is_not_there_is_named(site: Site) -> None:
    assert of_page(site) == f"{site.url}/letters/a/ answers 404"
    site.answers["/letters/a/"] = body(b"", 302, Location="https://elsewhere.test/")
    assert "leads to https://elsewhere.test" in of_page(site)


def test_a_picture_is_compared_byte_for_byte(site: Site) -> None:
    site.answers["/images/a.png"] = body(PICTURE)
    assert of_picture(site) == ""
    site.answers["/images/a.png"] = body(PICTURE + b".")
    assert of_picture(site) == f"{site.url}/images/a.png is not the picture that was approved"
    del site.answers["/images/a.png"]
    assert of_picture(site) == f"{site.url}/images/a.png answers 404"


def test_a_picture_that_moved_on_its_own_site_is_followed(site: Site) -> None:
    site.answers = {"/images/a.png": body(b"", 302, Location="/b.png"), "/b.png": body(PICTURE)}
    assert of_picture(site) == ""


def test_a_server_that_says_yes_to_head_and_has_nothing_is_found_out(site: Site) -> None:
    def empty(handler: BaseHTTPRequestHandler) -> None:
        body(b"" if handler.command == "GET" else PICTURE)(handler)

    site.answers["/images/a.png"] = empty
    assert "is not the picture" in of_picture(site)


def test_nothing_larger_than_a_picture_is_read_to_its_end(site: Site) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while handler.command == "GET":
            handler.wfile.write(bytes(65_536))
            sent += 65_536

    site.answers["/images/a.png"] = endless
    assert "is not the picture" in of_picture(site)
    assert sent < 20 * MAX_BYTES


def test_nobody_waits_for_drops(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "FILE_S", 0.3)

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100 if handler.command == "GET" else 0):
            handler.wfile.write(b".")
            handler.wfile.flush()
            time.sleep(0.05)

    site.answers["/images/a.png"] = dripping
    started = time.monotonic()
    assert "is not the picture" in of_picture(site)
    assert time.monotonic() - started < 2


def test_a_connection_that_breaks_says_so(site: Site) -> None:
    def breaking(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.close_connection = True

    site.answers["/images/a.png"] = breaking
    assert of_picture(site).startswith(f"{site.url}/images/a.png")


def test_only_the_site_itself_is_asked(site: Site) -> None:
    for url in (f"{site.url}0/images/a.png", "http://169.254.169.254/latest", f"{site.url}.example.org/a"):
        assert "is not on" in Published(site.url).file(url, DIGEST)
    assert site.asked == []


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[fd00::1]", "127.0.0.1.nip.test"]
)
def test_a_public_site_never_leads_into_a_private_network(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a public name led there: the name is public, what it stands for is not."""
    look_up = published.socket.getaddrinfo
    literal = "10.0.0.7" if host.endswith("test") else host.strip("[]")
    monkeypatch.setattr(published.socket, "getaddrinfo", lambda _host, port, **kind: look_up(literal, port, **kind))
    url = "https://letters.example.org"
    assert "private network" in Published(url).page(f"{url}/letters/a/")


def test_a_name_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError("no such name")

    monkeypatch.setattr(published.socket, "getaddrinfo", unknown)
    url = "https://letters.example.org"
    assert Published(url).page(f"{url}/letters/a/") == f"{url}/letters/a/: its name is not known here"
