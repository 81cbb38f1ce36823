"""What happened: status and explain."""

from __future__ import annotations

import sys
from time import sleep

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.people import People
from newsletter.app.sending import Sending
from newsletter.audience.subscriber import Subscriber
from newsletter.cli.output import instant, json_option, print_json, say, with_newsletter
from newsletter.cli.standing import show_status
from newsletter.delivery.report import DeliveryStory

EVERY = 2.0  # seconds between two looks of --watch


@click.command()
@click.argument("issue", metavar="[ISSUE]", required=False)
@click.option("--watch", is_flag=True, help="Look again every two seconds, until nothing is left to come now.")
@json_option
@with_newsletter
def status(newsletter: Newsletter, issue: str | None, watch: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Show where letters stand, in numbers."""
    sending = Sending(newsletter)
    while True:
        standings = sending.status(issue)
        if watch and sys.stdout.isatty():
            click.clear()
        show_status(standings, as_json=as_json)
        if not watch or not any(each.under_way(newsletter.clock()) for each in standings):
            return
        sleep(EVERY)


@click.command()
@click.argument("address")
@click.argument("issue", metavar="[ISSUE]", required=False)
@click.option(
    "--message", is_flag=True, help="Print the message of ISSUE, filled again, and say whether it is what was sent."
)
@json_option
@with_newsletter
def explain(newsletter: Newsletter, address: str, issue: str | None, message: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Tell what every letter did for one subscriber.

    Example: newsletter explain zoe@example.org 2026-11-23-renew-your-goals
    """
    everyone = People(newsletter)
    person = everyone.find(address)
    last = everyone.consent_of(person)[-1]
    stories = Sending(newsletter).explain(person, issue)
    if message:
        _print_message(newsletter, person, stories, issue)
        return
    if as_json:
        print_json(
            {
                "subscriber": person.id,
                "state": person.state,
                "since": last.at,
                "because": last.source,
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
    suppressed = ", suppressed" if person.suppressed else ""
    click.echo(f"Subscriber {person.id} is {person.state} since {instant(last.at)}{suppressed}: {last.source}")
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


def _print_message(newsletter: Newsletter, person: Subscriber, stories: list[DeliveryStory], issue: str | None) -> None:
    if issue is None or not stories:
        raise click.UsageError("say which letter: newsletter explain --message ADDRESS ISSUE")
    whole, same = Sending(newsletter).message(person, stories[0])
    sys.stdout.buffer.write(whole)
    if same:
        say("This is what was handed over, byte for byte but for what the provider added.")
    elif stories[0].values_digest:
        say("Something of this reader (name, fields, links) changed since; this is not quite what was handed over.")
    else:
        say("What it was filled with was not recorded, so this may not be quite what was handed over.")
