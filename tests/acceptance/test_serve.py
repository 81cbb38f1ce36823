"""`newsletter serve` as a program of its own, over real sockets: as it begins, answers, is pressed, and ends."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from newsletter.audience.subscriber import State
from newsletter.web import public_serving
from newsletter.web.public_joining import TRAP
from newsletter.web.public_serving import MAX_HEADER_BYTES
from tests.leaks import leaks_in
from tests.visitors import House, found

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


class Served:
    """The program, running."""

    def __init__(self, root: Path, *, program: tuple[str, ...] = ("-m", "newsletter", "serve")) -> None:
        self.port = free_port()
        self.newsletter = found(root, site=f"http://127.0.0.1:{self.port}", more=f"[serve]\nport = {self.port}\n")
        self.house = House(newsletter=self.newsletter, client=None)  # type: ignore[arg-type]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        environment.pop("NEWSLETTER_DATABASE_URL", None)
        self.process = subprocess.Popen(
            [sys.executable, *(word.format(port=self.port) for word in program)],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert time.monotonic() < until
            assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, path: str, *, method: str = "GET", body: str | None = None) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.status, dict(response.headers), response.read().decode()
        connection.close()
        return answer

    def end(self) -> str:
        """What it said, after it was asked to end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        self.newsletter.database.close()
        assert leaks_in(said) == []
        return said


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("serve") / "letters")
    yield running
    said = running.end()
    assert running.process.returncode == 0
    assert said.splitlines() == [
        f"Listening at 127.0.0.1:{running.port} for http://127.0.0.1:{running.port}. Ctrl-C ends it.",
        "Ended.",
    ]


def test_one_click_leaves_over_the_wire(served: Served) -> None:
    ada = served.house.person()
    status, headers, body = served.ask(f"/leave/{ada.leave_token}", method="POST", body="List-Unsubscribe=One-Click")
    assert status == 200
    assert "You have left." in body
    assert "Server" not in headers
    assert "Set-Cookie" not in headers
    assert served.house.known().state is State.UNSUBSCRIBED


def test_head_is_answered_like_get_without_a_page(served: Served) -> None:
    status, headers, body = served.ask("/", method="HEAD")
    assert (status, body) == (200, "")
    assert headers["Content-Length"] == served.ask("/")[1]["Content-Length"]


def read_all(connection: socket.socket) -> bytes:
    connection.settimeout(PATIENCE_S)
    answer = b""
    while more := connection.recv(65536):
        answer += more
    return answer


def raw(served: Served, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ".ljust(MAX_HEADER_BYTES, b"x"), b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
    ids=["headers", "body", "no host", "bytes", "smuggled", "tls"],
)
def test_what_is_too_much_or_no_request_is_refused(served: Served, request_: bytes, status: bytes) -> None:
    answer = raw(served, request_)
    assert answer.split(b" ", 2)[1] == status
    assert b"Traceback" not in answer
    assert served.ask("/health")[0] == 200


def test_who_sends_a_trickle_keeps_nobody_waiting(served: Served) -> None:
    trickles = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(120)]
    for each in trickles:
        each.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
    start = time.monotonic()
    assert served.ask("/health")[0] == 200
    assert time.monotonic() - start < 5
    for each in trickles:
        each.close()


def test_a_request_must_arrive_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same server in this process, with less patience than readers are given."""
    monkeypatch.setattr(public_serving, "REQUEST_S", 0.3)
    listening = public_serving.listen("127.0.0.1", 0)
    stop = threading.Event()

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])  # type: ignore[operator]
        return [b"ok"]

    thread = threading.Thread(target=public_serving.serve, args=(app, listening, stop))
    thread.start()
    try:
        with socket.create_connection(listening.getsockname()) as connection:
            begun = time.monotonic()
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            with suppress(ConnectionError):
                while time.monotonic() - begun < 10:
                    connection.sendall(b"X: x\r\n")
                    time.sleep(0.05)
            assert 0.3 < time.monotonic() - begun < 5
        with socket.create_connection(listening.getsockname()) as connection:
            for _ in range(3):  # patience begins anew with each request of a connection
                time.sleep(0.2)
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = connection.recv(4096)
                while not answer.endswith(b"ok"):
                    answer += connection.recv(4096)
    finally:
        stop.set()
        thread.join()


def test_a_port_that_is_taken_is_told(served: Served) -> None:
    words = [sys.executable, "-m", "newsletter", "--config", str(served.newsletter.settings.root), "serve"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert said.returncode == 1
    assert f"127.0.0.1:{served.port}: cannot be listened at" in said.stderr
    assert "[serve] host and port" in said.stderr


def test_who_asks_for_a_mail_gets_it_at_once_and_a_robot_gets_none(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "templates", tmp_path / "letters" / "templates")
    serving = Served(tmp_path / "letters")
    try:
        serving.ask("/subscribe", method="POST", body=f"address=eve%40example.org&{TRAP}=pills")
        serving.ask("/subscribe", method="POST", body="address=nova%40example.org")
        until = time.monotonic() + PATIENCE_S
        while not (mails := list((tmp_path / "letters" / "outbox").rglob("*.eml"))):
            assert time.monotonic() < until
            time.sleep(0.1)
        (mail,) = mails
        assert b"To: nova@example.org" in mail.read_bytes()
        assert serving.house.wishes() == []
    finally:
        said = serving.end()
    assert said.endswith("Ended.\n")


def test_another_wsgi_server_serves_the_same(tmp_path: Path) -> None:
    program = ("-m", "waitress", "--host=127.0.0.1", "--port={port}", "--call", "newsletter.web.public:application")
    other = Served(tmp_path / "letters", program=program)
    try:
        status, headers, body = other.ask("/")
        assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert "Get the letter" in body
    finally:
        other.end()
