"""Every letter before axe-core, by day and in the dark, on a phone and on a desktop; item 24 of the forty."""

from __future__ import annotations

import pytest

from tests.browser.axe import OFF, objections, rules_asked
from tests.browser.viewer import Viewer, at_both_widths, each_letter, in_both_lights
from tests.samples import SAMPLES, Sample, page_of

pytestmark = pytest.mark.needs("chromium", "node")  # node, since npm installs axe-core

WANTED = {
    *("color-contrast", "image-alt", "link-name", "link-in-text-block", "document-title"),
    *("html-has-lang", "html-lang-valid", "valid-lang", "heading-order", "target-size"),
}


@each_letter
@at_both_widths
@in_both_lights
def test_axe_finds_nothing_to_object_to(letter: Sample, width: int, dark: bool, viewer: Viewer) -> None:
    assert objections(viewer.show(page_of(letter), width=width, dark=dark)) == []


def test_axe_is_asked_what_a_letter_must_hold(viewer: Viewer) -> None:
    asked = rules_asked(viewer.show(page_of(SAMPLES[0])))
    assert asked >= WANTED
    assert not asked & set(OFF)


MISTAKES = {
    "color-contrast": ("</h1>", '</h1><p style="color:#8f8f8f">Faint</p>'),
    "image-alt": ("</h1>", '</h1><img src="https://example.org/a.png" width="100">'),
    "link-name": ("</h1>", '</h1><p><a href="https://example.org/"></a></p>'),
    "link-in-text-block": (
        "</h1>",
        '</h1><p style="color:#000000">A<a href="#" style="color:#222222;text-decoration:none">link</a> like it.</p>',
    ),
    "document-title": ("<title>", "<title></title><title>"),
    "html-has-lang": ('<html lang="en"', "<html"),
    "html-lang-valid": ('<html lang="en"', '<html lang="zz-"'),
    "heading-order": ("</h1>", "</h1><h4>Three steps down</h4>"),
    "target-size": (
        "</h1>",
        '</h1><div style="font-size:14px;line-height:15px"><a href="#">One</a><br><a href="#">Two</a></div>',
    ),
    "aria-required-children": ("</h1>", '</h1><div role="list"><div role="button">No item</div></div>'),
}


@pytest.mark.parametrize("rule", MISTAKES)
def test_axe_notices(rule: str, viewer: Viewer) -> None:
    right, wrong = MISTAKES[rule]
    html = page_of(SAMPLES[0])
    assert right in html
    told = objections(viewer.show(html.replace(right, wrong, 1)))
    assert {text.partition(":")[0] for text in told} == {rule}


def test_axe_notices_what_is_faint_in_the_dark_only(viewer: Viewer) -> None:
    planted = (
        '<p class="planted">Dim</p><style>@media (prefers-color-scheme: dark) { .planted { color: #333333 } }</style>'
    )
    html = page_of(SAMPLES[0]).replace("</h1>", f"</h1>{planted}")
    assert objections(viewer.show(html)) == []
    (told,) = objections(viewer.show(html, dark=True))
    assert told.startswith('color-contrast: <p class="planted"')
