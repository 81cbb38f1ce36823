"""The preview in a real browser: a save is seen in place, in every form, and nothing in a letter can act."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.workplace import ISSUE, Workplace
from tests.browser.chromium import Chromium
from tests.browser.measures import faint_texts, small_texts, wide_parts
from tests.preview import Preview

pytestmark = pytest.mark.needs("chromium")

DESK, PHONE = 1280, 375
SEEN_S = 20  # a machine with much else to do is slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    workplace = Workplace(tmp_path_factory.mktemp("preview") / "letters").ready()
    (workplace.root / "issues" / f"{ISSUE}.approval.toml").unlink()  # or every change would be a problem
    return workplace


@pytest.fixture(scope="module")
def preview(place: Workplace) -> Iterator[Preview]:
    with Preview(place.root, ISSUE) as running:
        yield running


@pytest.fixture
def letter(place: Workplace) -> Iterator[Path]:
    path = place.root / "issues" / f"{ISSUE}.md"
    before = path.read_text()
    yield path
    path.write_text(before)


class Desk:
    """The page as its editor has it before them."""

    def __init__(self, browser: Chromium, preview: Preview) -> None:
        self.browser = browser
        self.preview = preview

    def open(self, *, width: int = DESK, dark: bool = False) -> Desk:
        self.browser.show(self.preview.url, width=width, dark=dark)
        self.browser.run("() => sessionStorage.clear()")  # of the page before, which had the same address
        self.browser.show(self.preview.url, width=width, dark=dark)
        self.until(lambda: self.run("() => !!document.body.dataset.number"))
        self.until(lambda: self.text("desktop") != "")
        return self

    def run(self, script: str) -> Any:
        return self.browser.run(script)

    def until(self, seen: Callable[[], Any]) -> None:
        end = time.monotonic() + SEEN_S
        while not seen():
            assert time.monotonic() < end, "it was not seen"
            time.sleep(0.02)

    def key(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.browser.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    def inside(self, screen: str, script: str) -> Any:
        """The value of *script*, which may use `win` and `doc`, of the letter on one of the screens."""
        return self.run(
            f"() => {{ const win = document.querySelector('#{screen} iframe').contentWindow, doc = win.document;"
            f" return {script}; }}"
        )

    def text(self, screen: str) -> str:
        found: str = self.inside(screen, "doc.body.textContent.trim()")
        return found

    def shown(self, selector: str) -> Any:
        return self.run(
            f"() => {{ const found = document.querySelector({json.dumps(selector)});"
            " return found && found.checkVisibility() ? found.textContent.trim() : null; }"
        )


@pytest.fixture
def desk(browser: Chromium, preview: Preview) -> Desk:
    return Desk(browser, preview)


def save(letter: Path, old: str, new: str) -> None:
    text = letter.read_text()
    assert old in text
    letter.write_text(text.replace(old, new))


def test_a_save_is_seen_on_both_screens_where_the_eye_was(desk: Desk, letter: Path) -> None:
    desk.open()
    for screen in ("phone", "desktop"):
        desk.inside(screen, "win.scrollTo(0, 700)")
        assert desk.inside(screen, "win.scrollY") == 700
    save(letter, "A goal with a witness is harder to mislay.", "Seen at once.")
    for screen in ("phone", "desktop"):
        desk.until(lambda screen=screen: "Seen at once." in desk.text(screen))
        assert desk.inside(screen, "win.scrollY") == 700


def test_text_that_is_added_above_does_not_move_what_is_being_read(desk: Desk, letter: Path) -> None:
    desk.open()
    where = "[...doc.querySelectorAll('h2')].find(h => h.textContent === 'Five ways to begin again')"
    desk.inside("desktop", f"{where}.scrollIntoView()")
    desk.until(lambda: desk.inside("desktop", f"{where}.getBoundingClientRect().top") < 50)
    before = desk.inside("desktop", f"[{where}.getBoundingClientRect().top, win.scrollY]")
    save(letter, "Two of them I had done.", "Five hundred words. " * 40 + "\n\nTwo of them I had done.")
    desk.until(lambda: "Five hundred words." in desk.text("desktop"))
    after = desk.inside("desktop", f"[{where}.getBoundingClientRect().top, win.scrollY]")
    assert abs(after[0] - before[0]) < 2
    assert after[1] > before[1] + 100


def test_a_letter_looks_as_it_does_alone(desk: Desk) -> None:
    desk.open()
    for screen, width, title in (("phone", 375, "30px"), ("desktop", 800, "36px")):
        assert desk.inside(screen, "win.innerWidth") == width
        assert desk.inside(screen, "win.getComputedStyle(doc.querySelector('h1')).fontSize") == title
        assert desk.inside(screen, "doc.compatMode") == "CSS1Compat"
        assert desk.inside(screen, "doc.documentElement.lang") == "en"


@pytest.mark.parametrize("dark_outside", [False, True], ids=["light machine", "dark machine"])
def test_either_light_is_shown_whatever_the_machine_has(desk: Desk, *, dark_outside: bool) -> None:
    page = "win.getComputedStyle(doc.querySelector('.page')).backgroundColor"
    desk.open(dark=dark_outside)
    assert desk.inside("desktop", page) in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    desk.key("d")
    desk.until(lambda: desk.inside("desktop", page) == "rgb(20, 19, 31)")
    assert desk.run("() => document.querySelector('input[name=light][value=dark]').checked")
    desk.key("d")
    desk.until(lambda: desk.inside("desktop", page) != "rgb(20, 19, 31)")


def test_the_keys_choose_screens_and_forms(desk: Desk) -> None:
    desk.open()
    seen = "() => ['phone', 'desktop', 'plain'].filter(id => document.getElementById(id).checkVisibility()).join()"
    assert desk.run(seen) == "phone,desktop"
    for key, shown in (("1", "phone"), ("2", "desktop"), ("t", "plain"), ("t", "desktop"), ("3", "phone,desktop")):
        desk.key(key)
        assert desk.run(seen) == shown
    desk.key("t")
    assert "Dear Ada," in desk.shown("#plain")
    desk.key("m")
    assert desk.shown("#plain").startswith("Date: Fri, 20 Nov 2026")


def test_the_keys_work_while_the_letter_has_the_focus(desk: Desk) -> None:
    desk.open()
    desk.inside("desktop", "doc.querySelector('a').focus()")
    desk.key("1")
    desk.until(lambda: desk.shown("#desktop") is None)


def test_a_variant_and_the_next_one(desk: Desk) -> None:
    desk.open()
    assert "Promises on the wall" not in desk.text("desktop")
    desk.key("v")
    desk.until(lambda: "Promises on the wall" in desk.text("desktop"))
    assert desk.run("() => document.querySelector('#blocks input').checked")
    desk.key("v")
    desk.until(lambda: "Promises on the wall" not in desk.text("desktop"))


def test_a_problem_is_told_and_its_line_shown(desk: Desk, letter: Path) -> None:
    desk.open()
    assert desk.shown("#tally") == "Nothing is wrong."
    save(letter, "::: steps", "::: stpes")
    desk.until(lambda: desk.shown("#error-what") == "no block kind 'stpes'")
    assert desk.shown("#error-line") == "line 25"
    assert desk.shown("#state") == "Not the newest save"
    assert "Five ways to begin again" in desk.text("desktop")  # as it was
    assert desk.run("() => document.querySelector('#tally[aria-live=polite]').textContent") == "1 error"
    desk.run("() => document.querySelector('.jump').click()")
    assert desk.shown("#lines .here").startswith("::: stpes")
    box, line = desk.run("() => ['#lines', '.here'].map(e => document.querySelector(e).getBoundingClientRect().y)")
    assert box <= line <= box + 900
    save(letter, "::: stpes", "::: steps")
    desk.until(lambda: desk.shown("#error-what") is None)
    assert desk.shown("#tally") == "Nothing is wrong."


def test_somebody_on_the_list_is_found_and_seen(desk: Desk) -> None:
    desk.open()
    desk.run("() => document.querySelector('#find').click()")
    for letter in "zo":
        desk.key(letter)
    desk.until(lambda: "Zoë Example" in (desk.shown("#found") or ""))
    assert "z•••@example.org" in desk.shown("#found")
    zoe = "[...document.querySelectorAll('#found button')].find(each => each.textContent.startsWith('Zoë'))"
    desk.run(f"() => {zoe}.click()")
    desk.until(lambda: "Dear Zoë," in desk.text("desktop"))
    assert "Promises on the wall" in desk.text("desktop")
    assert desk.run("() => document.querySelector('#blocks input').disabled")
    assert "zoe@" not in desk.run("() => document.documentElement.outerHTML")
    asked = desk.run("() => performance.getEntriesByType('resource').map(each => each.name).join(' ')")
    assert "people" in asked
    assert "zo" not in asked.replace(desk.preview.home, "").lower()


def test_nothing_in_a_letter_runs(desk: Desk) -> None:
    desk.open()
    # A letter with a script is refused, so this one is put in: as an element, as an attribute, as an address.
    desk.inside("desktop", "doc.body.append(Object.assign(doc.createElement('script'), {text: `top.name = 'taken'`}))")
    desk.inside("desktop", "doc.body.setAttribute('onclick', `top.name = 'taken'`), doc.body.click()")
    link = "Object.assign(doc.createElement('a'), {href: `javascript:top.name = 'taken'`, target: '_self'})"
    desk.inside("desktop", f"doc.body.appendChild({link}).click()")
    time.sleep(0.2)
    assert desk.run("() => window.name") != "taken"


def test_a_link_does_not_take_the_letters_place(desk: Desk) -> None:
    desk.open()
    assert desk.inside("desktop", "doc.querySelector('base').target") == "_blank"
    assert desk.inside("desktop", "[...doc.links].every(link => !link.target || link.target === '_blank')")


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_itself_is_legible(desk: Desk, letter: Path, width: int, *, dark: bool) -> None:
    save(letter, "preheader: Five small moves from meaning well to doing well, and one promise", "preheader: A promise")
    desk.open(width=width, dark=dark)
    desk.run("() => document.querySelector('.jump').click()")
    desk.run("() => document.querySelector('#find').click()")
    assert small_texts(desk.browser) == []
    assert faint_texts(desk.browser) == []
    assert desk.run("() => document.documentElement.scrollWidth") == width
    assert wide_parts(desk.browser) == [] or width == DESK
    unnamed = """() => [...document.querySelectorAll('button, input, select, iframe')]
      .filter(each => each.checkVisibility())
      .filter(each => !(each.textContent.trim() || each.labels?.length || each.title || each.ariaLabel))
      .map(each => each.outerHTML)"""
    assert desk.run(unnamed) == []


def test_the_letters_to_choose_from_are_legible(desk: Desk, preview: Preview) -> None:
    for dark in (False, True):
        desk.browser.show(f"http://127.0.0.1:{preview.port}{preview.home}", width=PHONE, dark=dark)
        assert small_texts(desk.browser) == faint_texts(desk.browser) == []
        assert desk.run("() => document.documentElement.scrollWidth") == PHONE
