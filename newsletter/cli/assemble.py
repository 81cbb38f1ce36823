"""The block library: assemble, blocks."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import json_option, print_json, print_problems, print_table, say, with_newsletter
from newsletter.errors import IssueHasProblems

if TYPE_CHECKING:
    from newsletter.app.assembling import Assembling, Stock
    from newsletter.content.choosing import Choice
    from newsletter.usecases.assemble import Assembled

_ISO_WEEK = re.compile(r"(\d{4})-?W(\d{2})")


@click.command()
@click.option("--week", metavar="WEEK", help="The ISO week that it is for, e.g. 2026-W49.")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Or the day it is sent; else the next there is.",
)
@click.option("--explain", is_flag=True, help="Tell why each block was chosen, and which would have been next.")
@json_option
@with_newsletter
def assemble(newsletter: Newsletter, week: str | None, day: datetime | None, explain: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Make a week's draft from prepared blocks.

    The recipe in newsletter.toml says which kinds of block, the library in issues/library has the blocks, and the
    awareness calendar what falls into the week. Example: newsletter assemble --week 2026-W50 --explain
    """
    from newsletter.app.assembling import Assembling

    if week and day:
        raise click.UsageError("say --week or --date, not both")
    assembling = Assembling(newsletter)
    path, made = assembling.assemble(_day(assembling, week, day))
    name = newsletter.workspace.relative(path)
    if as_json:
        print_json(_as_data(made, path=name))
    else:
        click.echo(name)
        if explain:
            click.echo()
            _explain(made)
    for line in (*made.notes, *made.lacks):
        say(f"  - {line}")
    if assembling.library[1]:
        say("Some prepared blocks cannot be read and were left out: newsletter blocks")
    say(f"Now make it yours, then: newsletter check {made.issue_id}")


def _day(assembling: Assembling, week: str | None, day: datetime | None) -> date:
    if day:
        return day.date()
    if not week:
        return assembling.next_day()
    found = _ISO_WEEK.fullmatch(week)
    try:
        if found:
            return assembling.day_in(int(found[1]), int(found[2]))
    except ValueError:
        pass
    raise click.BadParameter(f"{week!r} is no week; write e.g. 2026-W49", param_hint="'--week'")


def _explain(made: Assembled) -> None:
    print_table(
        ("kind", "block", "why", "next would have been"),
        [
            (
                each.best.prepared.kind if each.best else " or ".join(each.kinds),
                each.best.prepared.name if each.best else "",
                each.best.why if each.best else "nothing prepared for this week",
                ", ".join(other.prepared.name for other in each.next_best),
            )
            for each in made.choices
        ],
    )


def _as_data(made: Assembled, *, path: str) -> dict[str, object]:
    return {
        "issue": made.issue_id,
        "path": path,
        "title": made.title,
        "blocks": [_choice_data(each) for each in made.choices],
        "lacks": list(made.lacks),
        "notes": list(made.notes),
    }


def _choice_data(choice: Choice) -> dict[str, object]:
    best = choice.best
    return {
        "kinds": list(choice.kinds),
        "kind": best.prepared.kind if best else None,
        "block": best.prepared.name if best else None,
        "why": best.why if best else None,
        "observance": best.named.observance.id if best and best.named else None,
        "last_used": best.last_used if best else None,
        "next": [each.prepared.name for each in choice.next_best],
    }


@click.command()
@json_option
@with_newsletter
def blocks(newsletter: Newsletter, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show the block library: what was used when, and what is next."""
    from newsletter.app.assembling import Assembling

    assembling = Assembling(newsletter)
    stock, problems = assembling.stock(), assembling.library[1]
    if as_json:
        wrong = [{"at": each.at, "what": each.what, "hint": each.hint} for each in problems]
        print_json({"blocks": [_stock_data(each) for each in stock], "problems": wrong})
    elif stock:
        print_table(("kind", "block", "tags", "last used", "fits next", "for"), _rows(stock))
    else:
        say("The library is empty. A quote, say, goes into issues/library/quote/<name>.md")
    if problems:
        if not as_json:
            print_problems(problems)
        what = f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in the library"
        raise IssueHasProblems(what, hint="such a block is never chosen")


def _rows(stock: list[Stock]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    kind = ""
    for each in stock:
        prepared = each.prepared
        rows.append(
            (
                prepared.kind if prepared.kind != kind else "",
                prepared.name,
                ", ".join(sorted(prepared.tags)),
                str(each.last_used or "never"),
                str(each.next_fit or "not within a year"),
                each.fits_for or ("any week" if each.next_fit else ""),
            )
        )
        kind = prepared.kind
    return rows


def _stock_data(each: Stock) -> dict[str, object]:
    return {
        "kind": each.prepared.kind,
        "block": each.prepared.name,
        "tags": each.prepared.tags,
        "observances": each.prepared.observances,
        "last_used": each.last_used,
        "fits_next": each.next_fit,
        "for": each.fits_for or None,
    }
