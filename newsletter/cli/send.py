"""Sending: plan, send, status, explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.people import People
from newsletter.app.sending import Sending
from newsletter.cli.output import (
    confirm,
    instant,
    issue_argument,
    json_option,
    people,
    print_json,
    print_problems,
    print_table,
    progress,
    say,
    with_newsletter,
    yes_option,
)
from newsletter.delivery.outcome import Status
from newsletter.errors import Doubt, IssueHasProblems
from newsletter.usecases.report import Standing

if TYPE_CHECKING:
    from newsletter.delivery.plan import PlannedIssue
    from newsletter.delivery.report import Tally
    from newsletter.usecases.prepare import Outlook


@click.command()
@issue_argument
@yes_option
@json_option
@with_newsletter
def plan(newsletter: Newsletter, issue: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Freeze who gets an approved letter, and when.

    Nobody is mailed yet. Who joins later waits for the next letter; who leaves before their copy is
    handed over does not get it.
    """
    sending = Sending(newsletter)
    planned = sending.planned(issue)
    if planned is None:
        planned = _plan(sending, issue, yes=yes)
        if planned is None:
            return
    else:
        say(f"It was planned on {instant(planned.planned_at)}; that plan stands.")
    _show_status(sending.status(planned.issue_id), as_json=as_json)


def _plan(sending: Sending, issue: str, *, yes: bool) -> PlannedIssue | None:
    """The plan, after showing what it means and asking; None if the answer was no."""
    outlook = sending.outlook(issue)
    _show_outlook(outlook)
    if outlook.problems:
        print_problems(outlook.problems)
        raise IssueHasProblems("the letter cannot go to this list as it is")
    if not confirm(f"Plan {outlook.issue_id} for {people(outlook.forecast.planned)}?", yes=yes):
        say("Nothing was planned.")
        return None
    return sending.plan(issue)


def _show_outlook(outlook: Outlook) -> None:
    forecast = outlook.forecast
    say(
        f"{outlook.issue_id}, revision {outlook.revision}, "
        f"would go to {people(forecast.planned)} of {forecast.candidates:,}:"
    )
    for due_at, count in sorted(forecast.due.items()):
        say(f"  {instant(due_at)}  {count:>9,}")
    if forecast.unknown_zones:
        say(f"  (for {people(forecast.unknown_zones)} the time zone is not known; the newsletter's own stands in)")
    if outlook.too_late:
        say(f"  (for {people(outlook.too_late)} its time is past: they would be held, not mailed)")
    for reason, count in sorted(forecast.excluded.items()):
        say(f"  {'not to: ' + reason:<26}{count:>9,}")


@click.command()
@issue_argument
@yes_option
@json_option
@with_newsletter
def send(newsletter: Newsletter, issue: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Send what is due of an approved letter.

    Plans it first if that was not done. Run it as often as you like, and again after any interruption:
    nobody gets a letter twice. Example: newsletter send 2026-11-23-renew-your-goals
    """
    sending = Sending(newsletter)
    planned = sending.planned(issue)
    if planned is None:
        planned = _plan(sending, issue, yes=yes)
        if planned is None:
            return
    elif not _to_come(sending, planned):
        say("Nothing is left to send.")
        _show_status(sending.status(planned.issue_id), as_json=as_json)
        return
    elif not confirm(f"Send what is due of {planned.issue_id}?", yes=yes):
        say("Nothing was sent.")
        return
    with progress("sending", total=_to_come(sending, planned)) as watch:
        done = sending.send(planned, watch)
    provider = newsletter.settings.provider
    say(f"Handed to the {provider} now: {people(done)}." if done else "Nothing was due that had not been handed over.")
    standings = sending.status(planned.issue_id)
    _show_status(standings, as_json=as_json)
    _doubt(standings[0])


def _to_come(sending: Sending, planned: PlannedIssue) -> int:
    tally = sending.status(planned.issue_id)[0].tally
    return tally.to_come if tally else 0


def _doubt(standing: Standing) -> None:
    if standing.tally and standing.tally.in_doubt:
        raise Doubt(
            f"{people(standing.tally.in_doubt)} may have been mailed or not",
            at=standing.issue_id,
            hint="they are not mailed again by themselves",
        )


@click.command()
@click.argument("issue", metavar="[ISSUE]", required=False)
@json_option
@with_newsletter
def status(newsletter: Newsletter, issue: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show where letters stand, in numbers."""
    _show_status(Sending(newsletter).status(issue), as_json=as_json)


def _show_status(standings: list[Standing], *, as_json: bool) -> None:
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
        "next_due_at": tally.next_due_at if tally else None,
        "last_outcome_at": tally.last_outcome_at if tally else None,
    }


@click.command()
@click.argument("address")
@click.argument("issue", metavar="[ISSUE]", required=False)
@json_option
@with_newsletter
def explain(newsletter: Newsletter, address: str, issue: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Tell what every letter did for one subscriber.

    Example: newsletter explain zoe@example.org 2026-11-23-renew-your-goals
    """
    person = People(newsletter).find(address)
    stories = Sending(newsletter).explain(person, issue)
    if as_json:
        print_json(
            {
                "subscriber": person.id,
                "state": person.state,
                "letters": [
                    {
                        "issue": story.issue_id,
                        "revision": story.revision,
                        "edition": story.edition_hash,
                        "status": story.status,
                        "reason": story.reason,
                        "provider_id": story.provider_id,
                        "values_digest": story.values_digest.hex(),
                        "steps": [{"at": step.at, "what": step.what} for step in story.steps],
                    }
                    for story in stories
                ],
            }
        )
        return
    click.echo(f"Subscriber {person.id} is {person.state}{', suppressed' if person.suppressed else ''}.")
    if not stories:
        click.echo("No planned letter knows them yet.")
    for story in stories:
        stands = story.status.value if story.status else "not planned"
        click.echo(
            f"\n{story.issue_id}, revision {story.revision}: {click.style(stands, bold=True)}"
            f"{f' ({story.reason})' if story.reason else ''}"
        )
        for step in story.steps:
            click.echo(f"  {instant(step.at)}  {step.what}")
        if story.provider_id:
            click.echo(f"  message {story.provider_id}")
