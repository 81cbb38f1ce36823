"""The mailbox that bounces, complaints and mails of people who leave come to: inbox."""

from __future__ import annotations

from dataclasses import asdict

import click

from newsletter.app.inbox import Inbox
from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import json_option, print_json, print_table, say, with_newsletter
from newsletter.cli.summary import NEWS
from newsletter.delivery.mailbag import Aside


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what the mails say, and change nothing.")
@json_option
@with_newsletter
def inbox(newsletter: Newsletter, dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Read the mailbox: who leaves, what bounced, who complained.

    Replies, and everything else that people write, stay as they are, unread. It goes on where the last one
    was, also where that was cut short; what is heard twice changes nothing.
    """
    box = Inbox(newsletter)
    polled = box.look() if dry_run else box.poll()
    news, aside = asdict(polled.heard), {each: polled.aside.get(each, 0) for each in Aside}
    if as_json:
        print_json(
            {"dry_run": dry_run, "news": news, "aside": {each.name.lower(): count for each, count in aside.items()}}
        )
        return
    counts = {NEWS[what]: count for what, count in news.items()} | {each.value: n for each, n in aside.items()}
    if any(counts.values()):
        print_table(("", "mails"), [(what, f"{count:,}") for what, count in counts.items() if count], right=(1,))
    else:
        say("Nothing new has come in.")
    if aside[Aside.UNSIGNED]:
        say("Some ask to leave without the word that says who they are: see to them by hand.")
    if dry_run:
        say("Nothing was changed.")
