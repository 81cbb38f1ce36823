"""Letters as they are seen: large enough, bright enough, no wider than a phone, and as they were written.

What is measured here is part of the forty items (tests/acceptance/must_hold.py, 24 to 27).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from newsletter.content.parse import parse
from newsletter.rendering.compile import compile_issue
from newsletter.rendering.edition import Condition
from newsletter.rendering.inline import inline_css
from newsletter.rendering.message import cut_edition
from newsletter.rendering.theme import read_theme
from tests.browser.chromium import Chromium
from tests.browser.measures import crowded_links, differences, faint_texts, small_texts, styles, wide_parts
from tests.unit.letters import ROOT, THEMES, desk

pytestmark = pytest.mark.needs("chromium")

SAMPLES = sorted((ROOT / "issues").glob("????-??-??-*.md"))
CASES = sorted((ROOT / "tests" / "cases" / "letters").glob("*.md"))
# The samples as they come, and what a letter can be in every theme.
SHOWN = [*((letter, "letter") for letter in SAMPLES), *((letter, theme) for letter in CASES for theme in THEMES)]
SEGMENTS = ("everyone", "testers", "combined", "workplace", "red", "green", "blue", "early", "late")
PHONE, DESKTOP = 375, 800
ORDINARY, UNBROKEN = "Zoë Example", "W" * 300

each_letter = pytest.mark.parametrize(
    ("letter", "theme"), SHOWN, ids=[f"{letter.stem[11:]}-{theme}" for letter, theme in SHOWN]
)
in_both_lights = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
at_both_widths = pytest.mark.parametrize("width", [PHONE, DESKTOP])


@cache
def page(letter: Path, theme: str, *, name: str = ORDINARY, finish: Callable[[str], str] = inline_css) -> str:
    """A letter in a theme with all its blocks, every hole filled with *name*; *finish* is its last pass."""
    at = desk(theme_name=theme, segments={segment: {"all": []} for segment in SEGMENTS})
    text = letter.read_text()
    if letter.stem.endswith("five-conditions"):  # 32 variants that look alike: one shows all its blocks
        text = re.sub(r' for="[^"]*"', "", text)
    issue, _ = parse(text, path="issues/a.md", issue_id=letter.stem, defaults=at.defaults)
    read = read_theme(theme, at.theme_files, language=issue.language)
    rules = {f"segment:{segment}": rule for segment, rule in at.segments.items()}
    audience = Condition(name=issue.audience, rule={})
    edition, problems = compile_issue(
        issue, theme=read, setting=at.setting, audience=audience, rules=rules, finish=finish
    )
    assert edition is not None, problems
    pieces = cut_edition(edition).variants[-1].html
    links = "https://letters.example.org/leave/0123456789abcdefghijkl"
    return pieces.fill({slot.value: links if slot.value.endswith("_url") else name for slot in pieces.slots}).decode()


@dataclass(frozen=True)
class Viewer:
    """Shows pages."""

    browser: Chromium
    file: Path

    def show(self, html: str, *, width: int = DESKTOP, dark: bool = False) -> Chromium:
        """The browser with this page."""
        self.file.write_text(html)
        self.browser.show(self.file, width=width, dark=dark)
        return self.browser


@pytest.fixture
def viewer(browser: Chromium, tmp_path: Path) -> Viewer:
    return Viewer(browser, tmp_path / "page.html")


@each_letter
@at_both_widths
def test_no_text_is_too_small(letter: Path, theme: str, width: int, viewer: Viewer) -> None:
    assert small_texts(viewer.show(page(letter, theme), width=width)) == []


@each_letter
@in_both_lights
def test_text_stands_out_from_what_is_behind_it(letter: Path, theme: str, dark: bool, viewer: Viewer) -> None:
    assert faint_texts(viewer.show(page(letter, theme), dark=dark)) == []


@each_letter
def test_text_stands_out_where_outlook_on_the_web_darkens_it(letter: Path, theme: str, viewer: Viewer) -> None:
    darkened = page(letter, theme).replace("<html ", '<html data-ogsc="" data-ogsb="" ', 1)
    assert faint_texts(viewer.show(darkened)) == []


@each_letter
@at_both_widths
def test_links_are_large_enough_to_hit(letter: Path, theme: str, width: int, viewer: Viewer) -> None:
    assert crowded_links(viewer.show(page(letter, theme), width=width)) == []


@each_letter
@pytest.mark.parametrize("name", [ORDINARY, UNBROKEN], ids=["ordinary", "unbroken"])
def test_nothing_is_wider_than_a_phone(letter: Path, theme: str, name: str, viewer: Viewer) -> None:
    assert wide_parts(viewer.show(page(letter, theme, name=name), width=PHONE)) == []


@each_letter
@at_both_widths
@in_both_lights
def test_inlining_changes_nothing(letter: Path, theme: str, width: int, dark: bool, viewer: Viewer) -> None:
    inlined = styles(viewer.show(page(letter, theme), width=width, dark=dark))
    written = styles(viewer.show(page(letter, theme, finish=str), width=width, dark=dark))
    assert differences(inlined, written) == []


@each_letter
def test_a_desktop_needs_no_style_sheet(letter: Path, theme: str, viewer: Viewer) -> None:
    html = page(letter, theme)
    without = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    assert without != html
    assert differences(styles(viewer.show(html)), styles(viewer.show(without))) == []


FINE = '<p style="color:#767676;font-size:14px">Text <a href="#">and a link</a></p>'


@pytest.mark.parametrize(
    ("measure", "broken"),
    [
        (small_texts, '<p style="font-size:13px">Text</p>'),
        (small_texts, '<img alt="Words" style="font-size:13px">'),
        (faint_texts, '<p style="color:#777777">Text</p>'),
        (faint_texts, '<p style="opacity:0.5">Text</p>'),
        (faint_texts, '<div style="background-color:#333333"><p>Text</p></div>'),
        (faint_texts, '<p style="font-size:24px;color:#999999">Text</p>'),
        (crowded_links, '<div style="font-size:14px"><a href="#">One</a><br><a href="#">Two</a></div>'),
        (wide_parts, '<div style="width:900px">Text</div>'),
    ],
)
def test_a_measure_notices(measure: Callable[[Chromium], list[str]], broken: str, viewer: Viewer) -> None:
    assert measure(viewer.show(f"<!DOCTYPE html>{FINE}")) == []
    assert measure(viewer.show(f"<!DOCTYPE html>{FINE}{broken}"))


def test_what_is_not_seen_is_not_measured(viewer: Viewer) -> None:
    hidden = '<div style="display:none;font-size:1px;color:#ffffff">Text</div>'
    assert small_texts(viewer.show(f"<!DOCTYPE html>{hidden}")) == faint_texts(viewer.browser) == []


def test_the_dark_is_dark(viewer: Viewer) -> None:
    html = "<!DOCTYPE html><style>@media (prefers-color-scheme: dark) { body { color: red } }</style><p>Text</p>"
    light, dark = styles(viewer.show(html)), styles(viewer.show(html, dark=True))
    assert any("rgb(255, 0, 0)" in told for told in differences(light, dark))
    assert differences(light, styles(viewer.show(html))) == []
