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
    elif not confirm(f"Send what is due of {planned.issue_id}?", yes=yes):
        say("Nothing was sent.")
        return
    with progress("sending", total=_to_come(sending.status(planned.issue_id)[0])) as watch:
        done = sending.send(planned, watch)
    provider = newsletter.settings.provider
    say(f"Handed to the {provider} now: {people(done)}." if done else "Nothing was due that had not been handed over.")
    standing = sending.status(planned.issue_id)
    _show_status(standing, as_json=as_json)
    _doubt(standing[0])


def _doubt(standing: Standing) -> None:
    unknown = standing.tally.by_status.get(Status.UNKNOWN, 0) if standing.tally else 0
    if unknown:
        raise Doubt(
            f"{people(unknown)} may have been mailed or not",
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


def _show_status(statuses: list[Standing], *, as_json: bool) -> None:
    if as_json:
        print_json([_status_data(each) for each in statuses])
    elif len(statuses) == 1 and statuses[0].tally:
        _show_tally(statuses[0])
    else:
        print_table(
            ("letter", "stands", "people", "handed over", "to come", "held"),
            [(each.issue_id, _stands(each), *_numbers(each)) for each in statuses],
            right=(2, 3, 4, 5),
        )


def _stands(status: Standing) -> str:
    if status.tally:
        held = status.tally.by_status.get(Status.HELD)
        return "under way" if _to_come(status) else "some held" if held else "done"
    return f"approved, revision {status.approved_revision}" if status.approved_revision else "draft"


def _to_come(status: Standing) -> int:
    """How many people are still to be mailed, now or at their time."""
    count = status.tally.by_status if status.tally else {}
    return count.get(Status.PLANNED, 0) + count.get(Status.CLAIMED, 0)


def _numbers(status: Standing) -> tuple[str, str, str, str]:
    if not status.tally:
        return "", "", "", ""
    count = status.tally.by_status
    to_come = _to_come(status)
    return (
        f"{status.tally.candidates:,}",
        f"{count.get(Status.ACCEPTED, 0):,}",
        f"{to_come:,}",
        f"{count.get(Status.HELD, 0):,}",
    )


_MEANINGS = {
    "planned": "waiting for their time",
    "claimed": "in a sender's hands",
    "accepted": "handed over",
    "refused": "refused by the provider",
    "deferred": "the provider wants it later",
    "unknown": "in doubt: handed over or not",
    "held": "held: their time passed",
    "cancelled": "called off",
    "suppressed": "left after the plan",
}


def _show_tally(status: Standing) -> None:
    tally, planned = status.tally, status.planned
    if tally is None or planned is None:
        return
    rows = [(_MEANINGS.get(state, state.value), f"{number:,}") for state, number in tally.by_status.items() if number]
    rows += [(f"not planned: {reason}", f"{number:,}") for reason, number in tally.excluded.items() if number]
    rows.append(("all on the list when it was planned", f"{tally.candidates:,}"))
    print_table((f"{status.issue_id}, revision {planned.revision}", "people"), rows, right=(1,))
    if tally.next_due_at:
        say(f"Next: {instant(tally.next_due_at)}.")


def _status_data(status: Standing) -> dict[str, object]:
    tally, planned = status.tally, status.planned
    data: dict[str, object] = {"issue": status.issue_id, "approved_revision": status.approved_revision}
    if tally and planned:
        data |= {
            "revision": planned.revision,
            "edition": planned.edition_hash,
            "planned_at": planned.planned_at,
            "candidates": tally.candidates,
            "by_status": {state.value: number for state, number in tally.by_status.items()},
            "excluded": dict(tally.excluded),
            "reasons": [
                {"status": state.value, "reason": reason, "people": number}
                for (state, reason), number in tally.reasons.items()
            ],
            "next_due_at": tally.next_due_at,
            "last_outcome_at": tally.last_outcome_at,
        }
    return data


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
