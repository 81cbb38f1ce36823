"""The small parts of the preview: lights, masks, the places of errors, what files look like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from newsletter.app.faults import as_problem
from newsletter.app.readers import Faces, invented, masked
from newsletter.audience.subscriber import Subscriber
from newsletter.content.issue import Span
from newsletter.errors import NewsletterError, SettingsError
from newsletter.settings.values import editor_link
from newsletter.sources.watching import look_at
from newsletter.web.screen import for_screen

HEAD = "<html><head>{}</head><body></body></html>"


# Lights


@pytest.mark.parametrize(
    ("written", "in_light", "in_dark"),
    [
        ("@media (prefers-color-scheme: dark) {", "(max-width: -1px)", "(min-width: 0px)"),
        (
            "@media screen and (prefers-color-scheme:dark) and (max-width: 9px) {",
            "and (max-width: -1px) and",
            "and (min",
        ),
        ("@media ( Prefers-Color-Scheme : LIGHT ) {", "(min-width: 0px)", "(max-width: -1px)"),
        (":root { color-scheme: light dark; }", "color-scheme: light;", "color-scheme: dark;"),
        (":root { supported-color-schemes: dark light; }", "color-schemes: light;", "color-schemes: dark;"),
        (":root { color-scheme: light; }", "color-scheme: light;", "color-scheme: light;"),
    ],
)
def test_a_style_sheet_is_told_which_light_it_is(written: str, in_light: str, in_dark: str) -> None:
    page = HEAD.format(f"<style>{written}</style>")
    for shown, wanted in ((for_screen(page, dark=False), in_light), (for_screen(page, dark=True), in_dark)):
        assert wanted in shown
        assert "prefers-color-scheme" not in shown.lower()


def test_pictures_and_meta_elements_are_told_too_and_words_are_left_alone() -> None:
    page = HEAD.format(
        '<meta name="color-scheme" content="light dark"><meta content="light dark" name="supported-color-schemes">'
    ).replace(
        "<body>",
        '<body><source media="(prefers-color-scheme: dark)"><p>We say (prefers-color-scheme: dark), light dark.</p>',
    )
    shown = for_screen(page, dark=True)
    assert '<meta name="color-scheme" content="dark"><meta content="dark" name=' in shown
    assert 'media="(min-width: 0px)"' in shown
    assert "<p>We say (prefers-color-scheme: dark), light dark.</p>" in shown
    only = HEAD.format('<meta name="color-scheme" content="light">')
    assert 'content="light"' in for_screen(only, dark=True)


def test_links_open_elsewhere_and_nothing_else_is_added() -> None:
    page = HEAD.format("<title>T</title>")
    assert for_screen(page, dark=True) == page.replace("<head>", '<head><base target="_blank">')


# Readers


def test_an_address_shows_no_more_than_tells_people_apart() -> None:
    people = [
        ("Ada", "ada@example.org"),
        ("Bo", "bo@example.org"),
        ("Bo", "bo@example.net"),
        ("Cy", "cyan@example.org"),
        ("Cy", "cycle@example.org"),
        ("Di", "ann@example.org"),
        ("Di", "anna@example.org"),
        ("", "ann@example.org"),
    ]
    assert masked(people) == [
        "a•••@example.org",
        "b•••@example.org",
        "b•••@example.net",
        "cya•••@example.org",
        "cyc•••@example.org",
        "ann@example.org",
        "anna•••@example.org",
        "a•••@example.org",
    ]


def test_two_people_who_cannot_be_told_apart_are_an_end() -> None:
    assert masked([("A", "a@example.org"), ("A", "a@example.org")]) == ["a@example.org"] * 2


def test_a_person_keeps_the_key_and_it_says_nothing() -> None:
    faces = Faces()
    ada = Subscriber(id=1, address="ada@example.org", name="Ada Example")
    [first] = faces.know([ada])
    [again] = faces.know([ada])
    assert first.key == again.key
    assert "ada" not in first.key.lower()
    assert faces.find(first.key) == again
    assert faces.find("nobody") is None


def test_the_invented_have_every_field_or_none() -> None:
    usual, nobody, long, rtl = invented(["city"])
    assert usual.person.attributes == {"city": "[city]"}
    assert (nobody.person.name, nobody.person.first_name, nobody.person.attributes) == ("", "", {})
    assert len(long.person.first_name) == len(long.person.attributes["city"]) == 40
    assert all("\u0590" <= letter <= "\u05ff" for letter in rtl.person.first_name)


# The places of errors

TOML = '[newsletter]\nname = "N"\n\n[schedule]\nname = "x"\ntime = "08:00"\n'


@pytest.mark.parametrize(
    ("at", "message", "place", "what"),
    [
        ("issues/a.md:7", "bad", Span("issues/a.md", 7), "bad"),
        (
            "newsletter.toml",
            "not TOML (at line 3, column 4)",
            Span("newsletter.toml", 3),
            "not TOML (at line 3, column 4)",
        ),
        ("newsletter.toml [schedule] time", "bad", Span("newsletter.toml", 6), "[schedule] time: bad"),
        ("newsletter.toml [schedule] name", "bad", Span("newsletter.toml", 5), "[schedule] name: bad"),
        ("newsletter.toml [schedule]", "bad", Span("newsletter.toml", 4), "[schedule]: bad"),
        ("newsletter.toml [schedule] window", "bad", Span("newsletter.toml", 4), "[schedule] window: bad"),
        ("newsletter.toml [leave]", "bad", Span("newsletter.toml", 0), "[leave]: bad"),
        ("templates/letter", "bad", Span("templates/letter", 0), "bad"),
        ("", "bad", Span("newsletter", 0), "bad"),
    ],
)
def test_an_error_is_a_problem_with_a_line(at: str, message: str, place: Span, what: str) -> None:
    problem = as_problem(SettingsError(message, at=at, hint="mend it"), text_of=lambda _: TOML)
    assert (problem.at, problem.what, problem.hint) == (place, what, "mend it")


def test_a_bug_is_ours_and_quotes_nobody() -> None:
    try:
        raise KeyError("ada@example.org")  # noqa: TRY301
    except KeyError as err:
        problem = as_problem(err, text_of=lambda _: None)
    assert problem.what.startswith("a bug: KeyError in test_preview_parts.py:")
    assert "@" not in problem.what + problem.hint


def test_an_error_of_a_file_that_is_gone_has_no_line() -> None:
    problem = as_problem(NewsletterError("bad", at="newsletter.toml [schedule] time"), text_of=lambda _: None)
    assert problem.at == Span("newsletter.toml", 0)


# Settings and files


@pytest.mark.parametrize(
    "link", ["", "vscode://file/{path}:{line}", "idea://open?file={path}&line={line}", "txmt://open?url=file://{path}"]
)
def test_a_link_to_an_editor_is_taken(link: str) -> None:
    assert editor_link(link) == link


@pytest.mark.parametrize(
    "link",
    ["code {path}", "vscode://file/", "javascript:alert({path})", "https://example.org/{path}", "http://x/{path}", 3],
)
def test_what_leads_elsewhere_or_nowhere_is_refused(link: object) -> None:
    with pytest.raises(ValueError, match=r"a (link|text)"):
        editor_link(link)


def test_a_save_is_seen_from_outside(tmp_path: Path) -> None:
    names = ["a.md", "theme", "gone"]
    (tmp_path / "theme").mkdir()
    (tmp_path / "a.md").write_text("one")
    looks = [look_at(tmp_path, names)]

    def changed(by: object) -> None:
        looks.append(look_at(tmp_path, names))
        assert looks[-1] != looks[-2]

    assert looks[0]["gone"] is None
    changed((tmp_path / "a.md").write_text("more"))
    changed((tmp_path / "theme" / "base.css").write_text("x"))
    changed((tmp_path / "theme" / "base.css").unlink())
    changed((tmp_path / "gone").write_text("there"))
    before = (tmp_path / "a.md").stat()
    (tmp_path / "b.md").write_text("less")
    os.utime(tmp_path / "b.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    changed((tmp_path / "b.md").replace(tmp_path / "a.md"))
    assert look_at(tmp_path, names) == looks[-1]
