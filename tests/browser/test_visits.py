"""The public pages as they are seen and used: in all lights and widths, with a keyboard, and without scripts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from newsletter.audience.subscriber import State
from newsletter.web.public import public_pages
from newsletter.web.public_serving import listen, serve
from tests.browser.axe import OFF, objections, rules_asked
from tests.browser.chromium import Chromium
from tests.browser.measures import crowded_links, faint_texts, small_texts, wide_parts
from tests.visitors import House, found

pytestmark = pytest.mark.needs("chromium", "node")

PHONE, DESK = 375, 1280
LOADED = "Page.loadEventFired"
# What a finger has to hit: 44 pixels high, unless it stands in a sentence.
SMALL_TARGETS = """() => [...document.querySelectorAll('button, input, select, .choice, a.tap')]
  .filter(each => each.checkVisibility() && !each.closest('.aside') && !each.closest('.choice, label') ||
    each.matches('.choice'))
  .filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML.slice(0, 80))"""
FOCUSED = "() => document.activeElement.name || document.activeElement.textContent.trim()"


_readers = count(1)


class Open:
    """The pages of a newsletter, served to the browser of this machine."""

    def __init__(self, house: House, site: str) -> None:
        self.house, self.site = house, site
        ada = house.person(first_name="Ada", name="Ada Example", zone="Europe/Berlin", tags=frozenset({"listening"}))
        bo = house.person("bo@example.org", state=State.PENDING)
        own = house.own_page(ada)
        leave = f"/leave/{ada.leave_token}"
        self.pages = {
            "form": "/subscribe",
            "confirm": house.confirm_link(bo),
            "leave": leave,
            "who": house.preferences_link(ada),
            "lost": "/lost",
            "me": own,
            "erase": f"{own}/erase",
            "nowhere": "/nowhere",
        }
        # A page, and what is done on it.
        press = "document.querySelector('main button').click()"
        wrong = "document.querySelector('#address').value = 'ada@'; document.querySelector('form').noValidate = true;"
        self.acts = {
            "mailbox": ("form", "document.querySelector('#address').value = 'x@example.org';" + press),
            "wrong": ("form", wrong + press),
            "confirmed": ("confirm", press),
            "kept": ("me", press),
            "rested": ("leave", "document.querySelector('.quiet').click()"),
            "left": ("leave", press),
        }

    def show(self, browser: Chromium, name: str, *, width: int = DESK, dark: bool = False) -> Chromium:
        """The page called *name*, or what an act leads to."""
        page, act = self.acts.get(name, (name, ""))
        path = self.pages[page]
        if act and page == "leave":  # nobody leaves twice
            path = f"/leave/{self.house.person(f'reader{next(_readers)}@example.org').leave_token}"
        browser.show(self.site + path, width=width, dark=dark)
        if act:
            do(browser, act)
        return browser


def do(browser: Chromium, act: str) -> None:
    """Do something that leads to another page."""
    browser.run(f"() => {{ {act} }}")
    browser._wait(lambda message: message.get("method") == LOADED)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The pages in English."""
    yield from opened(tmp_path_factory, "en")


