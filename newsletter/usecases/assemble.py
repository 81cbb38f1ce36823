"""Assemble: from a recipe, the block library and what falls into the week to a draft, the same every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Protocol

from newsletter.content.choosing import Choice, Uses, Week, choose
from newsletter.content.comments import comment
from newsletter.content.dates import in_words
from newsletter.content.draft import head, letter_id
from newsletter.content.library import KINDS
from newsletter.content.observances import Occurrence
from newsletter.content.prepared import Prepared
from newsletter.errors import NotFound

FEED = "feed"  # the one kind that is not prepared: feeds say it themselves
PREHEADER = range(35, 131)  # characters that fill an inbox's second line


class Fed(Protocol):
    """What feeds gave: whole blocks, and notes about those that did not answer."""

    @property
    def markdown(self) -> str | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class FillFeed(Protocol):
    """Asks the feeds for what came after the day of the letter before, and for these tags."""

    def __call__(self, since: date, tags: Sequence[str]) -> Fed: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be assembled: `before` is the day of the last letter, a step of `recipe` has kinds to choose from."""

    week: Week
    at: time
    recipe: tuple[tuple[str, ...], ...]
    library: tuple[Prepared, ...]
    uses: Uses
    before: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A draft, why it is as it is, what the library had nothing for, and what feeds had to say."""

    issue_id: str
    title: str
    text: str
    choices: tuple[Choice, ...]
    lacks: tuple[str, ...]
    notes: tuple[str, ...]


def assemble(order: Order, *, fill_feed: FillFeed) -> Assembled:
    """The draft that *order* makes. Raises NotFound where there is nothing to make it of."""
    parts, notes, choices, taken = [_about(order.week)], list[str](), list[Choice](), list[Prepared]()
    for kinds in order.recipe:
        if kinds == (FEED,):
            fed = fill_feed(
                order.before, sorted({tag for each in order.week.occurrences for tag in each.observance.tags})
            )
            parts += [comment([note]) for note in fed.notes] + ([fed.markdown.rstrip() + "\n"] if fed.markdown else [])
            notes += fed.notes
            continue
        choice = choose(kinds, order.library, order.week, order.uses, taken=taken)
        choices.append(choice)
        if choice.best is None:
            parts.append(comment([f"{_nothing(kinds)}, or write the block here"]))
        else:
            taken.append(choice.best.prepared)
            parts.append(taken[-1].text)
    if not taken and not any(kinds == (FEED,) for kinds in order.recipe):
        hint = 'prepare some, or begin with empty blocks: newsletter new "A title"'
        raise NotFound("the library has no block for this week", at="issues/library", hint=hint)
    named, title = _title(taken, order.week)
    parts = [_untitled(named) if named and part == named.text else part for part in parts]
    return Assembled(
        issue_id=letter_id(title, order.week.day),
        title=title,
        text=head(title, day=order.week.day, at=order.at, preheader=_preheader(taken, order.week)) + "\n".join(parts),
        choices=tuple(choices),
        lacks=(*_spent(choices), *_unfitted(order, taken)),
        notes=tuple(notes),
    )


def _tags(week: Week) -> list[str]:
    return sorted({tag for each in week.occurrences for tag in each.observance.tags})


def _about(week: Week) -> str:
    when = f"{in_words(week.day)} {week.day.year}"
    lines = [f"Assembled for the week of {when}, and yours to rewrite. Readers never see a comment."]
    if week.occurrences:
        lines += ["", "This week:", *(_told(each) for each in week.occurrences)]
    return comment(lines)


def _told(occurrence: Occurrence) -> str:
    """An occurrence in a line: when, what, where, who says so, and what to know about its date."""
    what = occurrence.observance
    where = "" if what.region == "everywhere" else f", {what.region}"
    note = f" {what.note}" if what.note else ""
    return f"- {in_words(occurrence.first, occurrence.last)}: {what.name}{where} ({what.source}).{note}"


def _title(blocks: Sequence[Prepared], week: Week) -> tuple[Prepared | None, str]:
    """What the letter is called until its editor finds better, and the block that gave it: its reflection, or any."""
    in_order = sorted(blocks, key=lambda each: each.kind != "reflection")
    titles = ((each, each.block.attributes.get("title", "")) for each in in_order)
    return next((each for each in titles if _is_plain(each[1])), (None, f"The week of {in_words(week.day)}"))


def _untitled(prepared: Prepared) -> str:
    """The text of *prepared* without the title that the letter has now, so that it is not read twice."""
    if "title" in KINDS[prepared.kind].required:
        return prepared.text
    fence, rest = prepared.text.split("\n", 1)
    for quote in "\"'":
        fence = fence.replace(f"title={quote}{prepared.block.attributes['title']}{quote} ", "", 1)
    return f"{fence}\n{rest}"


def _preheader(blocks: Sequence[Prepared], week: Week) -> str:
    """The commitment of the action, where it is as long as a preheader should be."""
    commitments = (each.block.body.strip().split("\n\n")[0] for each in blocks if each.kind == "action")
    lines = (" ".join(paragraph.split()) for paragraph in commitments)
    usual = f"Something to think about and something to do, for the week of {in_words(week.day)}."
    return next((line for line in lines if len(line) in PREHEADER and _is_plain(line)), usual)


def _is_plain(text: str) -> bool:
    """Whether *text* says the same to everybody, without Markdown."""
    return bool(text.strip()) and not any(mark in text for mark in ("{{", "*", "_", "[", "`", "==", "\\", "\n- "))


def _nothing(kinds: tuple[str, ...]) -> str:
    return f"{' or '.join(kinds)}: nothing prepared for this week; put a block into issues/library/{kinds[0]}/"


def _spent(choices: Sequence[Choice]) -> Iterator[str]:
    """What the library has too few blocks of."""
    for choice in choices:
        if choice.best is None:
            yield _nothing(choice.kinds)
        elif choice.best.rests:
            yield f"{' or '.join(choice.kinds)}: too few for every week; {choice.best.prepared.name} comes again soon"
        elif choice.best.last_used and not choice.best.named:
            yield f"{' or '.join(choice.kinds)}: nothing is left that readers have not seen"


def _unfitted(order: Order, taken: Sequence[Prepared]) -> Iterator[str]:
    """The observances of the week that no block of the letter takes up."""
    for each in order.week.occurrences:
        what = each.observance
        if not any(what.id in block.observances or what.tags & block.tags for block in taken):
            yield f"{what.name}: no block takes it up; one with `observances: {what.id}` would"
