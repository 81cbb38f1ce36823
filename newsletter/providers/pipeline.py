"""One SMTP connection, driven without waiting: a message costs one round trip (RFC 2920).

The end of one message, the next envelope and DATA travel together; the next message goes out as soon as the
server is ready for it. What a connection knows of a message when it breaks decides what may have become of
it: only one whose final dot was on its way may have been accepted.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.delivery.message import Row
from newsletter.providers.replies import Reply, Step

# RFC 5321 §4.5.3.2, how long a server may take
TIMEOUTS_S = {
    Step.RSET: 300,
    Step.MAIL: 300,
    Step.RCPT: 300,
    Step.DATA: 120,
    Step.DOT: 600,
    Step.LONE_DOT: 600,
}
_CHUNK = 65536
_RECORD = 16384  # octets of a TLS record: it arrives whole or counts for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message on its way: its two commands, and its text, dot-stuffed, with the final dot."""

    row: Row
    mail: bytes
    rcpt: bytes
    data: bytes


class Verdict(NamedTuple):
    """What a server said about one message: the step at which it was decided, and the words."""

    row: Row
    step: Step
    reply: Reply


class Line:
    """A connection that was opened and signed in by smtplib."""

    def __init__(self, client: smtplib.SMTP) -> None:
        """Take over *client*'s socket."""
        assert client.sock is not None
        self.client = client
        self.sock: socket.socket = client.sock
        self.features: Mapping[str, str] = client.esmtp_features
        self.pipelining = "pipelining" in self.features
        self.sock.settimeout(0)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.messages = 0  # begun on this connection
        self.verdicts: list[Verdict] = []  # to be taken away by whoever drives it
        self.broken = ""  # why, once it is
        self._incoming = b""
        self._lines: list[bytes] = []  # of a reply that is not whole yet
        self._outgoing: deque[bytes] = deque()
        self._awaited: deque[tuple[Step, Envelope]] = deque()
        self._said: dict[Step, Reply] = {}
        self._queued = self._sent = 0  # octets of all time
        self._dot_at = 0  # octets after which the current message is whole
        self._due = 0.0
        self._next: Callable[[], Envelope | None] = lambda: None

    @property
    def idle(self) -> bool:
        """Whether nothing is awaited."""
        return not self._awaited

    @property
    def wants_write(self) -> bool:
        """Whether something waits to leave."""
        return bool(self._outgoing)

    @property
    def rows(self) -> tuple[list[Row], list[Row]]:
        """The rows under way: those that may have been accepted already, and those that certainly were not."""
        may: list[Row] = []
        not_yet: list[Row] = []
        for step, envelope in self._awaited:
            if step is Step.DOT:
                (may if self._sent >= self._dot_at else not_yet).append(envelope.row)
            elif step is Step.DATA or (not self.pipelining and step in (Step.MAIL, Step.RCPT)):
                not_yet.append(envelope.row)
        return may, not_yet

    def begin(self, take: Callable[[], Envelope | None]) -> bool:
        """Begin with the first message that *take* gives, going on with the next as long as there are any."""
        self._next = take
        envelope = take()
        if envelope is not None:
            self._open(envelope, b"")
        return envelope is not None

    def exchange(self) -> None:
        """Send and receive as much as goes without waiting."""
        try:
            self._receive()
            if not self.broken:
                self._send()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            pass
        except OSError as err:
            self.broken = type(err).__name__
        if not self.broken and self._awaited and time.monotonic() > self._due:
            self.broken = f"no answer to {self._awaited[0][0]} in time"

    def close(self, *, politely: bool) -> None:
        """Hang up, after QUIT; what the server says to that is no matter, and a silent one must not keep us."""
        if politely and not self.broken and self.idle:
            with contextlib.suppress(OSError):
                self.sock.send(b"QUIT\r\n")
        self.client.close()

    def _open(self, envelope: Envelope, before: bytes) -> None:
        """Send the commands that begin a message, after *before*."""
        self.messages += 1
        self._said = {}
        if self.pipelining:
            self._queue(before + envelope.mail + envelope.rcpt + b"DATA\r\n")
            self._await(Step.MAIL, envelope)
            self._await(Step.RCPT, envelope)
            self._await(Step.DATA, envelope)
        else:
            self._queue(before + envelope.mail)
            self._await(Step.MAIL, envelope)

    def _await(self, step: Step, envelope: Envelope) -> None:
        if not self._awaited:
            self._due = time.monotonic() + TIMEOUTS_S[step]
        self._awaited.append((step, envelope))

    def _queue(self, data: bytes) -> None:
        if isinstance(self.sock, ssl.SSLSocket):
            # A record at a time: of more than one, nobody would tell which of them left when the line breaks.
            self._outgoing.extend(data[start : start + _RECORD] for start in range(0, len(data), _RECORD))
        else:
            self._outgoing.append(data)
        self._queued += len(data)

    def _send(self) -> None:
        while self._outgoing:
            data = self._outgoing[0]
            sent = self.sock.send(data)
            self._sent += sent
            if sent < len(data):
                self._outgoing[0] = data[sent:]
            else:
                self._outgoing.popleft()

    def _receive(self) -> None:
        try:
            while not self.broken:
                data = self.sock.recv(_CHUNK)
                if not data:
                    self.broken = "the line was closed"
                    return
                self._read(data)
                if len(data) < _CHUNK and not isinstance(self.sock, ssl.SSLSocket):
                    return
        except (ssl.SSLWantReadError, BlockingIOError):
            pass

    def _read(self, data: bytes) -> None:
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        for line in lines:
            self._lines.append(line.rstrip(b"\r"))
            if line[3:4] != b"-":
                text = " ".join(each[4:].decode("utf-8", "replace") for each in self._lines)
                code = line[:3]
                self._lines = []
                self._heard(Reply(int(code) if code.isdigit() else 0, text))
                if self.broken:
                    return
        if len(self._incoming) > _CHUNK or len(self._lines) > 100:
            self.broken = "an answer without end"

    def _heard(self, reply: Reply) -> None:
        """Go on by one reply."""
        if not self._awaited or not reply.answers(self._awaited[0][0]):
            self.broken = reply.said
            return
        step, envelope = self._awaited.popleft()
        if self._awaited:
            self._due = time.monotonic() + TIMEOUTS_S[self._awaited[0][0]]
        if step is not Step.DOT:
            self._said[step] = reply
        if reply.code == 421 and step is not Step.DOT:
            self._awaited.appendleft((step, envelope))  # it did not begin, or did not go on
            self.broken = reply.said
        elif step is Step.DOT:
            self.verdicts.append(Verdict(envelope.row, step, reply))
            if not self.pipelining:
                self._go_on(b"")
        elif step is Step.DATA:
            self._after_data(envelope, reply)
        elif not self.pipelining:
            self._one_at_a_time(step, envelope, reply)

    def _refusal(self) -> tuple[Step, Reply] | None:
        """The first no to the commands that began the current message."""
        return next(((step, self._said[step]) for step in (Step.MAIL, Step.RCPT) if not self._said[step].ok), None)

    def _after_data(self, envelope: Envelope, reply: Reply) -> None:
        refused = self._refusal()
        if reply.code == 354 and refused is None:
            self._dot_at = self._queued + len(envelope.data)
            self._await(Step.DOT, envelope)
            self._go_on(envelope.data)
        elif reply.code == 354:
            # It wants a message for nobody (RFC 2920 §3.1): an empty one ends it, and whatever it says is no matter.
            self.verdicts.append(Verdict(envelope.row, *(refused or (Step.DATA, reply))))
            self._await(Step.LONE_DOT, envelope)
            self._go_on(b".\r\n")
        else:
            self._give_up(envelope, *(refused or (Step.DATA, reply)))

    def _one_at_a_time(self, step: Step, envelope: Envelope, reply: Reply) -> None:
        """The next command for a server that does not take several at once."""
        if step is Step.RSET:
            self._go_on(b"")
        elif not reply.ok:
            self._give_up(envelope, step, reply)
        elif step is Step.MAIL:
            self._queue(envelope.rcpt)
            self._await(Step.RCPT, envelope)
        elif step is Step.RCPT:
            self._queue(b"DATA\r\n")
            self._await(Step.DATA, envelope)

    def _give_up(self, envelope: Envelope, step: Step, reply: Reply) -> None:
        """Leave a transaction that will not lead to a message."""
        self.verdicts.append(Verdict(envelope.row, step, reply))
        self._await(Step.RSET, envelope)
        if self.pipelining:
            self._go_on(b"RSET\r\n")
        else:
            self._queue(b"RSET\r\n")

    def _go_on(self, before: bytes) -> None:
        """Send *before*, and with it what begins the next message, if there is one."""
        if before and not self.pipelining:
            self._queue(before)
            return
        envelope = self._next()
        if envelope is not None:
            self._open(envelope, before)
        elif before:
            self._queue(before)
