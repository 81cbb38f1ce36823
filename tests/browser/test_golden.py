"""Letters look as they did when somebody last looked at them: the pictures in tests/golden.

Every run leaves pictures at full size in build/screens, and beside one that differs what differs. Whoever changed
the looks on purpose takes the pictures anew, looks at them and commits them:

    ./nl test tests/browser/test_golden.py --update-golden
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from tests.browser.chromium import Chromium
from tests.browser.pictures import compare, read_shot, reference, save, side_by_side
from tests.browser.viewer import DESKTOP, PHONE, Viewer
from tests.samples import EVERY_KIND, ISSUES, THEME, Sample, page_of
from tests.unit.letters import ROOT, THEMES

pytestmark = pytest.mark.needs("chromium", "liberation")

GOLDEN = ROOT / "tests" / "golden"
SCREENS = ROOT / "build" / "screens"
# The letters that come with the newsletter; and each other theme by the letter that has a block of every kind.
SHOWN = (*(Sample(path) for path in ISSUES), *(Sample(EVERY_KIND, theme) for theme in THEMES if theme != THEME))
VIEWS = {
    f"{letter.name}-{width}-{'dark' if dark else 'light'}": (letter, width, dark)
    for letter in SHOWN
    for width in (PHONE, DESKTOP)
    for dark in (False, True)
}
RENEW = "; look at build/screens, and if it is meant: ./nl test tests/browser/test_golden.py --update-golden"


@pytest.mark.parametrize("view", VIEWS)
def test_a_letter_looks_as_it_did(view: str, viewer: Viewer, pytestconfig: pytest.Config) -> None:
    letter, width, dark = VIEWS[view]
    png = viewer.show(page_of(letter), width=width, dark=dark).picture()
    screen, kept, apart = SCREENS / f"{view}.png", GOLDEN / f"{view}.png", SCREENS / f"{view}-differs.png"
    SCREENS.mkdir(parents=True, exist_ok=True)
    screen.write_bytes(png)
    apart.unlink(missing_ok=True)
    now = read_shot(png)
    if pytestconfig.getoption("--update-golden"):
        if not kept.exists() or compare(Image.open(kept), now).what:
            save(reference(now), kept)
        return
    assert kept.exists(), f"there is no picture of {view} yet{RENEW}"
    golden = Image.open(kept)
    difference = compare(golden, now)
    if difference.what:
        save(side_by_side(golden, now, difference), apart)
    assert not difference.what, f"{difference.what}{RENEW}"


def test_every_picture_is_of_a_letter() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} <= set(VIEWS), "delete the others"


def test_the_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in GOLDEN.iterdir()}
    assert {name for name, size in sizes.items() if size > 150_000} == set()


LETTER = SHOWN[0]


def css(rule: str) -> Callable[[str], str]:
    return lambda html: html.replace("</head>", f"<style>{rule}</style></head>")


@pytest.fixture(scope="module")
def golden(browser: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Image.Image:
    """A letter as it would be kept."""
    file = tmp_path_factory.mktemp("golden") / "page.html"
    return reference(read_shot(Viewer(browser, file).show(page_of(LETTER)).picture()))


@pytest.mark.parametrize("scale", [2, 3])
def test_letters_drawn_by_another_hand_are_the_same_picture(scale: int, golden: Image.Image, viewer: Viewer) -> None:
    """A finer screen draws every glyph otherwise, as another version of the rasteriser does."""
    finer = read_shot(viewer.show(page_of(LETTER), scale=scale).picture(), scale=scale)
    assert finer != golden.convert("RGB")
    assert compare(golden, finer).what == ""


@pytest.mark.parametrize(
    "change",
    [
        css("p { position: relative; top: 3px }"),
        css("h2 { position: relative; left: 3px }"),
        css(".frame { position: relative; top: 3px }"),
        css(".foot-link { visibility: hidden }"),
        css(".ring { border-radius: 0 !important }"),
        css(".title { font-weight: 400 !important }"),
        css("p { line-height: 1.66 !important }"),
        css("body, .page, .content { background-color: #f0f0f0 !important }"),
        css("p { color: #555555 !important }"),
        lambda html: html.replace("notebook", "book"),
    ],
    ids=["down", "aside", "a box", "gone", "corners", "weight", "lines", "ground", "colour", "a word"],
)
def test_what_an_eye_would_see_is_seen(change: Callable[[str], str], golden: Image.Image, viewer: Viewer) -> None:
    html = page_of(LETTER)
    assert change(html) != html
    assert compare(golden, read_shot(viewer.show(change(html)).picture())).what


def test_what_differs_is_shown_in_red(golden: Image.Image) -> None:
    now = golden.convert("RGB")
    box = (100, 400, 140, 420)
    now.paste((20, 40, 60), box)
    sheet = side_by_side(golden, now, compare(golden, now))
    third = sheet.width * 2 // 3
    assert sheet.getpixel((third + 120, 410)) == (255, 0, 0)
    assert [sheet.getpixel((third + x, 410)) for x in (90, 150)] == [now.getpixel((x, 410)) for x in (90, 150)]
