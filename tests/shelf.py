"""A block library of any size, made up, and what must hold of the letters that are assembled from it.

What fits is worked out here a second time, from the rules in docs/guide.md and not from the program's own code.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from newsletter.app.assembling import Assembling
from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import read_settings
from newsletter.usecases.assemble import Assembled

ROOT = Path(__file__).resolve().parents[1]
REST = timedelta(weeks=8)
Key = tuple[str, str]  # a block's kind and name

RECIPE = ("quote", "reflection", "steps or learn", "action", "spread-the-word", "keep-going", "subscribe")
BODIES = {
    "quote": '::: quote {{by="Nobody {name}"}}\nWords number {name}.\n:::\n',
    "reflection": '::: reflection {{title="About {name}"}}\nA thought about {name}, long enough to read.\n:::\n',
    "steps": "::: steps\n1. **Begin.** With {name}.\n2. **End.** With something else.\n:::\n",
    "learn": '::: learn {{title="On {name}"}}\nSomething to read on {name}.\n:::\n',
    "action": '::: action {{id="{name}"}}\nThis week, I commit to trying {name}.\n\n- When asked, I will.\n:::\n',
    "spread-the-word": "::: spread-the-word\ntext: Pass {name} on.\n:::\n",
    "keep-going": '::: keep-going {{url="https://example.org/{name}"}}\n### {name}\nAn hour.\n:::\n',
    "subscribe": '::: subscribe {{url="https://letters.example.org/subscribe"}}\nThen somebody sent you {name}.\n:::\n',
}
# What each block of a kind is for, in turn; the rest is for any week.
OBSERVANCES = (
    "mlk-day, juneteenth", "womens-day", "human-rights-day", "black-history-month-us, black-history-month-uk",
)  # fmt: skip
TAGS = ("disability", "lgbtq, gender")


@dataclass(slots=True)
class Shelf:
    """A newsletter whose library has *count* blocks of every kind."""

    root: Path
    count: int = 12
    observances: dict[Key, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make it."""
        for name in ("newsletter.toml", "templates", "subscribers/segments.toml"):
            target = self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
        for kind, body in BODIES.items():
            for number in range(self.count):
                self._write(kind, f"block-{number:02}", body, number)

    def _write(self, kind: str, name: str, body: str, number: int) -> None:
        head = ""
        if number < len(OBSERVANCES):
            head = f"---\nobservances: {OBSERVANCES[number]}\n---\n\n"
            self.observances[kind, name] = frozenset(OBSERVANCES[number].split(", "))
        elif number < len(OBSERVANCES) + len(TAGS):
            head = f"---\ntags: {TAGS[number - len(OBSERVANCES)]}\n---\n\n"
        self.observances.setdefault((kind, name), frozenset())
        path = self.root / "issues" / "library" / kind / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + body.format(name=name))

    def assemble(self, day: date) -> Assembled:
        """The letter of *day*, from what the repository says by now."""
        with Newsletter(read_settings(self.root, {})) as newsletter:
            return Assembling(newsletter).assemble(day)[1]

    def year(self, first: date, *, weeks: int = 52) -> dict[date, Assembled]:
        """A letter for every week from *first* on, each assembled when the one before it was there."""
        return {day: self.assemble(day) for day in (first + n * timedelta(weeks=1) for n in range(weeks))}

    def letters(self) -> dict[str, bytes]:
        """The bytes of all letters by their names."""
        return {path.name: path.read_bytes() for path in sorted((self.root / "issues").glob("*.md"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One choice of a year: what could have been taken, and what was."""

    day: date
    chosen: Key
    fresh: frozenset[Key]  # fits, and nobody has seen it
    written_for: frozenset[Key]  # for this very week, and not in any letter of the last eight weeks
    rested: frozenset[Key]  # fits, and not in any letter of the last eight weeks
    used_before: bool


def steps(shelf: Shelf, year: dict[date, Assembled]) -> Iterator[Step]:
    """All choices of *year*, in their order."""
    uses: dict[Key, list[date]] = defaultdict(list)
    with Newsletter(read_settings(shelf.root, {})) as newsletter:
        assembling = Assembling(newsletter)
        falls = {day: {each.observance.id for each in assembling.week(day).occurrences} for day in year}
    for day, letter in year.items():
        for choice in letter.choices:
            assert choice.best is not None
            chosen = (choice.best.prepared.kind, choice.best.prepared.name)
            fits = {
                key for key, named in shelf.observances.items()
                if key[0] in choice.kinds and (not named or named & falls[day])
            }  # fmt: skip
            rested = {key for key in fits if all(day - used >= REST for used in uses[key])}
            yield Step(
                day=day,
                chosen=chosen,
                fresh=frozenset(key for key in fits if not uses[key]),
                written_for=frozenset(key for key in rested if shelf.observances[key]),
                rested=frozenset(rested),
                used_before=bool(uses[chosen]),
            )
            uses[chosen].append(day)
