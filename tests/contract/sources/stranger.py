"""A stranger's server on loopback: it does to each path as it is told, rudely if wanted, and remembers who asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Stranger:
    """A server; `pages` says what each path answers."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.pages: dict[str, Answer] = {}
        self.leaving = threading.Event()  # set when the test is over, so that nobody drips on
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                self.close_connection = True
                with suppress(OSError):  # whoever asked hung up
                    stranger.pages.get(self.path, answer(status=404))(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a caller that hangs up is no news here

        self.server = Server((host, port), Handler)
        self.port = self.server.server_port
        self.url = f"http://{host}:{self.port}"

    def drip(self, prefix: bytes, drop: bytes, *, every_s: float = 0.05) -> Answer:
        """Say *prefix*, and then *drop* again and again, for ever."""

        def say(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(prefix)
            while not self.leaving.wait(every_s):
                handler.wfile.write(drop)

        return say

    @contextmanager
    def serving(self) -> Iterator[Stranger]:
        """Itself, at work."""
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.leaving.set()
            self.server.shutdown()
            thread.join()
            self.server.server_close()


def answer(body: bytes = b"", *, status: int = 200, length: int | None = None, **fields: str) -> Answer:
    """An answer like any other; `length` says another length than it has, and fields have _ for -."""

    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name.replace("_", "-"), value)
        if "Transfer_Encoding" not in fields:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return say


def raw(*parts: bytes) -> Answer:
    """These bytes, and the end."""

    def say(handler: BaseHTTPRequestHandler) -> None:
        for part in parts:
            handler.wfile.write(part)

    return say


def endless(chunk: bytes, *, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n", times: int = 100_000) -> Answer:
    """A head, and then as much of *chunk* as anybody takes."""

    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        for _ in range(times):
            handler.wfile.write(chunk)

    return say


def late(seconds: float, then: Answer) -> Answer:
    """Nothing for some *seconds*."""

    def say(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        then(handler)

    return say
