"""Where letters stand, as tables for people and as data for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from newsletter.cli.output import instant, people, print_json, print_table, say
from newsletter.delivery.outcome import Status
from newsletter.errors import Doubt
from newsletter.usecases.report import Standing

if TYPE_CHECKING:
    from newsletter.delivery.plan import PlannedIssue
    from newsletter.delivery.report import Tally


def show_status(standings: list[Standing], *, as_json: bool) -> None:
    if as_json:
        print_json([_status_data(each) for each in standings])
    elif len(standings) == 1 and standings[0].tally:
        _show_tally(standings[0])
    else:
        print_table(
            ("letter", "stands", "people", "handed over", "to come", "held"),
            [(each.issue_id, each.stands, *_numbers(each.tally)) for each in standings],
            right=(2, 3, 4, 5),
        )


def _numbers(tally: Tally | None) -> tuple[str, str, str, str]:
    if tally is None:
        return "", "", "", ""
    return f"{tally.candidates:,}", f"{tally.handed_over:,}", f"{tally.to_come:,}", f"{tally.held:,}"


MEANINGS = {
    Status.PLANNED: "waiting for their time",
    Status.CLAIMED: "in a sender's hands",
    Status.ACCEPTED: "handed over",
    Status.REFUSED: "refused by the provider",
    Status.DEFERRED: "the provider wants it later",
    Status.UNKNOWN: "in doubt: handed over or not",
    Status.HELD: "held, not sent",
    Status.CANCELLED: "called off",
    Status.SUPPRESSED: "left after the plan",
    Status.DELIVERED: "handed over and delivered",
    Status.BOUNCED: "handed over and bounced",
    Status.COMPLAINED: "handed over and called spam",
}


def _show_tally(standing: Standing) -> None:
    tally, planned = standing.tally, standing.planned
    if tally is None or planned is None:
        return
    rows = [(MEANINGS[status], f"{number:,}") for status, number in tally.by_status.items() if number]
    rows += [(f"not planned: {reason}", f"{number:,}") for reason, number in tally.excluded.items() if number]
    rows.append(("all on the list when it was planned", f"{tally.candidates:,}"))
    print_table((f"{standing.issue_id}, revision {planned.revision}", "people"), rows, right=(1,))
    for (status, reason), number in tally.reasons.items():
        if status in (Status.HELD, Status.REFUSED, Status.UNKNOWN):
            say(f"{MEANINGS[status]}: {people(number)}, {reason}.")
    if tally.held:
        say("To send what is held for being late: make [schedule] window_hours longer for a while, and send again.")
    if standing.approved_revision not in (None, planned.revision):
        approved = f"Revision {standing.approved_revision} is approved"
        say(f"{approved}, but revision {planned.revision} was planned, and that is what readers get.")
    _say_what_next(planned, tally)
    if tally.next_due_at:
        say(f"Next: {instant(tally.next_due_at)}.")


def _status_data(standing: Standing) -> dict[str, object]:
    """Where an issue stands, with the same keys for every issue; what is not known yet is null."""
    tally, planned = standing.tally, standing.planned
    return {
        "issue": standing.issue_id,
        "stands": standing.stands,
        "approved_revision": standing.approved_revision,
        "revision": planned.revision if planned else None,
        "edition": planned.edition_hash if planned else None,
        "planned_at": planned.planned_at if planned else None,
        "candidates": tally.candidates if tally else None,
        "by_status": {status.value: tally.count(status) for status in Status} if tally else None,
        "excluded": dict(tally.excluded) if tally else None,
        "reasons": [
            {"status": status.value, "reason": reason, "people": number}
            for (status, reason), number in (tally.reasons.items() if tally else ())
        ],
        "paused": planned.paused if planned else None,
        "cancelled": planned.cancelled if planned else None,
        "rate_per_second": round(tally.recent / 60, 2) if tally else None,
        "next_due_at": tally.next_due_at if tally else None,
        "next_retry_at": tally.next_retry_at if tally else None,
        "last_outcome_at": tally.last_outcome_at if tally else None,
    }


def refuse_doubt(standing: Standing) -> None:
    if standing.tally and standing.tally.in_doubt:
        raise Doubt(
            f"{people(standing.tally.in_doubt)} may have been mailed or not",
            at=standing.issue_id,
            hint="nobody is mailed twice; find out: newsletter reconcile, then newsletter resolve",
        )


def _say_what_next(planned: PlannedIssue, tally: Tally) -> None:
    """What is in the way, how quickly it goes, and what to do."""
    if planned.cancelled:
        say(f"Cancelled: {planned.cancelled}.")
    elif planned.paused:
        say(f"Paused: {planned.paused}. Go on: newsletter resume {planned.issue_id}")
    if tally.recent and tally.to_come:
        left = timedelta(seconds=round(tally.to_come * 60 / tally.recent))
        about = "" if tally.next_due_at else f", about {left}"  # who waits for their own morning waits longer than that
        say(f"{tally.recent / 60:,.1f} a second in the last minute; {tally.to_come:,} to come{about}.")
    if tally.next_retry_at:
        say(f"Put off by the provider: the first is tried again from {instant(tally.next_retry_at)}.")
    if tally.in_doubt:
        say(f"In doubt: newsletter reconcile {planned.issue_id}, then newsletter resolve {planned.issue_id}")
