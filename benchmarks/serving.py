"""The public pages under `newsletter serve`, asked 200 times a second while a letter is sent from the same database."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.engine import MailingList
from benchmarks.letters import ROOT, compiled
from benchmarks.measure import Row, Target, Verdict, judge, show_seconds
from newsletter.app.answering import CONFIRM
from newsletter.app.newsletter import Newsletter
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry
from newsletter.audience.subscriber import State
from newsletter.settings.read import read_settings
from newsletter.store.db import connect
from newsletter.store.subscribers import SqlPeople

PEOPLE = 20_000
RATE, SECONDS, PROCESSES = 200, 60, 4
_ALL = Target(least=1, per_cent=True)
_AS_MANY = Target(least=0.98, per_cent=True)
_ONE_CORE = Target(most=1, per_cent=True)
_SLOWER = Target(most=4)
_QUICK_S = {"half of them": 0.1, "99 of 100": 1.0}

Asked = tuple[str, str, dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """How the visitors were answered."""

    took: list[float]
    answers: Counter[str]
    rate: float


def rows() -> Iterator[Row]:
    """The table's lines."""
    with TemporaryDirectory(prefix="newsletter-pages-") as name:
        port, place = _free_port(), Path(name) / "letters"
        _found(place, port)
        people = MailingList(Path(name), compiled(10).edition, PEOPLE)
        database = f"sqlite:///{Path(name) / f'{PEOPLE}.db'}"
        asked = _asked(place, database)
        alone = people.send(50, carrier="outbox")
        with _served(place, port, database) as server, ThreadPoolExecutor(1) as pool:
            sending = pool.submit(people.send, 50, carrier="outbox")
            before = _cpu_s(server)
            visits = _visit(port, asked)
            cpu_s = _cpu_s(server) - before
            beside = sending.result()
    well = visits.answers["200"]
    wanted = RATE * SECONDS
    yield Row(
        what=f"{wanted:,} requests in {SECONDS} s, beside {beside.people:,} letters to the outbox: answered well",
        ours=", ".join(f"{said}: {count:,}" for said, count in visits.answers.most_common()),
        ceiling=f"{wanted:,} asked",
        verdict=judge([well / wanted], _ALL),
    )
    yield Row(
        what="the same, in requests a second",
        ours=f"{visits.rate:.0f}/s",
        ceiling=f"{RATE}/s asked",
        verdict=judge([visits.rate / RATE], _AS_MANY),
    )
    yield Row(
        what="the same: processor time of a request, with the mails it leads to",
        ours=show_seconds(cpu_s / wanted),
        ceiling=f"one core: {show_seconds(1 / RATE)}",
        verdict=judge([cpu_s / wanted * RATE], _ONE_CORE),
    )
    for which, took in (("half of them", median(visits.took)), ("99 of 100", quantiles(visits.took, n=100)[98])):
        most = _QUICK_S[which]
        yield Row(
            what=f"{which} were answered within",
            ours=show_seconds(took),
            ceiling=f"the slowest: {show_seconds(max(visits.took))}",
            verdict=Verdict(result=show_seconds(took), spread="", target=f"≤ {show_seconds(most)}", met=took <= most),
        )
    yield Row(
        what="the send beside them",
        ours=f"{beside.rate:,.0f}/s",
        ceiling=f"nobody visits: {alone.rate:,.0f}/s",
        verdict=judge([beside.send_s / alone.send_s], _SLOWER),
    )


def _found(place: Path, port: int) -> None:
    """A new newsletter whose pages are at *port*, behind a proxy."""
    subprocess.run((sys.executable, "-m", "newsletter", "init", str(place)), cwd=ROOT, check=True, capture_output=True)
    config = place / "newsletter.toml"
    text = re.sub(r'(?m)^url = ".*"', f'url = "http://127.0.0.1:{port}"', config.read_text(encoding="utf-8"))
    config.write_text(f"{text}\n[serve]\nport = {port}\nproxies = 1\n", encoding="utf-8")


@contextmanager
def _served(place: Path, port: int, database: str) -> Iterator[subprocess.Popen[bytes]]:
    """`newsletter serve`, listening."""
    server = subprocess.Popen(
        (sys.executable, "-P", "-m", "newsletter", "--config", str(place), "serve"),
        cwd=ROOT,
        env={**os.environ, "NEWSLETTER_DATABASE_URL": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        yield server
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Seconds of processor time that a process has had; only Linux tells while it runs."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _asked(place: Path, url: str) -> list[Asked]:
    """What is asked, in its order: of each ten requests always the same kinds.

    Who confirms or leaves has asked to join and is not confirmed, so that the letter goes to the same people as ever.
    """
    rounds, now = RATE * SECONDS // 10, datetime.now(UTC)
    with closing(connect(url)) as database:
        entries = [Entry(address=f"guest{number}@example.org", state=State.PENDING) for number in range(2 * rounds)]
        SqlPeople(database).enter(entries, evidence=Evidence(at=now, how="import", source="made up"), now=now)
        guests = [each for each in SqlPeople(database).everyone() if each.state is State.PENDING]
    signer = Newsletter(read_settings(place)).signer
    asked: list[Asked] = []
    for number, (leaves, comes) in enumerate(zip(guests[::2], guests[1::2], strict=True)):
        leave = f"/leave/{leaves.leave_token}"
        confirm = f"/confirm/{signer.sign(CONFIRM, comes.id, expires_at=now + timedelta(days=1))}"
        asked += [("GET", "/subscribe", {}) for _ in range(3)]
        asked += [("POST", "/subscribe", {"address": f"{who}{number}@example.org"}) for who in ("guest", "new")]
        asked += [("GET", leave, {}), ("GET", leave, {}), ("POST", leave, {"List-Unsubscribe": "One-Click"})]
        asked += [("GET", confirm, {}), ("POST", confirm, {})]
    return asked


def _visit(port: int, asked: list[Asked]) -> Visits:
    """Send visitors for all of *asked*, in several processes."""
    command = (sys.executable, "-m", "benchmarks.visitors", str(port), str(RATE / PROCESSES))
    parts = [
        "\n".join(json.dumps(each) for each in islice(asked, first, None, PROCESSES)) for first in range(PROCESSES)
    ]
    with ThreadPoolExecutor(PROCESSES) as pool:
        done = list(pool.map(lambda part: _said(command, part), parts))
    return Visits(
        took=[each for one in done for each in one["took"]],
        answers=sum((Counter(one["answers"]) for one in done), Counter()),
        rate=len(asked) / max(one["seconds"] for one in done),
    )


def _said(command: tuple[str, ...], told: str) -> dict[str, Any]:
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, input=told)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until it listens, for a minute at most."""
    for _ in range(600):
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "newsletter serve has ended"
        time.sleep(0.1)
    raise TimeoutError("newsletter serve does not listen")
