"""Outcomes that change: somebody knows better, a provider reports later, or a wait is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from newsletter.delivery.outcome import MOVES, Receipt, Status, move
from newsletter.delivery.plan import Claim
from newsletter.errors import StoreError
from newsletter.pieces import one_line
from newsletter.store import changes, leases, statements
from newsletter.store.quick import Quick

# What a provider can report of its own accord; that nothing left needs more than that.
_REPORTED = frozenset({Status.ACCEPTED, Status.REFUSED, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED})


def revise(quick: Quick, claim: Claim, receipts: Sequence[Receipt], *, now: int) -> None:
    """Settle deliveries in doubt of a batch that is ours; see `SqlLedger.revise`."""
    hi = leases.renew(quick, claim, now=now)
    ours = {each.seq for each in claim.deliveries}
    for receipt in receipts:
        if receipt.seq not in ours:
            raise StoreError(f"delivery {receipt.seq} is not one of those that were claimed to be settled")
        move(Status.UNKNOWN, receipt.status)
    span = {"issue_no": claim.issue_no, "lo": claim.batch_no, "hi": hi}
    known = {row[1]: (row[2], row[3], row[5], row[4]) for row in quick.all(statements.RECORDED, span)}
    says = {receipt.seq: receipt for receipt in receipts}
    changing = [
        _change(claim.issue_no, _unnamed(quick, claim.issue_no, receipt), known[seq], now=now)
        for seq, receipt in sorted(says.items())
        if seq in known and known[seq][0] == Status.UNKNOWN.value
    ]
    quick.run_all(changes.REMEMBER, changing)
    quick.run_all(changes.FORGET, [each for each in changing if each["status"] == Status.PLANNED.value])
    quick.run_all(changes.CHANGE, [each for each in changing if each["status"] != Status.PLANNED.value])


def settle_event(quick: Quick, issue_no: int, said: Receipt, *, now: int) -> bool:
    """Whether *said* changed the outcome of a delivery."""
    named = {"issue": issue_no, "number": said.seq}
    old = _held_outcome(quick, named)
    if old is None or said.status not in _REPORTED or said.status not in MOVES.get(Status(old[0]), frozenset()):
        return False
    change = _change(issue_no, _unnamed(quick, issue_no, said), old, now=now)
    quick.run(changes.REMEMBER, change)
    quick.run(changes.CHANGE, change)
    return True


def reopen(quick: Quick, issue_no: int, *, now: int) -> int:
    """Let deliveries whose wait is over be claimed again; how many.

    Batches that somebody else is at are passed over, so that nobody waits and nobody waits in a circle.
    """
    reopened = 0
    for (lo,) in quick.all(changes.WAITED, {"issue_no": issue_no, "now": now, "most": changes.AT_A_TIME}):
        named = {"issue": issue_no, "first": lo}
        held = quick.first(changes.HOLD_FREE, named)
        if held is None:
            continue
        here = named | {"end": held[0], "now": now}
        quick.run(changes.REMEMBER_WAITED, here)
        forgotten = quick.run(changes.FORGET_WAITED, here)
        if forgotten:
            quick.run(changes.REOPEN, named)
        reopened += forgotten
    return reopened


def _held_outcome(quick: Quick, named: dict[str, Any]) -> tuple[Any, ...] | None:
    """What became of a delivery, if there is anything; nobody else may change it until we are done."""
    while quick.first(changes.OUTCOME, named):
        if quick.first(changes.HOLD_BATCH, named):
            return quick.first(changes.OUTCOME, named)
        # It was in the part of a batch that a claim, which we waited for, has split off: look again.
    return None


def _unnamed(quick: Quick, issue_no: int, said: Receipt) -> Receipt:
    """*said* without its words, which may name the reader, where they were forgotten."""
    gone = quick.first(changes.FORGOTTEN, {"issue": issue_no, "number": said.seq})
    return replace(said, provider_id="", reason="") if gone else said


def _change(issue_no: int, said: Receipt, old: tuple[Any, ...], *, now: int) -> dict[str, Any]:
    """The values of the statements that change an outcome from *old*: status, instant, reason, provider_id."""
    return {
        "issue": issue_no,
        "number": said.seq,
        "status": said.status.value,
        "at": now,
        "reason": one_line(said.reason),
        "provider_id": one_line(said.provider_id) or old[3],
        "old": old[0],
        "old_at": old[1],
        "old_reason": old[2],
    }
