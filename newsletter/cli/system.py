"""System: init, doctor, db."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from newsletter.app.founding import found, upgrade_database
from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import json_option, print_json, root_of, say, with_newsletter
from newsletter.errors import NewsletterError
from newsletter.pieces import one_line
from newsletter.sources.finding import Finding, Level

_SIGNS = {Level.OK: ("ok  ", "green"), Level.WARNING: ("note", "yellow"), Level.ERROR: ("MEND", "red")}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Start a newsletter in FOLDER.

    Writes the settings, two themes, sample letters, an invented list, workflows for GitHub and a README; what is
    there already is left as it is. Example: newsletter init my-letter
    """
    written = found(folder)
    for name in written:
        click.echo(f"{folder / name}")
    if not written:
        say("Everything was there already; nothing was changed.")
        return
    say(
        f"\nNext: put your name and address into {folder / 'newsletter.toml'}, then, from that folder (its README.md\n"
        "has the steps after these):\n"
        "  newsletter db upgrade\n"
        '  newsletter subscribers import subscribers/sample.csv --evidence "invented"\n'
        "  newsletter doctor"
    )


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Look whether everything needed is in place."""
    from newsletter.app.diagnosis import examine

    findings = examine(root_of(ctx))
    if as_json:
        print_json(
            [
                {"what": each.what, "ok": each.ok, "level": each.level, "detail": each.detail, "fix": each.fix}
                for each in findings
            ]
        )
    else:
        _print(findings)
    broken = sum(not each.ok for each in findings)
    if broken:
        raise NewsletterError(f"{broken} thing{'s' if broken != 1 else ''} to mend")


def _print(findings: Sequence[Finding]) -> None:
    """One line each, whole and never folded, so that it can be searched; what to do stands below it."""
    wide = max(len(each.what) for each in findings)
    for each in findings:
        word, colour = _SIGNS[each.level]
        sign = click.style(word, fg=colour, bold=not each.ok)
        click.echo(f"{sign}  {each.what:{wide}}  {one_line(each.detail)}")
        if each.fix:
            click.echo(f"{'':{wide + 8}}{one_line(each.fix)}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def db() -> None:
    """The database: upgrade."""


@db.command()
@with_newsletter
def upgrade(newsletter: Newsletter) -> None:
    """Make the database, or bring it to this program's version.

    What is in it stays. Example: newsletter db upgrade
    """
    upgrade_database(newsletter)
    say("The database is of this program's version. Next: newsletter subscribers import FILE --evidence …")
