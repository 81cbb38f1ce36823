"""Lists of people, brought in and given out: subscribers import, export."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.people import People
from newsletter.audience.columns import STATES
from newsletter.audience.exporting import csv_row, header, json_row
from newsletter.audience.exports import said_by_file_name, seems_to_hold_who_left
from newsletter.audience.importing import Noted
from newsletter.audience.importmap import PATH, read_map
from newsletter.audience.listing import Listing, Told
from newsletter.audience.listrows import Row, refused
from newsletter.audience.subscriber import State, Subscriber
from newsletter.cli.output import json_option, print_json, print_table, progress, say, with_newsletter
from newsletter.errors import ImportHasProblems
from newsletter.sources.lists import for_owner_alone, lines_of

if TYPE_CHECKING:
    from newsletter.usecases.enrol import ImportReport


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--evidence",
    default="",
    help="Where these people's consent comes from, in words, e.g. 'sign-up sheet, spring fair 2026'.",
)
@click.option(
    "--status",
    type=click.Choice([state.value for state in State if state is not State.ERASED]),
    help="Where the consent of those stands of whom the file does not say it; else they are active.",
)
@click.option("--dry-run", is_flag=True, help="Count and check as if it were done, and enter nobody.")
@click.option(
    "--rejected",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the rows that were not taken to a new FILE, each with the reason.",
)
@json_option
@with_newsletter
def import_(
    newsletter: Newsletter,
    file: Path,
    evidence: str,
    status: str | None,
    dry_run: bool,  # noqa: FBT001 - click passes it by name
    rejected: Path | None,
    as_json: bool,  # noqa: FBT001 - likewise
) -> None:
    """Enter the people of a list.

    CSV or a JSON object a line, with the columns email, and if you have them name, first_name, timezone, language,
    tags, status, joined; every other column is a field of your own. The exports of Mailchimp, Substack, Ghost,
    Buttondown, listmonk, Kit and beehiiv are read as they are. Whoever left is never brought back. Running it again
    changes nothing. Example: newsletter subscribers import list.csv --evidence "sign-up sheet, spring fair 2026"
    """
    if not (evidence.strip() or dry_run):
        raise click.UsageError("Missing option '--evidence': where does these people's consent come from?")
    told = Told(
        status=_status(file, status),
        fields=frozenset(newsletter.settings.fields),
        map=read_map(newsletter.workspace.optional(PATH) or ""),
    )
    notes: list[Noted] = []
    with (
        _placed(file),
        for_owner_alone(rejected) if rejected else nullcontext() as write,
        progress("importing") as watch,
    ):
        listing = Listing(lines_of(file), told=told, note=notes.append, refuse=_refusing(write))
        say(f"{file.name} is read as {listing.kind}{f', and of people who are {told.status}' if told.status else ''}.")
        if listing.export and listing.export.caution:
            say(f"Mind: {listing.export.caution}.")
        report = People(newsletter).enter(listing, how="import", source=evidence, watch=watch, rehearse=dry_run)
    _show(report, notes, as_json=as_json)
    if dry_run:
        say("Nobody was entered: this was a dry run.")
    if report.rejected and rejected:
        one = len(report.rejected) == 1
        rows = "One row that was not taken is" if one else f"{len(report.rejected):,} rows that were not taken are"
        say(f"{rows} in {rejected}: mend {'it' if one else 'them'}, and import that file.")
    counts = report.counts
    if report.rejected and not any(
        (counts.added, counts.refreshed, counts.unchanged, counts.departed, counts.kept_away)
    ):
        raise ImportHasProblems("no row could be used", at=str(file))


def _status(file: Path, word: str | None) -> State | None:
    """Where people of *file* stand if it does not say it: by *word*, or by the name that Mailchimp gives to files."""
    said = said_by_file_name(file.name)
    if said is None:
        if not word and seems_to_hold_who_left(file.name):
            hint = "say where they stand: --status unsubscribed, bounced or complained; or active, if they want letters"
            raise ImportHasProblems("by its name, it may hold people who left or bounced", at=str(file), hint=hint)
        return State(word) if word else None
    name, state = said
    if state is None:
        hint = "leave them out; who asked for the letter is in the file that begins with subscribed_"
        raise ImportHasProblems("by its name, it holds people who never asked for a letter", at=str(file), hint=hint)
    if word and STATES[word] is not state:
        hint = "leave --status out, or give the file another name if it is wrong"
        raise ImportHasProblems(f"by its name, it holds people who are {name}, not {word}", at=str(file), hint=hint)
    return state


@contextmanager
def _placed(file: Path) -> Iterator[None]:
    """Whatever is wrong with the list is wrong in *file*."""
    try:
        yield
    except ImportHasProblems as err:
        at = err.at if err.at.startswith(str(file)) else f"{file}, {err.at}"
        raise ImportHasProblems(err.message, at=at, hint=err.hint) from err


def _refusing(write: Callable[[str], None] | None) -> Callable[[Row, str], None]:
    """What is told of rows that are not taken: it writes them down, if there is a file for them."""
    written = False

    def refuse(row: Row, why: str) -> None:
        nonlocal written
        if write:
            write(refused(row, why, first=not written))
            written = True

    return refuse


_SHOWN = 10


def _show(report: ImportReport, notes: list[Noted], *, as_json: bool) -> None:
    counts = report.counts
    if as_json:
        rejected, noted = [asdict(each) for each in report.rejected], [asdict(each) for each in notes]
        print_json({**asdict(counts), "rejected": rejected, "notes": noted})
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


@click.command()
@click.option("--jsonl", is_flag=True, help="A JSON object a line instead of CSV.")
@with_newsletter
def export(newsletter: Newsletter, jsonl: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Print everyone as CSV, in the form that import reads.

    The list is personal data: keep it out of Git, mails and chats.
    """

    def everyone() -> Iterator[Subscriber]:
        return (person for person in People(newsletter).everyone() if person.state is not State.ERASED)

    if jsonl:
        for person in everyone():
            click.echo(json.dumps(json_row(person), ensure_ascii=False))
        return
    own = sorted({*newsletter.settings.fields, *(name for person in everyone() for name in person.attributes)})
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header(own))
    writer.writerows(csv_row(person, own) for person in everyone())
