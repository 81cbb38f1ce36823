"""SMTP: the whole engine against smtp-source, into the same smtp-sink; over a distance; and what DKIM costs."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.engine import MailingList
from benchmarks.letters import compiled
from benchmarks.measure import Row, Target, compare, judge, show_seconds
from benchmarks.message import letter_batch
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Status
from newsletter.providers.dkim import Dkim
from newsletter.providers.smtp import Smtp
from tests.cloud.smtp import Script, Server

PEOPLE = 5000
CONNECTIONS = 4
ROUND_TRIP_S, FAR, FAR_MESSAGES = 0.02, 20, 1000


def rows() -> Iterator[Row]:
    """The table."""
    edition = compiled(45).edition
    batch = letter_batch(edition, 2000)
    size = len(batch.message(batch.rows[0]))
    about = f"a message of {size / 1000:.0f} KB over {CONNECTIONS} connections"
    with tempfile.TemporaryDirectory() as folder:
        people = MailingList(Path(folder), edition, PEOPLE)

        def engine(port: int) -> float:
            sent = people.send(50, carrier=f"smtp:{port}")
            return sent.send_s / sent.people

        for what, ours in (
            (f"{about}, by the provider alone", lambda port: _raw(batch, port)),
            (f"{about}, with the ledger on SQLite", engine),
        ):
            yield compare(
                what,
                ours=_into_sink(ours),
                ceiling=_into_sink(lambda port: _smtp_source(port, size)),
                called="smtp-source, same size and connections",
                target=Target(least=0.9, per_cent=True),
            )
    yield _far(batch)
    yield from _signed(batch)


def _into_sink(work: Callable[[int], float]) -> Callable[[], float]:
    def measure() -> float:
        with sink() as port:
            return work(port)

    return measure


@contextmanager
def sink() -> Iterator[int]:
    """A fresh smtp-sink."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    words = [shutil.which("smtp-sink") or "/usr/sbin/smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{port}", "100"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


def _smtp_source(port: int, size: int) -> float:
    """Seconds a message; it exits with an error if one was not taken."""
    program = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
    words = [program, "-d", "-l", str(size), "-m", str(PEOPLE), "-s", str(CONNECTIONS), f"127.0.0.1:{port}"]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return (time.perf_counter() - start) / PEOPLE


def _raw(batch: Batch, port: int, *, connections: int = CONNECTIONS, dkim: Dkim | None = None) -> float:
    """Seconds a message; every one was accepted."""
    smtp = Smtp(host="127.0.0.1", port=port, security="none", connections=connections, dkim=dkim, stop=lambda: False)
    start = time.perf_counter()
    receipts = [each for each in smtp.send(batch) if each is not None]
    seconds = time.perf_counter() - start
    smtp.close()
    assert len(receipts) == len(batch.rows)
    assert {each.status for each in receipts} == {Status.ACCEPTED}
    return seconds / len(batch.rows)


def _far(batch: Batch) -> Row:
    """A server 20 ms away answers each connection 50 times a second at most."""
    some = Batch(letter=batch.letter, claimed_at=batch.claimed_at, rows=batch.rows[:FAR_MESSAGES])
    times = []
    for _ in range(3):
        with Server(Script(delay_s=ROUND_TRIP_S)) as server:
            times.append(_raw(some, server.port, connections=FAR))
    limit = ROUND_TRIP_S / FAR
    return Row(
        what=f"a message to a server 20 ms away, {FAR} connections",
        ours=show_seconds(sorted(times)[1]),
        ceiling=f"one round trip a message: {show_seconds(limit)}",
        verdict=judge([limit / each for each in times], Target(least=0.85, per_cent=True)),
    )


def _signed(batch: Batch) -> Iterator[Row]:
    """DKIM by RSA with 2048 bits, into the sink."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    dkim = Dkim(domain="letters.example.org", selector="monday", private_key_pem=key.decode())
    openssl = subprocess.run(
        [shutil.which("openssl") or "openssl", "speed", "-seconds", "2", "rsa2048"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"^rsa +2048 bits +([\d.]+)s", openssl.stdout, re.MULTILINE)
    assert found, openssl.stdout
    one = float(found[1])
    times = []
    for _ in range(3):
        with sink() as port:
            times.append(_raw(batch, port, dkim=dkim))
    yield Row(
        what="a message signed with RSA-2048, to the sink",
        ours=show_seconds(sorted(times)[1]),
        ceiling=f"openssl's signature alone, on one core: {show_seconds(one)}",
        verdict=judge([one / each for each in times], Target(least=0.65, per_cent=True)),
    )
