"""Segments: their rules in words, how many people they choose, and some of these without their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.app.newsletter import Newsletter
from newsletter.audience.in_words import in_words
from newsletter.audience.predicate import Is, Joined, Received, leaves
from newsletter.cli.output import json_option, print_json, print_table, say, with_newsletter

if TYPE_CHECKING:
    from newsletter.audience.predicate import Predicate
    from newsletter.audience.subscriber import Subscriber


@click.command()
@click.argument("name", required=False)
@click.option("--count", is_flag=True, help="How many people they choose, and how many may be mailed now.")
@click.option("--sample", type=click.IntRange(1, 100), metavar="N", help="Show N of the people, addresses masked.")
@json_option
@with_newsletter
def segments(newsletter: Newsletter, name: str | None, count: bool, sample: int | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """List the segments with their rules in words, or one of them.

    Example: newsletter subscribers segments workplace --count --sample 5
    """
    from newsletter.app.segmenting import Segmenting

    here = Segmenting(newsletter)
    found = []
    for each, rule in here.rules(name).items():
        data: dict[str, object] = {"name": each, "rule": in_words(rule)}
        if count:
            data["people"], data["mailable"] = here.count(rule)
        if sample:
            data["sample"] = [_shown(person, rule) for person in here.some(rule, limit=sample)]
        found.append(data)
    if as_json:
        print_json(found)
    else:
        _print(found, count=count)


def _print(found: list[dict[str, object]], *, count: bool) -> None:
    numbers = ("people", "mailable") if count else ()
    rows = [(str(each["name"]), *(f"{each[key]:,}" for key in numbers), str(each["rule"])) for each in found]
    print_table(("segment", *numbers, "whoever"), rows, right=(1, 2) if count else ())
    for each in found:
        sample = each.get("sample")
        if isinstance(sample, list):
            say(f"\n{each['name']}{'' if sample else ': nobody who may be mailed now'}")
            columns = list(sample[0]) if sample else []
            print_table(columns, [[_cell(person[key]) for key in columns] for person in sample])


def _shown(person: Subscriber, rule: Predicate) -> dict[str, object]:
    """A person's masked address, and what of them the rule asks."""
    shown: dict[str, object] = {"address": masked(person.address)}
    for leaf in leaves(rule):
        match leaf:
            case Is(field="tags", values=values):
                known = shown.get("tags", [])
                assert isinstance(known, list)
                shown["tags"] = sorted({*known, *person.tags.intersection(values)})
            case Is(field=field):
                name = field.removeprefix("attributes.")
                own = {"zone": person.zone or "", "language": person.language}
                shown[name] = person.attributes.get(name, "") if name != field else own.get(field, "")
            case Joined():
                shown["joined"] = person.joined_at.date() if person.joined_at else None
            case Received():
                shown["received"] = sorted(f"{issue_id}@{revision}" for issue_id, revision in person.received or ())
    return shown


def masked(address: str) -> str:
    """*address* so that whoever knows it recognises it and nobody else can write to it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
