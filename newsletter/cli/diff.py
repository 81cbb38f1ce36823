"""What changed for readers: diff, and the look at it before approving once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import issue_argument, json_option, print_json, say, with_newsletter

if TYPE_CHECKING:
    from newsletter.rendering.difference import Difference


@click.command()
@issue_argument
@click.option("--rev", "revision", metavar="REVISION", help="Compare with this revision of Git, e.g. origin/main.")
@click.option("--html", is_flag=True, help="Show what changed in the HTML, too, line by line.")
@json_option
@with_newsletter
def diff(newsletter: Newsletter, issue: str, *, revision: str | None, html: bool, as_json: bool) -> None:
    """Show what changed in a letter as readers see it.

    Without --rev, since it was approved. What is compared is the compiled letter: a change of its theme or of
    newsletter.toml shows here as well, and one that readers cannot see does not.
    """
    found = Letters(newsletter).difference(issue, revision)
    if as_json:
        head = [{"what": what, "before": before, "after": after} for what, before, after in found.head]
        print_json({"changed": bool(found), "head": head, "text": found.text, "html": found.html})
    else:
        show_difference(found, html=html)


def show_difference(found: Difference, *, html: bool) -> None:
    """The changes, in the colours that Git gives them."""
    if not found:
        say("Readers would see no difference.")
    for what, before, after in found.head:
        click.echo(click.style(what, bold=True))
        _show_lines((f"-{before}", f"+{after}"))
    if found.text:
        click.echo(click.style("text", bold=True))
        _show_lines(found.text)
    if found.html and html:
        click.echo(click.style("HTML", bold=True))
        _show_lines(found.html)
    elif found.html:
        lines = sum(line[:1] in "+-" for line in found.html)
        say(f"The HTML differs in {lines} line{'s' if lines != 1 else ''}; --html shows them.")


def _show_lines(lines: tuple[str, ...]) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        click.echo(click.style(line, fg=colours.get(line[:1])))
