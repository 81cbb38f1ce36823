"""A database that lives in Git, and the ledger on it: nothing is handed over before what is claimed was saved.

What was done since the last save is done again on what somebody else saved meanwhile, so that nothing of theirs and
nothing of ours is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import Block, Claim
from newsletter.errors import LeaseLost, StateConflict, StateUnreachable
from newsletter.store.controls import SqlControls
from newsletter.store.gate import SqlGate
from newsletter.store.gitstate import GitState
from newsletter.store.ledger import SqlLedger
from newsletter.store.seat import seat

Result = TypeVar("Result")

CHECKPOINT_S = 20.0  # outcomes are saved at least so often; a runner that is lost leaves no more in doubt

# Whoever saves at every claim is always quicker than somebody who has to load first. So a sender stands aside now and
# then, for as long as others need to load and save, and they go on trying until it has done so more than once.
ROOM_EVERY_S = 15.0
_ROOM_IN_SAVES, _MOST_ROOM_S = 5, 8.0
_PATIENCE_S = 75.0
_APART_S = 0.5  # at most, and by chance, so that two who met do not meet again


class Keeper:
    """The state, and the database that is our copy of it: at *path*, or beside it while another command is at that."""

    def __init__(self, state: GitState, path: Path) -> None:
        self.state = state
        self._wanted = path
        self._open = ExitStack()
        self.stop = threading.Event()  # set by whoever wants an end: then nothing is waited for

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

    def catch_up(self) -> None:
        """Let the database be what the remote has, with patience; what is not saved is lost."""
        self._patiently(self.load, time.monotonic() + _PATIENCE_S)

    def close(self) -> None:
        """Let another command have the file."""
        self._open.close()

    def durably(self, work: Callable[[], Result], again: Callable[[], None] = lambda: None) -> Result:
        """What *work* gives, once it is saved; a line that breaks for a moment is waited for.

        Where somebody else was first, on what they saved: *again* repeats what was not saved yet, and then *work*.
        """
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            result = work()
            try:
                self._patiently(self.save, give_up)
            except StateConflict:
                if time.monotonic() > give_up:
                    raise
                time.sleep(SystemRandom().uniform(0, _APART_S))
                self._patiently(self.load, give_up)
                again()
            else:
                return result

    def _patiently(self, step: Callable[[], None], give_up: float) -> None:
        """Take a step that needs the remote, again and again while nobody answers, until the moment *give_up*.

        What is not saved is known on this machine only, which may be gone with the job.
        """
        wait = _APART_S
        while True:
            try:
                return step()
            except StateUnreachable:
                if time.monotonic() + wait > give_up or self.stop.wait(wait):
                    raise
                wait *= 2


class SavedLedger:
    """`SqlLedger` on a database that lives in Git, for one lane."""

    def __init__(self, ledger: SqlLedger, keeper: Keeper) -> None:
        self._ledger, self._keeper = ledger, keeper
        self._unsaved: list[Callable[[], object]] = []
        self._saved_at = self._aside_at = time.monotonic()
        self._save_s = 0.0  # how long the last save took

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
        """As SqlLedger, and saved: nobody else has these deliveries. None also once the send is to end."""
        if time.monotonic() - self._aside_at > ROOM_EVERY_S and self._stand_aside():
            return None
        return self._if_any(
            lambda: self._ledger.claim(
                issue_no, now=now, not_before=not_before, limit=limit, worker=worker, below=below, seals=seals
            )
        )

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """As SqlLedger, and saved."""
        return self._if_any(lambda: self._ledger.abandoned(issue_no, now=now, worker=worker))

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        """As SqlLedger, and saved."""
        return self._if_any(lambda: self._ledger.doubtful(issue_no, now=now, worker=worker, after=after))

    def seal(self, claim: Claim, *, digest: bytes, now: datetime) -> None:
        """As SqlLedger, and saved: whoever comes after us knows what we are about to hand over."""
        self.durably(lambda: self._ledger.seal(claim, digest=digest, now=now))

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
        self.soon(lambda: self._ledger.record(claim, receipts, digests=digests, now=now, close=close))

    def reopen(self, issue_no: int, *, now: datetime) -> int:
        """As SqlLedger; saved with the next claim."""
        return self._ledger.reopen(issue_no, now=now)

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        """As SqlLedger; saved with the next batch, or after a while."""
        self.soon(lambda: self._ledger.revise(claim, receipts, now=now))

    def settle_event(
        self, issue_no: int, seq: int, status: Status, *, provider_id: str, reason: str, now: datetime
    ) -> bool:
        """As SqlLedger; saved when everything is."""
        return self._ledger.settle_event(issue_no, seq, status, provider_id=provider_id, reason=reason, now=now)

    def catch_up(self) -> None:
        """Know what others saved meanwhile."""
        self.flush()
        self._keeper.catch_up()

    def flush(self) -> None:
        """Save what is not saved yet."""
        if self._unsaved:
            self.durably(lambda: None)

    def durably(self, work: Callable[[], Result]) -> Result:
        """What *work* gives, saved together with everything before it."""
        began = time.monotonic()
        result = self._keeper.durably(work, self._repeat)
        self._unsaved.clear()
        self._saved_at = time.monotonic()
        self._save_s = self._saved_at - began
        return result

    def soon(self, deed: Callable[[], object]) -> None:
        """Do *deed*; saved with the next claim, or after a while, and done again where somebody else was first."""
        deed()
        self._unsaved.append(deed)
        if time.monotonic() - self._saved_at > CHECKPOINT_S:
            self.flush()

    def _stand_aside(self) -> bool:
        """Let others save, with nothing in our hands; whether somebody wants the send to end."""
        self.flush()
        stopped = self._keeper.stop.wait(min(_ROOM_IN_SAVES * self._save_s, _MOST_ROOM_S))
        self._aside_at = time.monotonic()
        return stopped

    def _if_any(self, work: Callable[[], Result | None]) -> Result | None:
        """What *work* gives, saved together with everything before it; nothing to save if it gives nothing."""
        result = work()
        if result is None:
            return None
        done = [result]
        return self.durably(lambda: done.pop() if done else work())

    def _repeat(self) -> None:
        for deed in self._unsaved:
            # What became of a batch that somebody has taken over, they find out; the others are still ours to tell.
            with suppress(LeaseLost):
                deed()


class SavedControls:
    """`SqlControls` on a database that lives in Git: whoever decides is not sent away because somebody is sending."""

    def __init__(self, controls: SqlControls, ledger: SavedLedger) -> None:
        self._controls, self._ledger = controls, ledger

    def pause(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """As SqlControls, and saved."""
        self._ledger.durably(lambda: self._controls.pause(issue_no, by=by, why=why, now=now))

    def resume(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """As SqlControls, and saved."""
        self._ledger.durably(lambda: self._controls.resume(issue_no, by=by, why=why, now=now))

    def cancel(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """As SqlControls, and saved."""
        self._ledger.durably(lambda: self._controls.cancel(issue_no, by=by, why=why, now=now))

    def correct(self, issue_no: int, *, revision: int, edition_hash: str, by: str, why: str, now: datetime) -> None:
        """As SqlControls; saved with the edition, when everything is."""
        self._controls.correct(issue_no, revision=revision, edition_hash=edition_hash, by=by, why=why, now=now)

    def decide(self, issue_no: int, what: str, *, by: str, why: str, now: datetime) -> None:
        """As SqlControls, and saved."""
        self._ledger.durably(lambda: self._controls.decide(issue_no, what, by=by, why=why, now=now))


class SavedGate:
    """`SqlGate` on a database that lives in Git."""

    def __init__(self, gate: SqlGate, ledger: SavedLedger) -> None:
        self._gate, self._ledger = gate, ledger

    def reserve(self, provider: str, *, count: int, rate: float, now: datetime) -> timedelta:
        """As SqlGate; saved with the claim that it is for."""
        return self._gate.reserve(provider, count=count, rate=rate, now=now)

    def blocked(self, provider: str, *, now: datetime) -> Block | None:
        """As SqlGate."""
        return self._gate.blocked(provider, now=now)

    def block(self, provider: str, *, until: datetime, why: str, now: datetime) -> None:
        """As SqlGate, and saved."""
        self._ledger.durably(lambda: self._gate.block(provider, until=until, why=why, now=now))
