"""Batches in somebody's hands: taken, kept, taken over and given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from newsletter.audience.subscriber import Subscriber
from newsletter.delivery.plan import Claim, Claimed
from newsletter.errors import LeaseLost
from newsletter.store import statements
from newsletter.store.kinds import instant
from newsletter.store.quick import Quick
from newsletter.store.rows import person
from newsletter.store.workers import hand_of, is_gone

_NO_LIMIT = 2**31 - 1  # no delivery has such a number


class Batch(NamedTuple):
    """A row of `batches`."""

    issue_no: int
    lo: int
    hi: int
    due_at: int
    state: str
    claimed_at: int | None
    lease_until: int | None
    worker: str | None
    revision: int
    sealed: bytes | None
    settling: bool


# A delivery of a batch: its seq, the person, and why they may not be mailed now, if so.
Member = tuple[int, Subscriber, str]


def next_due(quick: Quick, issue_no: int, *, now: int, not_before: int, below: int | None) -> tuple[Batch, str] | None:
    """The first batch that may be claimed, locked, with the revision it will be claimed with, and its edition.

    One that others are at is waited for if there is no other; none, if the issue is paused or cancelled.
    """
    if not quick.is_sqlite:  # which has one writer at a time
        quick.first(statements.SHARE_ISSUE, {"issue_no": issue_no})
    window = {
        "issue_no": issue_no,
        "now": now,
        "not_before": not_before,
        "below": _NO_LIMIT if below is None else below,
    }
    row = quick.first(statements.NEXT_FREE, window) or quick.first(statements.NEXT_DUE, window)
    if row is None:
        return None
    *columns, revision, edition_hash = row
    return Batch._make(columns)._replace(revision=revision), edition_hash


def take(quick: Quick, batch: Batch, *, hi: int, now: int, hand: str, seals: bool) -> Batch:
    """Claim the deliveries from the batch's `lo` up to *hi*; what is beyond stays planned.

    With *seals*, nothing of it leaves before it is sealed.
    """
    taken = batch._replace(hi=hi, claimed_at=batch.claimed_at or now, worker=hand, sealed=b"" if seals else None)
    mine: dict[str, object] = {
        "claimed_at": taken.claimed_at,
        "now": now,
        "worker": hand,
        "revision": taken.revision,
        "sealed": taken.sealed,
    }
    named: dict[str, object] = {"issue": batch.issue_no, "first": batch.lo}
    if hi < batch.hi:
        quick.run(statements.MOVE_UP, named | {"lo": hi})
        part: dict[str, object] = {"issue_no": batch.issue_no, "lo": batch.lo, "hi": hi, "due_at": batch.due_at}
        quick.run(statements.SPLIT_OFF, mine | part)
    else:
        quick.run(statements.TAKE, mine | named)
    return taken


def dead(quick: Quick, issue_no: int, *, now: int) -> Iterable[Batch]:
    """The batches whose worker is certainly gone, or gave no sign of life for long."""
    for row in quick.all(statements.CLAIMED, {"issue_no": issue_no, "now": now}):
        batch = Batch._make(row[:-1])
        if row[-1] or is_gone(batch.worker or ""):
            yield batch


def doubtful(quick: Quick, issue_no: int, *, now: int, after: int) -> Iterable[Batch]:
    """The batches with a number over *after* that have deliveries in doubt and are in no living hands."""
    while rows := quick.all(statements.DOUBTFUL, {"issue_no": issue_no, "now": now, "after": after}):
        for row in rows:
            batch = Batch._make(row[:-1])
            after = batch.lo
            if batch.worker is None or row[-1] or is_gone(batch.worker):
                yield batch


def take_over(quick: Quick, batch: Batch, *, now: int, worker: str, to_settle: bool = False) -> Batch | None:
    """The batch in a hand of *worker*, as it is now; None if somebody else was quicker."""
    statement = statements.TAKE_TO_SETTLE if to_settle else statements.TAKE_OVER
    seen = {"was": batch.state, "from": batch.worker, "until": batch.lease_until}
    mine = {"issue": batch.issue_no, "first": batch.lo, "worker": hand_of(worker), "now": now}
    row = quick.first(statement, seen | mine)
    return None if row is None else Batch._make(row)


def members(quick: Quick, batch: Batch, *, now: int, in_doubt: bool = False) -> list[Member]:
    """The deliveries of a batch that have no outcome; or those whose outcome is in doubt."""
    span = _span(batch)
    rows = quick.all(statements.MEMBERS, span | {"now": now})
    if in_doubt:
        wanted = _seqs(quick.all(statements.IN_DOUBT, span))
        rows = [row for row in rows if row[-2] in wanted]
    elif batch.claimed_at is not None:  # a batch that was never claimed has no outcomes
        known = _seqs(quick.all(statements.SETTLED, span))
        rows = [row for row in rows if row[-2] not in known]
    return [(row[-2], person(row), row[-1] or "") for row in rows]


def hold_members(quick: Quick, batch: Batch) -> None:
    """Let nobody of a batch leave before it is claimed, or else before we look."""
    if not quick.is_sqlite:
        quick.run(statements.HOLD_MEMBERS, _span(batch))


def deferrals(quick: Quick, batch: Batch) -> Mapping[int, int]:
    """How often deliveries of a batch were put off before, by seq."""
    return dict(quick.all(statements.DEFERRALS, _span(batch))) if batch.claimed_at is not None else {}


def settle_of(quick: Quick, batch: Batch, found: Sequence[Member]) -> Claim:
    """A batch that was taken over, with the edition that it was claimed with."""
    row = quick.first(statements.EDITION, {"issue_no": batch.issue_no, "revision": batch.revision})
    assert row is not None
    return claim_of(batch, found, edition_hash=row[0], put_off=deferrals(quick, batch))


def renew(quick: Quick, claim: Claim, *, now: int, seal: bytes = b"") -> int:
    """Prolong the lease of our batch, and keep the digest *seal* if there is one; its `hi`. Raises LeaseLost."""
    ours: dict[str, object] = {"issue": claim.issue_no, "first": claim.batch_no, "from": claim.worker, "now": now}
    row = quick.first(statements.SEAL, ours | {"sealed": seal}) if seal else quick.first(statements.RENEW, ours)
    if row is None:
        raise LeaseLost(
            f"another sender took over batch {claim.batch_no}",
            hint="nothing of it was recorded here; the other sender finds out what became of it",
        )
    hi: int = row[0]
    return hi


def close(quick: Quick, issue_no: int, lo: int) -> None:
    """Give a batch back: done if all its deliveries have an outcome, else planned. `claimed_at` stays."""
    quick.run(statements.CLOSE, {"issue": issue_no, "first": lo})


def finish(quick: Quick, issue_no: int, lo: int) -> None:
    """Close a batch in which nobody is left without outcome."""
    quick.run(statements.FINISH, {"issue": issue_no, "first": lo})


def claim_of(
    batch: Batch, found: Sequence[Member], *, edition_hash: str, put_off: Mapping[int, int] | None = None
) -> Claim:
    """What a worker has in its hands."""
    assert batch.claimed_at is not None
    times = put_off or {}
    return Claim(
        issue_no=batch.issue_no,
        batch_no=batch.lo,
        worker=batch.worker or "",
        claimed_at=instant(batch.claimed_at),
        due_at=instant(batch.due_at),
        revision=batch.revision,
        edition_hash=edition_hash,
        sealed=None if batch.sealed is None else bytes(batch.sealed),
        deliveries=tuple(
            [Claimed(seq=seq, person=who, deferrals=times.get(seq, 0), barred=why) for seq, who, why in found]
        ),
    )


def _span(batch: Batch) -> dict[str, Any]:
    return {"issue_no": batch.issue_no, "lo": batch.lo, "hi": batch.hi}


def _seqs(rows: Iterable[tuple[Any, ...]]) -> frozenset[int]:
    return frozenset(row[0] for row in rows)
