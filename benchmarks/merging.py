"""Merge over HTTP: Mailgun is handed a template and values, and the ledger is all that is left to wait for."""

from __future__ import annotations

import multiprocessing
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.engine import MailingList
from benchmarks.letters import compiled
from benchmarks.measure import PAIRS, Row, Target, Verdict, judge

PEOPLE = 100_000
BATCH = 1000
RATE = 100_000
_ANSWER = b'{"id":"<1@letters.example.org>","message":"Queued. Thank you."}'
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_ANSWER), _ANSWER)


def rows() -> Iterator[Row]:
    """The table."""
    edition = compiled(45).edition
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        people = MailingList(Path(folder), edition, PEOPLE)
        pairs = [
            (people.send(BATCH, carrier=f"mailgun:{port}"), people.send(BATCH, carrier="accepting"))
            for _ in range(PAIRS)
        ]
    merged, alone = (median(each.rate for each in group) for group in zip(*pairs, strict=True))
    yield Row(
        what=f"{PEOPLE:,} people by Mailgun, {BATCH:,} a call, with the ledger",
        ours=f"{merged:,.0f}/s",
        ceiling=f"a provider that only says yes: {alone:,.0f}/s",
        verdict=judge((ours.rate / ledger.rate for ours, ledger in pairs), Target(least=0.35, per_cent=True)),
    )
    rates = sorted(ours.rate for ours, _ in pairs)
    yield Row(
        what="the same, in recipients a second",
        ours=f"{merged:,.0f}/s",
        ceiling="",
        verdict=Verdict(
            result=f"{merged:,.0f}/s",
            spread=f"{rates[0]:,.0f} to {rates[-1]:,.0f}/s",
            target=f"≥ {RATE:,}/s",
            met=merged >= RATE,
        ),
    )


@contextmanager
def sink() -> Iterator[int]:
    """The port of a server, in a process of its own, that reads calls and says yes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(listening,), daemon=True)
        process.start()
        try:
            port: int = listening.getsockname()[1]
            yield port
        finally:
            process.kill()
            process.join()


def _serve(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            more = connection.recv(1 << 16)
            if not more:
                return
            buffer += more
        head, _, rest = buffer.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(found[1]) - len(rest) if found else 0
        while left > 0:
            left -= len(connection.recv(min(left, 1 << 20)))
        buffer = b""
        connection.sendall(_OK)
