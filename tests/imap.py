"""An IMAP server on loopback that gives one answer after another, whatever it is asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HELLO = b"* OK hello\r\n"
CAPABLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n"
FOUND = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\nTAG OK [READ-WRITE] done\r\n"


@dataclass(slots=True)
class Script:
    """Where it listens, and what it was asked."""

    port: int
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def scripted(*answers: bytes, port: int = 0) -> Iterator[Script]:
    """The server: TAG in an answer is the tag of what was asked; after the last it says nothing more."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        script = Script(port=listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, answers, script), daemon=True)
        thread.start()
        yield script
        thread.join(5)


def let_in(*answers: bytes) -> tuple[bytes, ...]:
    """These answers, after those that let a client in and open its folder."""
    return (HELLO, CAPABLE, b"TAG OK in\r\n", CAPABLE, FOUND, *answers)


def _serve(listener: socket.socket, answers: tuple[bytes, ...], script: Script) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines:
        try:
            for number, answer in enumerate(answers):
                script.asked += [lines.readline()] if number else []
                tag = script.asked[-1].split(b" ", 1)[0] if number else b""
                connection.sendall(answer.replace(b"TAG", tag))
            lines.read()
        except OSError:
            pass
