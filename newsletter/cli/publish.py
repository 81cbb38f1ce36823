"""Publishing: site build."""

from __future__ import annotations

from pathlib import Path

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.publishing import FOLDER, Publishing
from newsletter.cli.output import json_option, print_json, say, with_newsletter


@click.group()
def site() -> None:
    """The public pages of letters: build."""


@site.command(short_help="Write the pages of approved letters.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help=f"Where to; else {FOLDER}/ in the newsletter's folder.",
)
@json_option
@with_newsletter
def build(newsletter: Newsletter, out: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Write the web version of every approved letter, and the pictures they show.

    Each letter has a page of its own that only its readers know of. Put the folder where [site] url is.
    Example: newsletter site build --out public
    """
    done = Publishing(newsletter).build(out)
    if as_json:
        print_json({"folder": str(done.folder), "written": done.written, "removed": done.removed, "same": done.same})
        return
    for path in done.written:
        click.echo(f"written  {path}")
    for path in done.removed:
        click.echo(f"removed  {path}")
    if not (done.written or done.removed or done.same):
        say("No letter is approved yet, so there is nothing to publish.")
    else:
        say(f"{done.folder}: {len(done.written)} written, {len(done.removed)} removed, {done.same} as they were.")
