"""Every letter of this repository, in every theme: what the tests look at that judge letters as a whole.

A new letter in issues/ or in tests/cases/letters, and a new folder of templates/, is found by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

from newsletter.content.parse import parse
from newsletter.rendering.compile import compile_issue
from newsletter.rendering.edition import Condition, Edition
from newsletter.rendering.inline import inline_css
from newsletter.rendering.message import cut_edition
from newsletter.rendering.theme import read_theme
from newsletter.usecases.build import Desk
from tests.unit.letters import ROOT, THEMES, desk

THEME = "letter"  # the one that a new newsletter begins with
ISSUES = tuple(
    sorted([*(ROOT / "issues").glob("????-??-??-*.md"), *(ROOT / "issues" / "series").glob("*/[0-9][0-9]-*.md")])
)
CASES = tuple(sorted((ROOT / "tests" / "cases" / "letters").glob("*.md")))
EVERY_KIND = next(path for path in CASES if path.stem.endswith("every-kind"))
SEGMENTS = ("everyone", "testers", "combined", "workplace", "red", "green", "blue", "early", "late")
READER = "Zoë Example"
LEAVE_URL = "https://letters.example.org/leave/0123456789abcdefghijkl"


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter in a theme."""

    path: Path
    theme: str = THEME

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a series, sent so many days after joining."""
        return self.path.parent != ROOT / "issues" and ROOT / "issues" in self.path.parents

    @property
    def id(self) -> str:
        """What the newsletter calls it."""
        return f"{self.path.parent.name}.{self.path.stem[3:]}" if self.is_part else self.path.stem

    @property
    def name(self) -> str:
        """What a test is called after it."""
        words = self.id.replace(".", "-") if self.is_part else self.id[11:]
        return words if self.theme == THEME else f"{self.theme}-{words}"

    @property
    def desk(self) -> Desk:
        """An editor's desk with its theme, and all segments a sample asks for."""
        found = desk(theme_name=self.theme, segments={segment: {"all": []} for segment in SEGMENTS})
        if not self.is_part:
            return found
        return replace(found, defaults=replace(found.defaults, since=date(2026, 11, 23)))

    @property
    def text(self) -> str:
        """What its author wrote; all 32 variants of one letter look alike, and one of them shows all its blocks."""
        text = self.path.read_text()
        return re.sub(r' for="[^"]*"', "", text) if self.path.stem.endswith("five-conditions") else text


# Every letter in the theme that letters come in; in every other theme the cases, which have a block of every kind.
SAMPLES = (
    *(Sample(path) for path in (*ISSUES, *CASES)),
    *(
        Sample(path, theme)
        for theme in THEMES
        if theme != THEME
        for path in CASES
        if "five-conditions" not in path.stem
    ),
)


@cache
def edition_of(sample: Sample, finish: Callable[[str], str] = inline_css) -> Edition:
    """A letter, compiled; *finish* is its last pass."""
    at = sample.desk
    issue, mistakes = parse(sample.text, path="issues/a.md", issue_id=sample.id, defaults=at.defaults)
    edition, problems = compile_issue(
        issue,
        theme=read_theme(at.theme_name, at.theme_files, language=issue.language),
        setting=at.setting,
        audience=Condition(name=issue.audience, rule={}),
        rules={f"segment:{segment}": rule for segment, rule in at.segments.items()},
        finish=finish,
    )
    assert edition is not None, problems
    assert not mistakes, mistakes
    return edition


@cache
def page_of(sample: Sample, *, name: str = READER, finish: Callable[[str], str] = inline_css) -> str:
    """The HTML of a letter with all its blocks, every hole filled with *name*."""
    pieces = cut_edition(edition_of(sample, finish)).variants[-1].html
    return pieces.fill(
        {slot.value: LEAVE_URL if slot.value.endswith("_url") else name for slot in pieces.slots}
    ).decode()
