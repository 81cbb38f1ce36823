"""The coming weeks, as a table for people, as data for machines, and for calendar programs."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

import click

from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import json_option, print_json, say, with_newsletter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table
    from rich.text import Text

    from newsletter.app.calendar import CalendarWeek, Letter
    from newsletter.content.observances import Occurrence
    from newsletter.rendering.ical import Event


@click.command()
@click.option("--weeks", type=click.IntRange(1, 260), default=8, show_default=True, help="How many, with this one.")
@click.option("--ics", "as_ics", is_flag=True, help="Print iCalendar, for calendar programs.")
@json_option
@with_newsletter
def calendar(newsletter: Newsletter, weeks: int, as_ics: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Show the coming weeks: letters, observances, gaps.

    Letters stand as their files and the ledger tell; what only compiling can find, `newsletter check` does.
    """
    from newsletter.app.calendar import Calendar

    found = Calendar(newsletter).weeks(weeks)
    if as_ics:
        _print_ics(newsletter, found)
    elif as_json:
        print_json([_as_data(week) for week in found])
    else:
        _print_weeks(found)
        gaps = [week for week in found if week.is_gap]
        if gaps:
            say(f"\n{_weeks(len(gaps))} without a letter. Begin the first: newsletter assemble --date {gaps[0].day}")


def _weeks(count: int) -> str:
    return f"{count} week{'' if count == 1 else 's'}"


def _as_data(week: CalendarWeek) -> dict[str, object]:
    return {
        "day": week.day,
        "gap": week.is_gap,
        "quiet": week.is_quiet,
        "letters": [
            {"issue": each.issue_id, "title": each.title, "send": each.send.day, "stands": each.stands}
            for each in week.letters
        ],
        "observances": [
            {
                "id": each.observance.id,
                "name": each.observance.name,
                "first": each.first,
                "last": each.last,
                "region": each.observance.region,
                "source": each.observance.source,
                "note": each.observance.note,
                "prepared": each.observance.id not in week.unprepared,
            }
            for each in week.occurrences
        ],
    }


# How letters stand: in which colour, what comes before it, and in which words.
_STANDS = {
    "draft": ("", "○", "draft"),
    "problems": ("red", "✕", "has problems"),
    "approved": ("green", "●", "approved"),
    "changed": ("red", "✕", "changed since approved"),
    "planned": ("green", "●", "planned"),
    "sent": ("dim", "✓", "sent"),
    "in doubt": ("red", "✕", "in doubt"),
    "some held": ("yellow", "●", "some held"),
}
_OTHER = ("yellow", "●")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _print_weeks(weeks: list[CalendarWeek]) -> None:
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rules = Box("    \n    \n ── \n    \n ── \n    \n    \n    \n", ascii=False)
    table = Table(box=rules, show_edge=False, pad_edge=False, padding=(0, 1), header_style="dim", show_lines=True)
    table.border_style = "bright_black"
    table.add_column("week of", no_wrap=True)
    table.add_column("letter", ratio=2, min_width=20)
    table.add_column("stands", no_wrap=True)
    table.add_column("falls into it", ratio=3, min_width=34)
    year = weeks[0].day.year
    for week in weeks:
        table.add_row(_day(week, year), *_letters(week), _observances(week))
        year = week.day.year
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(table)
    found = (each.observance for week in weeks for each in week.occurrences)
    notes = dict.fromkeys(f"* {each.name}: {each.note}" for each in found if each.note)
    console.print(*(Text(f"\n{note}", style="dim") for note in notes), sep="", end="\n" if notes else "")


def _day(week: CalendarWeek, year: int) -> Text:
    from rich.text import Text

    text = Text(f"{_short(week.day):>6}", style="bold")
    return text if week.day.year == year else text.append(f" {week.day.year}", style="not bold dim")


def _letters(week: CalendarWeek) -> tuple[Text, Text]:
    from rich.text import Text

    if week.is_quiet and not week.letters:
        return Text("quiet", style="dim"), Text("")
    if not week.letters:
        return Text("no letter yet", style="yellow") if week.is_gap else Text("no letter", style="dim"), Text("")
    titles, stands = Text(), Text()
    for number, each in enumerate(week.letters):
        colour, mark, words = _STANDS.get(each.stands) or (*_OTHER, each.stands)
        end = "\n" if number + 1 < len(week.letters) else ""
        titles.append(f"{each.title}{end}")
        stands.append(f"{mark} {words}{end}", style=colour)
    return titles, stands


def _observances(week: CalendarWeek) -> Table:
    from rich.table import Table

    lines = Table.grid(padding=(0, 2), expand=True)
    lines.add_column(justify="right", style="dim", no_wrap=True, width=6)
    lines.add_column(ratio=1)
    in_order = sorted(week.occurrences, key=lambda each: (each.first < week.day, max(each.first, week.day)))
    for each in in_order:
        begun = each.first < week.day
        lines.add_row("…" if begun else _short(each.first), _observance(each, week, begun=begun))
    return lines


def _observance(each: Occurrence, week: CalendarWeek, *, begun: bool) -> Text:
    from rich.text import Text

    what = each.observance
    text = Text(f"{what.name}{' *' if what.note else ''}", style="dim" if begun else "")
    where = [] if what.region == "everywhere" else [what.region]
    until = [f"until {_short(each.last)}"] if each.first != each.last else []
    details = ", ".join([*where, *until]).replace(" ", "\N{NO-BREAK SPACE}")
    text.append(f"  {details}" if details else "", style="dim")
    if what.id in week.unprepared:
        text.append("  no block", style="yellow")
    return text


def _short(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _print_ics(newsletter: Newsletter, weeks: list[CalendarWeek]) -> None:
    from newsletter.rendering.ical import ical

    settings = newsletter.settings
    events = {event.uid: event for week in weeks for event in _events(week, settings.list_id)}
    # The week's first moment, and not this one: who prints it twice in a week gets the same bytes.
    stamp = datetime.combine(weeks[0].day, time(0), tzinfo=UTC)
    sys.stdout.buffer.write(ical(events.values(), name=settings.name, stamp=stamp).encode())


def _events(week: CalendarWeek, domain: str) -> Iterator[Event]:
    for letter in week.letters:
        yield _letter_event(letter, domain)
    yield from (_observance_event(each, domain) for each in week.occurrences)


def _letter_event(letter: Letter, domain: str) -> Event:
    from newsletter.rendering.ical import Event
    from newsletter.schedule import due_at

    send = letter.send
    instant = due_at(send.day, send.at, send.zone) if send.zone else datetime.combine(send.day, send.at)
    return Event(
        uid=f"{domain}/letters/{letter.issue_id}",
        begins=instant,
        summary=letter.title,
        description=f"{letter.issue_id}: {letter.stands}",
    )


def _observance_event(each: Occurrence, domain: str) -> Event:
    from newsletter.rendering.ical import Event

    what = each.observance
    where = "" if what.region == "everywhere" else f" ({what.region})"
    return Event(
        uid=f"{domain}/observances/{what.id}/{each.first}",
        begins=each.first,
        last=each.last,
        summary=f"{what.name}{where}",
        description=what.note,
        url=what.source,
    )
