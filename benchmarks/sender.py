"""A sender in a process of its own: `python -m benchmarks.sender DATABASE ISSUE BATCH_SIZE NOW CARRIER`.

It says as JSON how it went. Everything is the program's own but the provider, which is one of CARRIERS: `building`
builds each message and throws it away, `accepting` does not even look, `outbox` keeps each as a file until the end;
`smtp:PORT` is SMTP in two lanes of two connections, and `mailgun:PORT` Mailgun in two lanes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from newsletter.audience.links import Signer
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.news import News
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.providers.outbox import Outbox
from newsletter.rendering.edition import read_edition
from newsletter.store.controls import SqlControls
from newsletter.store.db import connect
from newsletter.store.editions import SqlEditions
from newsletter.store.gate import SqlGate
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.store.workers import this_worker
from newsletter.usecases.fill import filler
from newsletter.usecases.ports import Provider
from newsletter.usecases.send import Run, Sender

LANES = 2
WINDOW = timedelta(hours=36)
UNWANTED = ("premailer", "lxml", "cssutils", "requests", "markdown_it")


class Building:
    """Builds every message and lets it go."""

    name = "building"
    keeps_keys = timedelta(0)

    def __init__(self, batch_size: int) -> None:
        """Take *batch_size* deliveries at a time."""
        self.batch_size = self.record_every = batch_size
        self.octets = 0

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """Every message, built and accepted."""
        for row in batch.rows:
            self.octets += len(batch.message(row))
            yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=row.ref)

    def settle(self, batch: Batch) -> Iterator[Receipt]:  # noqa: ARG002 - the port's signature
        """Nothing: no sender dies here."""
        return iter(())

    def read_events(self, data: bytes) -> Iterator[Event]:  # noqa: ARG002 - the port's signature
        """Nothing happens later."""
        return iter(())

    def departures(
        self,
        after: str,  # noqa: ARG002 - the port's signature
        *,
        now: datetime,  # noqa: ARG002
    ) -> Iterator[tuple[Sequence[News], str]]:
        """Nobody answers."""
        return iter(())

    def examine(self) -> Iterator[Look]:
        """There is nothing to look at."""
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class Accepting(Building):
    """Accepts whatever it is handed: what is left is the ledger and the filling of holes."""

    name = "accepting"

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """A receipt for each row."""
        return (Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=row.ref) for row in batch.rows)


def main(url: str, issue_id: str, batch_size: int, now: datetime, carrier: str) -> dict[str, object]:
    """Send what is due of the issue; figures of the work and of this process."""
    database = connect(url)
    issue = SqlPlanner(database).planned(issue_id)
    assert issue is not None
    signer, site = Signer([b"a key that is only good for measuring"]), "https://letters.example.org"

    def links_of(person: Subscriber, at: datetime) -> dict[str, str]:
        return {
            "unsubscribe_url": f"{site}/leave/{person.leave_token}",
            "preferences_url": f"{site}/preferences/{signer.sign('preferences', person.id, expires_at=at)}",
        }

    ready = filler(read_edition(SqlEditions(database).get(issue.edition_hash)), links_of)
    name, _, port = carrier.partition(":")
    providers = [CARRIERS[name](batch_size, int(port or 0)) for _ in range(LANES if port else 1)]
    run = Run()

    def lane(provider: Provider) -> int:
        sender = Sender(
            issue=issue,
            fillers=lambda _edition: ready,
            ledger=SqlLedger(database),
            gate=SqlGate(database),
            controls=SqlControls(database),
            provider=provider,
            worker=this_worker(),
            window=WINDOW,
            rate=0,
            halt_percent=100,
            clock=lambda: now,
            wait=lambda _seconds: False,
            roll=lambda: 0.5,
            run=run,
        )
        return sender.send(lambda _more: None)

    start, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(providers)) as pool:
        done = sum(pool.map(lane, providers))
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    database.close()
    return {
        "receipts": done,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_kib": peak_kib(),
        "unwanted": sorted(sys.modules.keys() & set(UNWANTED)) if not port else [],
    }


class Filing(Outbox):
    """The outbox, in a folder that goes with the process."""

    def __init__(self, batch_size: int) -> None:
        """Take *batch_size* deliveries at a time."""
        self._temporary = TemporaryDirectory(prefix="newsletter-outbox-")
        super().__init__(Path(self._temporary.name))
        self.batch_size = batch_size


def _smtp(batch_size: int, port: int) -> Provider:
    from newsletter.providers.smtp import Smtp  # noqa: PLC0415 - it brings more than the others need

    smtp = Smtp(host="127.0.0.1", port=port, security="none", connections=2, stop=lambda: False)
    smtp.batch_size = batch_size
    return smtp


def _mailgun(batch_size: int, port: int) -> Provider:
    from newsletter.providers.mailgun import Mailgun  # noqa: PLC0415 - it brings more than the others need

    mailgun = Mailgun(
        url=f"http://127.0.0.1:{port}",
        domain="letters.example.org",
        api_key="for measuring",
        sandbox=False,
        stop=lambda: False,
        clock=lambda: datetime.now(UTC),
    )
    mailgun.batch_size = batch_size
    return mailgun


CARRIERS: dict[str, Callable[[int, int], Provider]] = {
    "building": lambda batch_size, _port: Building(batch_size),
    "accepting": lambda batch_size, _port: Accepting(batch_size),
    "outbox": lambda batch_size, _port: Filing(batch_size),
    "smtp": _smtp,
    "mailgun": _mailgun,
}


def peak_kib() -> int:
    """The most memory this process ever had; `getrusage` alone would also count its parent's before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    print(
        json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), datetime.fromisoformat(sys.argv[4]), sys.argv[5]))
    )
