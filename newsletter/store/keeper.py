"""A database that lives in Git, and the ledger on it: nothing is handed over before what is claimed was saved.

What was done since the last save is done again on what somebody else saved meanwhile, so that nothing of theirs and
nothing of ours is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Claim
from newsletter.errors import StateConflict
from newsletter.store.gitstate import GitState
from newsletter.store.ledger import SqlLedger
from newsletter.store.seat import seat

Result = TypeVar("Result")

CHECKPOINT_S = 20.0  # outcomes are saved at least so often; a runner that is lost leaves no more in doubt
_TRIES = 8
_PATIENCE_S = 0.5


class Keeper:
    """The state, and the database that is our copy of it: at *path*, or beside it while another command is at that."""

    def __init__(self, state: GitState, path: Path) -> None:
        self.state = state
        self._wanted = path
        self._open = ExitStack()

    @cached_property
    def path(self) -> Path:
        """Where our copy is, until `close`."""
        return self._open.enter_context(seat(self._wanted))

    def load(self) -> None:
        """Let the database be what the remote has."""
        self.state.load(self.path)

    def save(self) -> None:
        """Let the remote have the database. Raises StateConflict if somebody else was first."""
        self.state.save(self.path)

    def close(self) -> None:
        """Let another command have the file."""
        self._open.close()

    def durably(self, work: Callable[[], Result], again: Callable[[], None] = lambda: None) -> Result:
        """What *work* gives, once it is saved.

        Where somebody else was first, on what they saved: *again* repeats what was not saved yet, and then *work*.
        """
        tries = 1
        while True:
            result = work()
            try:
                self.save()
            except StateConflict:
                if tries == _TRIES:
                    raise
                time.sleep(SystemRandom().uniform(0, _PATIENCE_S * tries))
                tries += 1
                self.load()
                again()
            else:
                return result


class SavedLedger:
    """`SqlLedger` on a database that lives in Git, for one lane."""

    def __init__(self, ledger: SqlLedger, keeper: Keeper) -> None:
        self._ledger, self._keeper = ledger, keeper
        self._unsaved: list[Callable[[], object]] = []
        self._saved_at = time.monotonic()

    def claim(
        self,
        issue_no: int,
        *,
        now: datetime,
        not_before: datetime,
        limit: int,
        worker: str,
        below: int | None = None,
        seals: bool = False,
    ) -> Claim | None:
        """As SqlLedger, and saved: nobody else has these deliveries."""
        return self._durably(
            lambda: self._ledger.claim(
                issue_no, now=now, not_before=not_before, limit=limit, worker=worker, below=below, seals=seals
            )
        )

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """As SqlLedger, and saved."""
        return self._durably(lambda: self._ledger.abandoned(issue_no, now=now, worker=worker))

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        """As SqlLedger, and saved."""
        return self._durably(lambda: self._ledger.doubtful(issue_no, now=now, worker=worker, after=after))

    def seal(self, claim: Claim, *, digest: bytes, now: datetime) -> None:
        """As SqlLedger, and saved: whoever comes after us knows what we are about to hand over."""

        def work() -> Claim:
            self._ledger.seal(claim, digest=digest, now=now)
            return claim

        self._durably(work)

    def record(
        self,
        claim: Claim,
        receipts: Sequence[Receipt],
        *,
        digests: Mapping[int, bytes],
        now: datetime,
        close: bool = False,
    ) -> None:
        """As SqlLedger; saved with the next claim, or after a while."""
        self._soon(lambda: self._ledger.record(claim, receipts, digests=digests, now=now, close=close))

    def reopen(self, issue_no: int, *, now: datetime) -> int:
        """As SqlLedger; saved with the next claim."""
        return self._ledger.reopen(issue_no, now=now)

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        """As SqlLedger; saved with the next batch, or after a while."""
        self._soon(lambda: self._ledger.revise(claim, receipts, now=now))

    def settle_event(
        self, issue_no: int, seq: int, status: Status, *, provider_id: str, reason: str, now: datetime
    ) -> bool:
        """As SqlLedger; saved when everything is."""
        return self._ledger.settle_event(issue_no, seq, status, provider_id=provider_id, reason=reason, now=now)

    def flush(self) -> None:
        """Save what is not saved yet."""
        if self._unsaved:
            self._durably(lambda: self._unsaved)

    def _soon(self, deed: Callable[[], object]) -> None:
        deed()
        self._unsaved.append(deed)
        if time.monotonic() - self._saved_at > CHECKPOINT_S:
            self.flush()

    def _durably(self, work: Callable[[], Result]) -> Result:
        """What *work* gives, saved together with everything before it; nothing to save if it gives nothing."""
        result = work()
        if result is None:
            return result
        done = [result]
        result = self._keeper.durably(lambda: done.pop() if done else work(), self._repeat)
        self._unsaved.clear()
        self._saved_at = time.monotonic()
        return result

    def _repeat(self) -> None:
        for deed in self._unsaved:
            deed()
