"""People: subscribers import, export, add, show, stats, segments."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.people import People
from newsletter.audience.columns import read_zone
from newsletter.audience.importing import Noted, Rejected, read_list
from newsletter.cli.output import instant, json_option, people, print_json, print_table, progress, say, with_newsletter
from newsletter.cli.segments import segments
from newsletter.errors import ImportHasProblems, NewsletterError
from newsletter.sources.files import lines_of

if TYPE_CHECKING:
    from newsletter.audience.subscriber import Subscriber
    from newsletter.usecases.enrol import ImportReport

COLUMNS = ("email", "name", "first_name", "timezone", "language", "tags", "status")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def subscribers() -> None:
    """The list: import, export, add, show, stats, segments."""


@subscribers.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--evidence",
    required=True,
    help="Where these people's consent comes from, in words, e.g. 'sign-up sheet, spring fair 2026'.",
)
@json_option
@with_newsletter
def import_(newsletter: Newsletter, file: Path, evidence: str, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Enter the people of a CSV file.

    Columns: email, and if you have them name, first_name, timezone, language, tags, status; every other
    column is a field of your own. Whoever left is never brought back. Running it again changes nothing.
    Example: newsletter subscribers import list.csv --evidence "sign-up sheet, spring fair 2026"
    """
    notes: list[Noted] = []
    rows = read_list(lines_of(file), note=notes.append)
    try:
        with progress("importing") as watch:
            report = People(newsletter).enter(rows, how="import", source=evidence, watch=watch)
    except ImportHasProblems as err:
        raise ImportHasProblems(err.message, at=f"{file}, {err.at}", hint=err.hint) from err
    _show_import(report, notes, as_json=as_json)
    if (
        not any((report.counts.added, report.counts.refreshed, report.counts.unchanged, report.counts.kept_away))
        and report.rejected
    ):
        raise ImportHasProblems("no row could be used", at=str(file))


_SHOWN = 10


def _show_import(report: ImportReport, notes: list[Noted], *, as_json: bool) -> None:
    counts = report.counts
    if as_json:
        print_json(
            {
                "added": counts.added,
                "refreshed": counts.refreshed,
                "unchanged": counts.unchanged,
                "departed": counts.departed,
                "kept_away": counts.kept_away,
                "rejected": [asdict(each) for each in report.rejected],
                "notes": [asdict(each) for each in notes],
            }
        )
        return
    rows = [
        ("new", counts.added),
        ("known, with something new", counts.refreshed),
        ("known, unchanged", counts.unchanged),
        ("left, says the list", counts.departed),
        ("left before, kept away", counts.kept_away),
        ("not usable", len(report.rejected)),
    ]
    print_table(("people", "rows"), [(name, f"{number:,}") for name, number in rows if number], right=(1,))
    remarks = [("not taken", each) for each in report.rejected] + [("note", each) for each in notes]
    for word, each in remarks[:_SHOWN]:
        say(f"  line {each.line}, {word}: {each.reason}")
    if len(remarks) > _SHOWN:
        say(f"  … and {len(remarks) - _SHOWN:,} more; --json lists them all")


@subscribers.command()
@with_newsletter
def export(newsletter: Newsletter) -> None:
    """Print everyone as CSV, in the form that import reads.

    The list is personal data: keep it out of Git, mails and chats.
    """
    everyone = People(newsletter).everyone
    writer = csv.writer(sys.stdout, lineterminator="\n")
    own = sorted({*newsletter.settings.fields, *(name for person in everyone() for name in person.attributes)})
    writer.writerow((*COLUMNS, *own))
    for person in everyone():
        writer.writerow(
            (
                person.address,
                person.name,
                person.first_name,
                person.zone or "",
                person.language,
                " ".join(sorted(person.tags)),
                person.state.value,
                *(person.attributes.get(name, "") for name in own),
            )
        )


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
    rows = list(read_list(_as_csv(address, name, first_name, timezone), note=remarks.append))
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
@click.argument("address")
@json_option
@with_newsletter
def show(newsletter: Newsletter, address: str, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show what is known of one person, and the evidence of their consent."""
    everyone = People(newsletter)
    person = everyone.find(address)
    history = everyone.consent_of(person)
    data = _known(person)
    if as_json:
        print_json(
            {
                **data,
                "consent": [
                    {"at": each.at, "state": each.state, "how": each.how, "source": each.source} for each in history
                ],
            }
        )
        return
    print_table(("", ""), [(key.replace("_", " "), _shown(value)) for key, value in data.items() if value])
    print_table(
        ("when", "became", "by", "evidence"),
        [(instant(each.at), each.state or "", each.how, each.source) for each in history],
    )


def _known(person: Subscriber) -> dict[str, object]:
    return {
        "id": person.id,
        "address": person.address,
        "name": person.name,
        "first_name": person.first_name,
        "state": person.state.value,
        "suppressed": person.suppressed,
        "paused_until": person.paused_until,
        "frequency": person.frequency.value,
        "timezone": person.zone,
        "timezone_from": person.zone_source.value,
        "language": person.language,
        "tags": sorted(person.tags),
        "fields": dict(person.attributes),
    }


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


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


subscribers.add_command(segments)
