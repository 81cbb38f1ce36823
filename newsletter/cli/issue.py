"""Letters: new, render, proof, approve."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.audience.addresses import read_address
from newsletter.cli.output import (
    confirm,
    issue_argument,
    json_option,
    print_json,
    print_problems,
    problem_as_data,
    say,
    with_newsletter,
    yes_option,
)
from newsletter.delivery.outcome import Status
from newsletter.errors import NewsletterError, ProviderRefused

if TYPE_CHECKING:
    from newsletter.audience.subscriber import Subscriber

WIDE = 800  # pixels; about what a mail program on a desktop gives a letter


@click.command()
@click.argument("title", required=False)
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The day it is sent.")
@click.option(
    "--from", "article", type=click.Path(path_type=Path), help="An article to make it of: .md, .html, .txt or .docx."
)
@with_newsletter
def new(newsletter: Newsletter, title: str | None, day: datetime | None, article: Path | None) -> None:
    """Begin a new letter called TITLE, or after the title of the article that it is made of.

    Example: newsletter new "The quiet half of the room" --date 2026-11-30

    From a text that you have: newsletter new --from article.docx
    """
    if article:
        _bring(newsletter, article, title or "", day.date() if day else None)
        return
    if title is None:
        raise click.UsageError("a new letter needs a TITLE, or --from FILE")
    path = Letters(newsletter).new(title, day.date() if day else None)
    click.echo(newsletter.workspace.relative(path))
    say(f"Write it, then: newsletter check {path.stem}")


def _bring(newsletter: Newsletter, article: Path, title: str, day: date | None) -> None:
    from newsletter.app.bringing import bring  # few letters begin with an article

    brought = bring(newsletter, article, title=title, day=day)
    click.echo(newsletter.workspace.relative(brought.path))
    say(f"Recognised: {', '.join(brought.kinds)}.")
    for note in brought.notes:
        say(f"  {note}")
    if brought.notes:
        say("These notes stand in the draft as well, as comments that no reader sees.")
    say(f"Write its preheader, then: newsletter check {brought.path.stem}")


@click.command()
@issue_argument
@click.option("--html", "form", flag_value="html", default=True, help="The HTML part (the default).")
@click.option("--text", "form", flag_value="text", help="The plain text part.")
@click.option("--eml", "form", flag_value="eml", help="The whole message.")
@click.option(
    "--as", "address", metavar="ADDRESS", help="As this subscriber gets it; else as somebody we know nothing about."
)
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="A picture of the HTML, into this file.")
@click.option("--width", type=click.IntRange(200, 4000), help=f"How wide the picture is, in pixels ({WIDE}).")
@click.option("--dark", is_flag=True, help="The picture as it looks in the dark.")
@with_newsletter
def render(
    newsletter: Newsletter,
    issue: str,
    form: str,
    address: str | None,
    png: Path | None,
    width: int | None,
    dark: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Print a letter, as its file is now, the way a reader would get it.

    Example: newsletter render 2026-11-23-renew-your-goals > letter.html

    A picture takes a browser: newsletter render 2026-11-23-renew-your-goals --png phone.png --width 375 --dark
    """
    if png is None and (width or dark):
        raise click.UsageError("--width and --dark are for a picture: add --png FILE")
    if png and form != "html":
        raise click.UsageError(f"--png takes a picture of the HTML, so leave out --{form}")
    person = _person(newsletter, address) if address else None
    letters = Letters(newsletter)
    html, text, message = letters.message_for(issue, person)
    if png:
        _take_picture(letters.shown_here(issue, html), png, width=width or WIDE, dark=dark)
        return
    sys.stdout.buffer.write({"html": html, "text": text, "eml": message}[form])


def _amends(letters: Letters, issue: str, *, yes: bool) -> bool:
    """Whether what changed since the approval is to be approved as well, after showing it."""
    from newsletter.cli.diff import show_difference  # most approvals are the first

    found = letters.difference(issue)
    show_difference(found, html=False)
    if confirm("Approve this as well?", yes=yes):
        return True
    say("The approval stands as it was.")
    return False


def _take_picture(html: bytes, file: Path, *, width: int, dark: bool) -> None:
    from newsletter.app.picturing import picture

    png = picture(html, width=width, dark=dark)
    try:
        file.write_bytes(png)
    except OSError as err:
        raise NewsletterError(f"cannot be written: {err.strerror}", at=str(file)) from err
    say(f"{file}: {len(png):,} bytes")


def _person(newsletter: Newsletter, address: str) -> Subscriber:
    from newsletter.app.people import People  # rendering for nobody in particular needs no database

    return People(newsletter).find(address)


@click.command()
@issue_argument
@click.option("--to", "address", metavar="ADDRESS", required=True, help="Who gets it, e.g. me@example.org.")
@with_newsletter
def proof(newsletter: Newsletter, issue: str, address: str) -> None:
    """Send a letter, as its file is now, to one address as a proof.

    It goes through the provider that will carry the letter, is marked in its subject, and counts for nothing:
    the ledger never hears of it. A subscriber's address gets it as that subscriber will.
    """
    receipt, subject = Letters(newsletter).proof(issue, read_address(address))
    if receipt.status is not Status.ACCEPTED:
        raise ProviderRefused(f"the proof was not taken: {receipt.reason}", hint="see also: newsletter doctor")
    say(f'Handed to the {newsletter.settings.provider}: "{subject}"')
    if receipt.provider_id:
        say(f"  message {receipt.provider_id}")


@click.command()
@issue_argument
@click.option("--amend", is_flag=True, help="Show what changed since it was approved, and ask.")
@yes_option
@json_option
@with_newsletter
def approve(newsletter: Newsletter, issue: str, *, amend: bool, yes: bool, as_json: bool) -> None:
    """Freeze a letter as it is now: exactly this will be sent.

    Writes the approval and the compiled edition beside the letter; commit both with it. With --amend, for a
    mistake found after the approval: newsletter pause, mend, approve --amend, correct, resume.
    """
    letters = Letters(newsletter)
    if amend and not _amends(letters, issue, yes=yes):
        return
    source = letters.read(issue)
    built = source.build()
    if built.errors and as_json:
        print_json({"issue": source.issue_id, "problems": [problem_as_data(problem) for problem in built.problems]})
    elif built.problems and not as_json:
        print_problems(built.problems, newsletter.workspace.line)
    approval, fresh = letters.approve(source, built)
    if as_json:
        print_json(
            {
                "issue": approval.issue_id,
                "revision": approval.revision,
                "edition": approval.edition,
                "new": fresh,
                "problems": [problem_as_data(problem) for problem in built.problems],
            }
        )
        return
    click.echo(f"{approval.issue_id} revision {approval.revision} {approval.edition}")
    if fresh:
        say(
            f"Approved by {approval.approved_by}. "
            f"Commit the letter with {' and '.join(letters.files(approval.issue_id))}."
        )
    else:
        say("It was approved already, exactly as it is.")
    if newsletter.has_database():
        from newsletter.app.sending import Sending  # a letter that nobody is to get yet needs no database

        planned = Sending(newsletter).planned(approval.issue_id)
        if planned and planned.revision != approval.revision:
            say(f"But revision {planned.revision} was planned, and that is what readers get.")
            return
    say(f"Next: newsletter {'tick' if '.' in approval.issue_id else f'send {approval.issue_id}'}")
