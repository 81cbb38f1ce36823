"""Deciding about a letter under way: pause, resume, cancel, correct."""

from __future__ import annotations

import click

from newsletter.app.dispatch import Dispatch
from newsletter.app.newsletter import Newsletter
from newsletter.app.sending import Sending
from newsletter.cli.output import confirm, issue_argument, people, say, with_newsletter, yes_option

why_option = click.option("--why", metavar="TEXT", default="", help="Kept with the decision, for whoever asks later.")


@click.command()
@issue_argument
@why_option
@with_newsletter
def pause(newsletter: Newsletter, issue: str, why: str) -> None:
    """Stop a letter, also one that is being sent right now.

    Every sender, on every machine, asks before each batch; what it has in hand still goes out.
    """
    dispatch = Dispatch(newsletter)
    planned = dispatch.planned(issue)
    dispatch.controls.pause(planned.no, by=dispatch.by, why=why or "no reason given", now=newsletter.clock())
    say(f"{planned.issue_id} is paused. Go on: newsletter resume {planned.issue_id}")


@click.command()
@issue_argument
@why_option
@with_newsletter
def resume(newsletter: Newsletter, issue: str, why: str) -> None:
    """Let a paused letter go on.

    Nothing is sent by this command itself; the next send goes on where the last one stopped.
    """
    dispatch = Dispatch(newsletter)
    planned = dispatch.planned(issue)
    dispatch.controls.resume(planned.no, by=dispatch.by, why=why, now=newsletter.clock())
    say(f"{planned.issue_id} goes on with the next: newsletter send {planned.issue_id}")


@click.command()
@issue_argument
@why_option
@yes_option
@with_newsletter
def cancel(newsletter: Newsletter, issue: str, why: str, yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Call a letter off for everybody who has not got it.

    It cannot be taken back. Who has it already keeps it, and what a sender has in hand still goes out.
    """
    dispatch = Dispatch(newsletter)
    planned = dispatch.planned(issue)
    tally = Sending(newsletter).status(issue)[0].tally
    left = tally.to_come + tally.held if tally else 0
    if not confirm(f"Call {planned.issue_id} off for {people(left)}, for good?", yes=yes):
        say("Nothing was changed.")
        return
    dispatch.controls.cancel(planned.no, by=dispatch.by, why=why or "no reason given", now=newsletter.clock())
    say(f"{planned.issue_id} is called off for {people(left)}.")


@click.command()
@issue_argument
@why_option
@with_newsletter
def correct(newsletter: Newsletter, issue: str, why: str) -> None:
    """Go on with the newest approved revision of a letter.

    Everybody who has not been claimed yet gets that one. When they get it stays as planned. The order of
    things: newsletter pause, mend the letter, newsletter approve, newsletter correct, newsletter resume.
    """
    planned = newsletter.durably(lambda: Sending(newsletter).correct(issue, why=why))
    say(f"{planned.issue_id}: from here on revision {planned.revision} is sent.")
    if planned.paused:
        say(f"It is still paused: newsletter resume {planned.issue_id}")
