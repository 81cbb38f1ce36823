"""The mailbox that bounces, complaints and mails for leaving come to."""

from __future__ import annotations

from dataclasses import asdict

import click

from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import json_option, print_json, print_table, say, with_newsletter


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what the mails are, and change nothing, neither here nor there.")
@json_option
@with_newsletter
def inbox(newsletter: Newsletter, dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Read the mailbox: who leaves, what bounced, who complained.

    What is dealt with moves to another folder. Replies, and everything else that people write, stay as they
    are, unread. It may run at any time, twice at once, and again after it was cut short.
    """
    from newsletter.app.inbox import Inbox
    from newsletter.audience.mailbag import Aside

    polled = Inbox(newsletter).look() if dry_run else Inbox(newsletter).poll()
    counts, aside = asdict(polled.heard), polled.aside
    if as_json:
        print_json({**counts, **{each.name.lower(): aside.get(each, 0) for each in Aside}})
        return
    words = {WORDS[name]: count for name, count in counts.items()} | {each.value: aside.get(each, 0) for each in Aside}
    rows = [(what, f"{count:,}") for what, count in words.items() if count]
    if rows:
        print_table(("mails", ""), rows, right=(1,))
    else:
        say("Nothing new has come in.")
    if aside.get(Aside.UNSIGNED):
        say("Some ask to leave without the word that says who they are: answer them by hand.")


WORDS = {
    "left": "left",
    "bounced": "bounced for good",
    "complained": "complained",
    "soft": "bounced for now",
    "known": "nothing new",
    "unknown": "names nobody of ours",
}
