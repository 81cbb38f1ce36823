"""Deliveries in doubt: ask the provider, or settle them by a person's word."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import BinaryIO

import click

from newsletter.app.dispatch import Dispatch
from newsletter.app.newsletter import Newsletter
from newsletter.app.signals import until_stopped
from newsletter.cli.output import (
    confirm,
    instant,
    issue_argument,
    json_option,
    people,
    print_json,
    print_table,
    say,
    with_newsletter,
    yes_option,
)
from newsletter.delivery.news import Heard
from newsletter.delivery.outcome import Status
from newsletter.delivery.report import InDoubt
from newsletter.usecases.reconcile import Word

WORDS = {"sent": Status.ACCEPTED, "refused": Status.REFUSED, "not-sent": Status.PLANNED}


@click.command()
@issue_argument
@click.option(
    "--minutes", type=click.IntRange(1, 360), default=10, show_default=True, help="Stop asking after so long."
)
@click.option(
    "--events",
    type=click.File("rb"),
    metavar="FILE",
    help="Go by the provider's events in FILE (a JSON object a line).",
)
@json_option
@with_newsletter
def reconcile(newsletter: Newsletter, issue: str, minutes: int, events: BinaryIO | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Find out what became of deliveries that are in doubt.

    Repeats a call where the provider is known to send it once, or asks the provider. Nobody is ever mailed
    twice; what cannot be found out stays in doubt for `newsletter resolve`.
    """
    dispatch = Dispatch(newsletter)
    planned = dispatch.planned(issue)
    heard = Heard()
    if events is not None:
        found, heard = dispatch.take_in(events.read())
    else:
        with until_stopped() as stop:
            found = dispatch.reconcile(planned, limit=timedelta(minutes=minutes), stop=stop)
    left = dispatch.doubts(planned)
    if as_json:
        moved = {status.value: count for status, count in found.items()}
        print_json({"found": moved, "heard": asdict(heard), "in_doubt": len(left)})
        return
    _say_found(found)
    if gone := heard.bounced + heard.complained + heard.left:
        say(f"{people(gone)}: not mailed any more.")
    say(
        f"Still in doubt: {people(len(left))}. See them: newsletter resolve {planned.issue_id}"
        if left
        else "Nobody is in doubt."
    )


FOUND = {
    Status.ACCEPTED: "handed over after all",
    Status.REFUSED: "refused by the provider",
    Status.PLANNED: "certainly not sent; the next send takes them",
    Status.DELIVERED: "delivered",
    Status.BOUNCED: "bounced",
    Status.COMPLAINED: "called it spam",
}


def _say_found(found: Counter[Status]) -> None:
    for status, count in found.items():
        say(f"{people(count)}: {FOUND[status]}.")


@click.command()
@issue_argument
@click.argument("word", type=click.Choice(list(WORDS)), required=False)
@click.option("--person", "persons", type=int, multiple=True, metavar="N", help="Only this subscriber; may come again.")
@click.option("--why", metavar="TEXT", default="", help="How you know. Kept with every delivery it settles.")
@yes_option
@json_option
@with_newsletter
def resolve(
    newsletter: Newsletter,
    issue: str,
    word: str | None,
    persons: tuple[int, ...],
    why: str,
    yes: bool,  # noqa: FBT001 - click passes them by name
    as_json: bool,  # noqa: FBT001 - the same
) -> None:
    """Settle deliveries in doubt by your own word.

    Without a WORD it lists them. "sent" and "refused" close them; "not-sent" lets the next send mail them,
    so say it only where you know. Example: newsletter resolve 2026-11-23-renew-your-goals sent --why "in the mail log"
    """
    dispatch = Dispatch(newsletter)
    planned = dispatch.planned(issue)
    doubts = dispatch.doubts(planned)
    if word is None:
        _list(doubts, as_json=as_json)
        return
    if not why:
        raise click.UsageError("say how you know: --why TEXT")
    chosen = [each for each in doubts if not persons or each.subscriber_id in persons]
    if not chosen:
        say("Nobody like that is in doubt.")
        return
    if not confirm(f"Settle {people(len(chosen))} as {word}?", yes=yes):
        say("Nothing was changed.")
        return
    seqs = {each.seq for each in chosen} if persons else None
    count = dispatch.resolve(planned, Word(status=WORDS[word], seqs=seqs, by=dispatch.by, why=why))
    say(f"Settled as {word}: {people(count)}.")


def _list(doubts: list[InDoubt], *, as_json: bool) -> None:
    if as_json:
        print_json([{"person": each.subscriber_id, "since": each.at, "reason": each.reason} for each in doubts])
    elif doubts:
        rows = [(str(each.subscriber_id), masked(each.address), instant(each.at), each.reason) for each in doubts]
        print_table(("person", "address", "since", "why"), rows, right=(0,))
    else:
        say("Nobody is in doubt.")


def masked(address: str) -> str:
    """An address as its owner would know it again and nobody else: z…@example.org."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