@pytest.fixture(scope="module", params=["de", "ar"])
def translated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The pages in a language with long words, and in one that is written from the right."""
    yield from opened(tmp_path_factory, request.param)


def opened(tmp_path_factory: pytest.TempPathFactory, language: str) -> Iterator[Open]:
    listening = listen("127.0.0.1", 0)
    site = f"http://127.0.0.1:{listening.getsockname()[1]}"
    newsletter = found(tmp_path_factory.mktemp("visits") / "letters", site=site, language=language)
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(public_pages(newsletter), listening, stop))
    thread.start()
    try:
        yield Open(House(newsletter=newsletter, client=None), site)  # type: ignore[arg-type]
    finally:
        stop.set()
        thread.join()
        newsletter.database.close()


ALL = ("form", "confirm", "leave", "who", "lost", "me", "erase", "nowhere")
ACTS = ("mailbox", "wrong", "kept", "rested", "confirmed", "left")


def wrong_with(browser: Chromium) -> list[str]:
    """What somebody would stumble over on the page that is shown."""
    found = [*objections(browser), *small_texts(browser), *faint_texts(browser), *crowded_links(browser)]
    return [*found, *wide_parts(browser), *browser.run(SMALL_TARGETS)]


@pytest.mark.parametrize("name", [*ALL, *ACTS])
@pytest.mark.parametrize(("width", "dark"), [(PHONE, False), (DESK, True)], ids=["phone", "desk-dark"])
def test_everybody_can_read_and_use_it(pages: Open, name: str, width: int, dark: bool, browser: Chromium) -> None:
    assert wrong_with(pages.show(browser, name, width=width, dark=dark)) == []


@pytest.mark.parametrize("name", ["form", "me", "left"])
@pytest.mark.parametrize(("width", "dark"), [(PHONE, True), (DESK, False)], ids=["phone-dark", "desk"])
def test_in_the_other_light_too(pages: Open, name: str, width: int, dark: bool, browser: Chromium) -> None:
    assert wrong_with(pages.show(browser, name, width=width, dark=dark)) == []


@pytest.mark.parametrize("name", ["form", "me", "left"])
def test_in_other_languages_too(translated: Open, name: str, browser: Chromium) -> None:
    assert wrong_with(translated.show(browser, name, width=PHONE)) == []


def test_axe_is_asked_what_a_form_must_hold(pages: Open, browser: Chromium) -> None:
    pages.show(browser, "me")
    asked = rules_asked(browser)
    assert asked >= {"label", "select-name", "button-name", "autocomplete-valid", "target-size", "color-contrast"}
    assert not asked & set(OFF)


def test_the_form_is_filled_in_with_the_keyboard_alone(pages: Open, browser: Chromium) -> None:
    pages.show(browser, "form")
    reached = []
    for _ in range(7):
        press(browser, "Tab")
        reached.append(browser.run(FOCUSED))
    assert reached == ["address", "first_name", "interest", "interest", "interest", "zone", "Get the letter"]
    shown = browser.run("() => getComputedStyle(document.activeElement).outlineStyle")
    assert shown == "solid"


def test_a_choice_shows_where_the_keyboard_is(pages: Open, browser: Chromium) -> None:
    pages.show(browser, "form")
    for _ in range(3):
        press(browser, "Tab")
    assert browser.run("() => getComputedStyle(document.activeElement.parentElement).outlineStyle") == "solid"
    press(browser, " ")
    assert browser.run("() => document.activeElement.checked") is True


def press(browser: Chromium, key: str) -> None:
    code = {"Tab": 9, " ": 32}[key]
    for kind in ("keyDown", "keyUp"):
        text = {"text": key} if key == " " and kind == "keyDown" else {}
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)


def test_a_mistake_is_where_the_cursor_is(pages: Open, browser: Chromium) -> None:
    pages.show(browser, "wrong")
    assert browser.run("() => document.activeElement.value") == "ada@"
    told = (
        "() => document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ')[0]).innerText"
    )
    assert "This cannot be an e-mail address" in browser.run(told)


def test_the_browsers_zone_is_proposed_and_not_on_ones_own_page(pages: Open, browser: Chromium) -> None:
    browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Calcutta")
    try:
        pages.show(browser, "form")
        assert browser.run("() => document.querySelector('#zone').value") == "Asia/Calcutta"
        pages.show(browser, "me")
        assert browser.run("() => document.querySelector('#zone').value") == "Europe/Berlin"
    finally:
        browser.call("Emulation.setTimezoneOverride", timezoneId="")


def test_all_of_it_works_without_scripts(pages: Open, browser: Chromium) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        pages.show(browser, "form")
        before = len(pages.house.wishes())
        do(
            browser,
            "document.querySelector('#address').value = 'x@example.org'; document.querySelector('form').submit()",
        )
        assert "Look into your mailbox" in browser.run("() => document.body.innerText")
        assert len(pages.house.wishes()) == before + 1
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_the_policy_lets_our_styles_in_and_no_script_of_others(pages: Open, browser: Chromium) -> None:
    pages.show(browser, "form")
    assert (
        browser.run("() => getComputedStyle(document.querySelector('.masthead')).backgroundColor") == "rgb(74, 44, 143)"
    )
    written = "const script = document.createElement('script'); script.textContent = 'document.title = `run`'"
    browser.run(f"() => {{ {written}; document.body.append(script) }}")
    assert browser.run("() => document.title") != "run"
