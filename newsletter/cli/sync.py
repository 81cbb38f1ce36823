"""What the provider knows of our people: sync."""

from __future__ import annotations

from dataclasses import asdict

import click

from newsletter.app.carriers import tells
from newsletter.app.newsletter import Newsletter
from newsletter.app.signals import until_stopped
from newsletter.app.syncing import Syncing
from newsletter.cli.output import json_option, print_json, print_table, say, with_newsletter
from newsletter.cli.summary import NEWS


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what the provider tells, and change nothing.")
@json_option
@with_newsletter
def sync(newsletter: Newsletter, dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Hear from the provider who left, bounced or complained.

    A tick does so by itself, every few minutes. It goes on where the last one was; what is heard twice changes
    nothing.
    """
    syncing = Syncing(newsletter)
    with until_stopped() as stop:
        found = syncing.rehearse(stop=stop) if dry_run else asdict(syncing.sync(stop=stop))
    provider = newsletter.settings.provider
    if as_json:
        print_json({"provider": provider, "tells": list(tells(newsletter.settings)), "dry_run": dry_run, "news": found})
        return
    if any(found.values()):
        rows = [(NEWS.get(what, what), f"{count:,}") for what, count in found.items() if count]
        print_table(("", "news"), rows, right=(1,))
    else:
        say(f"{provider} has nothing new.")
    if dry_run:
        say("Nothing was changed.")
