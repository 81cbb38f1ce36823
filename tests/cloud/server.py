"""A cloud on loopback that behaves as three providers document it, and fails on demand.

Every accepted message is in `accepted`, and in the journal if there is one: written and synced before the
answer, so that a cloud that is killed has forgotten nothing it took, and no key it was given.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

# What can go wrong with the next calls that would send, by name.
DROP = "drop"  # takes the messages, then the line breaks without an answer
HALF = "half"  # takes them, and half of the answer arrives
SLOW = "slow"  # takes them, and answers only much later
GARBAGE = "garbage"  # takes them, and answers what is no JSON
RESET = "reset"  # the line breaks before it took anything
FAIL = "500"  # answers 500, and took nothing
FAULTS = (DROP, HALF, SLOW, GARBAGE, RESET, FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One message as its recipient gets it."""

    provider: str
    run: str
    ref: str
    to: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """Somebody who left, bounced (for good, or for now) or complained, as the provider got to know it."""

    what: str  # left | bounced | full | complained
    to: str
    at: float  # seconds since 1970
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answers; `takes` are the messages that it accepted."""

    status: int
    data: object
    headers: Mapping[str, str] = field(default_factory=dict)
    takes: tuple[Delivered, ...] = ()
    key: str = ""  # by which it will know the call again
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Provider = Callable[["Cloud", Call], Reply]


class Cloud:
    """The server; a context manager. `answers` stand in for a provider's own, one call each."""

    def __init__(self, providers: Mapping[str, Provider], *, journal: Path | None = None, port: int = 0) -> None:
        self.accepted: list[Delivered] = []
        self.calls: list[Call] = []
        self.faults: deque[str] = deque()
        self.answers: deque[Reply] = deque()
        self.departed: list[Departed] = []
        self.question_faults: deque[str] = deque()  # what goes wrong with the next questions
        self.question_answers: deque[Reply] = deque()  # what stands in for the answers to the next
        self.oldest_first = False  # the order of a list that has been from the newest on so far
        self.endless = False  # whether there is always one more page
        self.writes_leave = False  # whether a domain's mails get a way to leave from the provider
        self.keys: dict[str, tuple[str, object]] = {}
        self.slow_s = 3.0
        self.page = 3  # records in an answer to a search; few, so that every test turns pages
        self.delay_s = 0.0
        self._providers = providers
        self._lock = threading.Lock()
        self._journal = journal
        if journal is not None and journal.exists():
            self._remember(journal)
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                cloud.handle(self)

            def do_POST(self) -> None:
                cloud.handle(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def sends(self) -> list[Call]:
        """The calls that would send."""
        return [call for call in self.calls if call.method == "POST"]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until killed."""
        self._server.serve_forever()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request, or fail as was asked."""
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        call = Call(request.command, request.path, {k.lower(): v for k, v in request.headers.items()}, body)
        with self._lock:
            self.calls.append(call)
            faults, answers = (
                (self.faults, self.answers) if call.method == "POST" else (self.question_faults, self.question_answers)
            )
            fault = faults.popleft() if faults else ""
            if fault == RESET:
                return self._hang_up(request)
            if fault == FAIL:
                reply = Reply(500, {"message": "something went wrong"})
            elif answers:
                reply = answers.popleft()
            else:
                name = next(name for name in self._providers if call.path.startswith(name))
                reply = self._providers[name](self, call)
            self._take(reply)
        time.sleep(self.slow_s if fault == SLOW else self.delay_s)
        if fault == DROP:
            return self._hang_up(request)
        return self._answer(request, reply, fault)

    def _take(self, reply: Reply) -> None:
        """Accept the messages of a reply: in the journal first."""
        if self._journal is not None and (reply.takes or reply.key):
            with self._journal.open("a", encoding="utf-8") as journal:
                record = {"takes": [asdict(each) for each in reply.takes], "key": reply.key}
                journal.write(json.dumps(record | {"digest": reply.digest, "data": reply.data}) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
        self.accepted += reply.takes
        if reply.key:
            self.keys[reply.key] = (reply.digest, reply.data)

    def _remember(self, journal: Path) -> None:
        for line in journal.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # the last line of one that was killed
                record = json.loads(line)
                self.accepted += [Delivered(**each) for each in record["takes"]]
                if record["key"]:
                    self.keys[record["key"]] = (record["digest"], record["data"])

    def _answer(self, request: BaseHTTPRequestHandler, reply: Reply, fault: str) -> None:
        raw = b"<html>" if fault == GARBAGE else json.dumps(reply.data).encode()
        with contextlib.suppress(OSError):  # it may have left meanwhile
            request.send_response(reply.status)
            for name, value in reply.headers.items():
                request.send_header(name, value)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(raw)))
            request.end_headers()
            request.wfile.write(raw[: len(raw) // 2] if fault == HALF else raw)
            request.wfile.flush()
        if fault == HALF:
            self._hang_up(request)

    @staticmethod
    def _hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        with contextlib.suppress(OSError):
            request.connection.shutdown(socket.SHUT_RDWR)


def json_of(call: Call) -> Any:
    return json.loads(call.body)


def digest_of(call: Call) -> str:
    return hashlib.sha256(call.body).hexdigest()
