"""Letters as they are seen: large enough, bright enough, no wider than a phone, and as they were written.

What is measured here is part of the forty items (tests/acceptance/must_hold.py, 24 to 27).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.browser.chromium import Chromium
from tests.browser.measures import crowded_links, differences, faint_texts, small_texts, styles, wide_parts
from tests.browser.viewer import PHONE, Viewer, at_both_widths, each_letter, in_both_lights
from tests.samples import READER, Sample, page_of

pytestmark = pytest.mark.needs("chromium")

UNBROKEN = "W" * 300


@each_letter
@at_both_widths
def test_no_text_is_too_small(letter: Sample, width: int, viewer: Viewer) -> None:
    assert small_texts(viewer.show(page_of(letter), width=width)) == []


@each_letter
@in_both_lights
def test_text_stands_out_from_what_is_behind_it(letter: Sample, dark: bool, viewer: Viewer) -> None:
    assert faint_texts(viewer.show(page_of(letter), dark=dark)) == []


@each_letter
def test_text_stands_out_where_outlook_on_the_web_darkens_it(letter: Sample, viewer: Viewer) -> None:
    darkened = page_of(letter).replace("<html ", '<html data-ogsc="" data-ogsb="" ', 1)
    assert faint_texts(viewer.show(darkened)) == []


@each_letter
@at_both_widths
def test_links_are_large_enough_to_hit(letter: Sample, width: int, viewer: Viewer) -> None:
    assert crowded_links(viewer.show(page_of(letter), width=width)) == []


@each_letter
@pytest.mark.parametrize("name", [READER, UNBROKEN], ids=["ordinary", "unbroken"])
def test_nothing_is_wider_than_a_phone(letter: Sample, name: str, viewer: Viewer) -> None:
    assert wide_parts(viewer.show(page_of(letter, name=name), width=PHONE)) == []


@each_letter
@at_both_widths
@in_both_lights
def test_inlining_changes_nothing(letter: Sample, width: int, dark: bool, viewer: Viewer) -> None:
    inlined = styles(viewer.show(page_of(letter), width=width, dark=dark))
    written = styles(viewer.show(page_of(letter, finish=str), width=width, dark=dark))
    assert differences(inlined, written) == []


@each_letter
def test_a_desktop_needs_no_style_sheet(letter: Sample, viewer: Viewer) -> None:
    html = page_of(letter)
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
