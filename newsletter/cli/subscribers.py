"""People: subscribers import, export, add, stats, and what is done with one of them or with segments."""

from __future__ import annotations

import csv
import io

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.people import People
from newsletter.audience.columns import read_zone
from newsletter.audience.importing import Noted, Rejected
from newsletter.audience.listing import Listing
from newsletter.cli.lists import export, import_
from newsletter.cli.output import json_option, people, print_json, print_table, say, with_newsletter
from newsletter.cli.person import forget, leave, show, suppress
from newsletter.cli.segments import segments
from newsletter.errors import NewsletterError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def subscribers() -> None:
    """The list: import, export, add, show, leave, suppress, forget, stats, segments."""


@subscribers.command()
@click.argument("address")
@click.option("--name", default="", help="What the person is called.")
@click.option("--first-name", default="", help="How letters greet them.")
@click.option("--timezone", default="", help="Their time zone, e.g. Africa/Nairobi.")
@click.option("--evidence", required=True, help="How they asked to be added, in words.")
@with_newsletter
def add(newsletter: Newsletter, address: str, name: str, first_name: str, timezone: str, evidence: str) -> None:
    """Add one person who asked for it.

    Example: newsletter subscribers add zoe@example.org --name "Zoë Example" --evidence "asked by mail, 2026-11-20"
    """
    if timezone and read_zone(timezone) is None:
        hint = "use a name such as Africa/Nairobi; nobody was added"
        raise NewsletterError(f"no time zone is called {timezone!r}", hint=hint)
    remarks: list[Noted | Rejected] = []
    rows = list(Listing(_as_csv(address, name, first_name, timezone), note=remarks.append))
    remarks += [row for row in rows if isinstance(row, Rejected)]
    if remarks:
        raise NewsletterError(remarks[0].reason, hint="nobody was added")
    counts = People(newsletter).enter(iter(rows), how="add", source=evidence, watch=lambda _more: None).counts
    if counts.kept_away:
        raise NewsletterError(
            "this person left and is not brought back by hand", hint="they can ask again themselves, and confirm"
        )
    say(
        "Added."
        if counts.added
        else "They were on the list already." + (" Their details were refreshed." if counts.refreshed else "")
    )


def _as_csv(address: str, name: str, first_name: str, timezone: str) -> list[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("email", "name", "first_name", "timezone"))
    writer.writerow((address, name, first_name, timezone))
    return text.getvalue().splitlines(keepends=True)


@subscribers.command()
@json_option
@with_newsletter
def stats(newsletter: Newsletter, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Count the people on the list by where their consent stands."""
    counts = People(newsletter).count()
    if as_json:
        print_json({state.value: number for state, number in counts.items()})
        return
    print_table(
        ("consent", "people"), [(state.value, f"{number:,}") for state, number in counts.items() if number], right=(1,)
    )
    say(f"{people(sum(counts.values()))} in all.")


for command in (import_, export, show, leave, suppress, forget, segments):
    subscribers.add_command(command)
