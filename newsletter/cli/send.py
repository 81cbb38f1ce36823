"""Sending: plan and send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.app.dispatch import Dispatch
from newsletter.app.newsletter import Newsletter
from newsletter.app.sending import Sending
from newsletter.app.signals import until_stopped
from newsletter.cli.output import (
    confirm,
    instant,
    issue_argument,
    json_option,
    people,
    print_problems,
    progress,
    say,
    with_newsletter,
    yes_option,
)
from newsletter.cli.standing import refuse_doubt, show_status
from newsletter.errors import IssueHasProblems

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
    show_status(sending.status(planned.issue_id), as_json=as_json)


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
        show_status(sending.status(planned.issue_id), as_json=as_json)
        return
    elif not confirm(f"Send what is due of {planned.issue_id}?", yes=yes):
        say("Nothing was sent.")
        return
    try:
        with until_stopped() as stop, progress("sending", total=_to_come(sending, planned)) as watch:
            done = Dispatch(newsletter).send(planned, watch=watch, tell=say, stop=stop)
        _say_done(newsletter, done, stopped=stop.is_set())
    finally:
        standings = sending.status(planned.issue_id)
        show_status(standings, as_json=as_json)
    refuse_doubt(standings[0])


def _say_done(newsletter: Newsletter, done: int, *, stopped: bool) -> None:
    """What came of a send that was not cut short by an error."""
    provider = newsletter.settings.provider
    say(f"Handed to the {provider} now: {people(done)}." if done else "Nothing was due that had not been handed over.")
    if stopped:
        say("Stopped as you asked; the same command goes on.")


def _to_come(sending: Sending, planned: PlannedIssue) -> int:
    tally = sending.status(planned.issue_id)[0].tally
    return tally.to_come if tally else 0
