"""A sender in a process of its own: `python -m benchmarks.sender DATABASE ISSUE BATCH_SIZE NOW`.

It says as JSON how it went. Everything is the program's own but the provider, which builds each message
and throws it away.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from newsletter.audience.links import Signer
from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.rendering.edition import read_edition
from newsletter.store.db import connect
from newsletter.store.editions import SqlEditions
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.store.workers import this_worker
from newsletter.usecases.fill import filler
from newsletter.usecases.send import Sender

WINDOW = timedelta(hours=36)
UNWANTED = ("premailer", "lxml", "cssutils", "requests", "markdown_it")


class Counting:
    """Builds every message, counts it and lets it go."""

    name = "counting"

    def __init__(self, batch_size: int) -> None:
        """Take *batch_size* deliveries at a time."""
        self.batch_size = batch_size
        self.messages = 0
        self.octets = 0

    def send(self, batch: Batch) -> Iterator[Receipt]:
        """Every message, built and accepted."""
        for row in batch.rows:
            self.octets += len(batch.message(row))
            self.messages += 1
            yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=row.ref)

    def settle(self, _batch: Batch) -> Iterator[Receipt]:
        """Nothing: no sender dies here."""
        return iter(())


def main(url: str, issue_id: str, batch_size: int, now: datetime) -> dict[str, object]:
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

    provider = Counting(batch_size)
    sender = Sender(
        issue=issue,
        filler=filler(read_edition(SqlEditions(database).get(issue.edition_hash)), links_of),
        ledger=SqlLedger(database),
        provider=provider,
        worker=this_worker(),
        window=WINDOW,
        clock=lambda: now,
    )
    start, cpu = time.perf_counter(), time.process_time()
    done = sender.run(lambda _more: None)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    database.close()
    return {
        "receipts": done,
        "messages": provider.messages,
        "octets": provider.octets,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_kib": peak_kib(),
        "unwanted": sorted(sys.modules.keys() & set(UNWANTED)),
    }


def peak_kib() -> int:
    """The most memory this process ever had; `getrusage` alone would also count its parent's before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), datetime.fromisoformat(sys.argv[4]))))
