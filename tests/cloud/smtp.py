"""An SMTP server on loopback that keeps what it takes and fails on demand, one scripted step at a time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Self

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 1000000", "ENHANCEDSTATUSCODES")

DROP_AFTER_DOT = "drop after dot"  # takes the message, then hangs up without an answer
DROP_BEFORE_DOT = "drop before dot"  # hangs up in the middle of a message
DROP = "drop"  # hangs up instead of an answer to a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message as it was taken, with its envelope's commands."""

    mail: str
    rcpt: str
    data: bytes

    @property
    def to(self) -> str:
        """Its recipient by the envelope."""
        found = re.search(r"<([^>]*)>", self.rcpt)
        assert found
        return found[1]

    @property
    def parsed(self) -> EmailMessage:
        """It, parsed by the standard library."""
        return message_from_bytes(self.data, policy=policy.default)  # type: ignore[return-value]


@dataclass(slots=True)
class Script:
    """How the server behaves. `replies` stand in for its own: (step, recipient) → what to say, or a DROP."""

    extensions: tuple[str, ...] = EXTENSIONS
    greeting: str = "220 sink.example.org"
    replies: Callable[[str, str], str] = lambda _step, _to: ""
    delay_s: float = 0.0  # before each group of replies, as distance would
    split: bool = False  # replies in pieces of a few octets
    multiline: bool = False
    most: int = 0  # connections it has at once, 0 for any; others are greeted with 421
    journal: Path | None = None
    commands: list[str] = field(default_factory=list)


class Server:
    """The server; a context manager."""

    def __init__(self, script: Script | None = None, *, port: int = 0) -> None:
        self.script = script or Script()
        self.mails: list[Mail] = []
        self.connections = self.open = 0
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # else one more would be let in
        self._socket.close()

    def serve(self) -> None:
        """Serve until closed."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.open += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def take(self, mail: Mail) -> None:
        """Accept a message: in the journal first."""
        with self._lock:
            if self.script.journal is not None:
                found = re.search(rb"^Message-ID: <([^@>]+)@", mail.data, re.MULTILINE | re.IGNORECASE)
                record = {"ref": found[1].decode() if found else "", "to": mail.to}
                with self.script.journal.open("a") as journal:
                    journal.write(json.dumps(record) + "\n")
                    journal.flush()
                    os.fsync(journal.fileno())
            self.mails.append(mail)

    def _talk(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, _HangUp):
                if self.script.most and self.open > self.script.most:
                    connection.sendall(b"421 4.7.0 too many connections\r\n")
                else:
                    _Talk(self, connection).run()
        finally:
            with self._lock:
                self.open -= 1


class _HangUp(Exception):
    pass


class _Talk:
    def __init__(self, server: Server, connection: socket.socket) -> None:
        self.server, self.script, self.connection = server, server.script, connection
        self.buffer = b""
        self.mail = self.rcpt = self.to = ""
        self.out = b""

    def run(self) -> None:
        self.say(self.script.greeting)
        self.flush()
        if not self.script.greeting.startswith("2"):
            return
        while line := self.readline():
            command = line.decode("utf-8").rstrip("\r\n")
            self.script.commands.append(command)
            self.obey(command)
            if not self.buffer:  # as a real server does with a group of commands: one answer to all of them
                self.flush()

    def readline(self) -> bytes:
        """The next line with its end; empty if the line was closed."""
        while b"\n" not in self.buffer:
            more = self.connection.recv(65536)
            if not more:
                return b""
            self.buffer += more
        line, end, self.buffer = self.buffer.partition(b"\n")
        return line + end

    def obey(self, command: str) -> None:
        word = command.split(" ", 1)[0].upper()
        if word in ("EHLO", "HELO"):
            names = ["sink.example.org", *self.script.extensions]
            self.say("\r\n".join(f"250{'-' if name != names[-1] else ' '}{name}" for name in names))
        elif word == "MAIL":
            self.reply("MAIL", "503 5.5.1 nested" if self.mail else "250 2.1.0 ok")
            self.mail = command if self.ok else self.mail
        elif word == "RCPT":
            found = re.search(r"<([^>]*)>", command)
            self.to = found[1] if found else ""
            self.reply("RCPT", "250 2.1.5 ok" if self.mail else "503 5.5.1 MAIL first")
            self.rcpt = command if self.ok else ""
        elif word == "DATA":
            self.reply("DATA", "354 go on" if self.rcpt else "503 5.5.1 no recipients")
            if self.said.startswith("354"):
                self.flush()
                self.data()
        elif word == "RSET":
            self.mail = self.rcpt = ""
            self.reply("RSET", "250 2.0.0 ok")
        elif word == "QUIT":
            self.say("221 2.0.0 bye")
            self.flush()
            raise _HangUp
        else:
            self.say("500 5.5.2 what?")

    def data(self) -> None:
        if self.rcpt and self.script.replies("BODY", self.to) == DROP_BEFORE_DOT:
            self.readline()
            raise _HangUp
        while not self.buffer.startswith(b".\r\n") and (end := self.buffer.find(b"\r\n.\r\n")) < 0:
            more = self.connection.recv(1 << 18)
            if not more:
                raise _HangUp
            self.buffer += more
        if self.buffer.startswith(b".\r\n"):
            data, self.buffer = b"", self.buffer[3:]
        else:
            data, self.buffer = self.buffer[: end + 2], self.buffer[end + 5 :]
        data = data.replace(b"\r\n..", b"\r\n.").removeprefix(b".")
        asked = self.script.replies("DOT", self.to)
        taken = self.rcpt and (not asked or asked.startswith("2") or asked == DROP_AFTER_DOT)
        if taken:
            self.server.take(Mail(mail=self.mail, rcpt=self.rcpt, data=data))
        else:
            asked = asked or "554 5.5.1 no recipients"
        self.mail = self.rcpt = ""
        if asked == DROP_AFTER_DOT:
            raise _HangUp
        self.say(asked or "250 2.0.0 queued as 4ABC")

    @property
    def ok(self) -> bool:
        return self.said.startswith(("2", "3"))

    said = ""

    def reply(self, step: str, own: str) -> None:
        self.said = self.script.replies(step, self.to) or own
        if self.said == DROP:
            raise _HangUp
        self.say(self.said)
        if self.said.startswith("421"):
            self.flush()
            raise _HangUp

    def say(self, text: str) -> None:
        self.said = text
        if self.script.multiline and "\r\n" not in text and text[:1] == "2":
            text = f"{text[:3]}-first line\r\n{text}"
        self.out += text.encode() + b"\r\n"

    def flush(self) -> None:
        out, self.out = self.out, b""
        if out and self.script.delay_s:
            time.sleep(self.script.delay_s)
        if not self.script.split:
            self.connection.sendall(out)
            return
        for start in range(0, len(out), 5):
            self.connection.sendall(out[start : start + 5])
            time.sleep(0.0005)


def once(answers: Mapping[tuple[str, str], str]) -> Callable[[str, str], str]:
    """Replies that are given one time each, by step and recipient."""
    left = dict(answers)
    return lambda step, to: left.pop((step, to), "")
