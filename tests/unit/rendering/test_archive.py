"""The public page: what everybody may read, and nothing of anybody's own."""

from __future__ import annotations

import re
from dataclasses import replace

import html5lib
import pytest

from newsletter.rendering.archive import is_sealed, page_of, sealed
from newsletter.rendering.edition import Edition
from newsletter.rendering.holes import MARK
from newsletter.rendering.images import Picture
from newsletter.usecases.build import build, finished
from tests.unit.letters import HEAD, ISSUE_ID, built, desk, letter

PICTURE = Picture(file="issues/chair.png", data=b"a picture", kind="png", width=600, height=300)


def edition_of(body: str, *, head: str = HEAD, inline: bool = False) -> Edition:
    at = replace(desk(), picture_of=lambda _name: PICTURE, inline=inline)
    return finished(build(letter(body, head=head), path="issues/a.md", issue_id=ISSUE_ID, desk=at))[0]


def page(body: str, **options: str) -> str:
    return page_of(edition_of(body, **options)).decode()  # type: ignore[arg-type]


def words(html: str) -> str:
    """What is read on the page."""
    body = re.sub(r"<!--.*?-->|<style.*?</style>", "", html[html.index("<body") :], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


@pytest.fixture(scope="module")
def plain() -> str:
    return page("::: text\nDear {{ first_name | default('friend') }}{{ ', ' ~ name if name else '' }}: hello.\n:::\n")


def test_fallbacks_stand_where_names_would(plain: str) -> None:
    assert "Dear friend: hello." in words(plain)
    assert not MARK.search(plain)


def test_nobodys_links_are_on_it_nor_what_only_who_was_mailed_needs_to_know(plain: str) -> None:
    assert "Leave this letter" not in words(plain)
    assert "Change what you receive" not in words(plain)
    assert "You receive this letter" not in words(plain)
    assert "Read it on the web" not in words(plain)
    assert "/leave/" not in plain
    assert 'href=""' not in plain
    assert "1 Example Street" in words(plain)


def test_search_engines_are_asked_not_to_list_it_and_it_can_do_nothing(plain: str) -> None:
    head = html5lib.parse(plain, namespaceHTMLElements=False).find("head")
    metas = {meta.get("name") or meta.get("http-equiv"): meta.get("content") for meta in head.iter("meta")}
    assert metas["robots"] == "noindex"
    assert metas["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert metas["referrer"] == "no-referrer"
    assert plain.encode().index(b"charset=") < 1024  # browsers look no further for it


def test_it_is_html_without_a_parse_error(plain: str) -> None:
    html5lib.HTMLParser(strict=True).parse(plain)


def test_links_of_ones_own_keep_their_words_in_a_sentence_and_vanish_alone() -> None:
    html = page(
        "::: text\nYou may [leave *now*]({{ unsubscribe_url }}), [change]({{ preferences_url }}) "
        "or [share]({{ archive_url }}).\n\n[Leave alone]({{ unsubscribe_url }})\n\n"
        "[Stay](https://example.org/stay)\n\nOr type {{ unsubscribe_url }}\n:::\n"
    )
    assert "You may leave now , change or share." in words(html)
    assert "Leave alone" not in words(html)
    assert '<a href="https://example.org/stay"' in html


def test_blocks_for_some_are_left_out() -> None:
    html = page('::: text\nFor all.\n:::\n\n::: text {for="segment:workplace"}\nFor some.\n:::\n')
    assert "For all." in words(html)
    assert "For some." not in words(html)


@pytest.mark.parametrize("inline", [False, True])
def test_pictures_come_from_the_same_site_however_they_travel_by_mail(inline: bool) -> None:
    edition = edition_of("::: text\n![A chair](chair.png)\n:::\n", inline=inline)
    html = page_of(edition).decode()
    assert f'src="../../images/{edition.images[0].name}"' in html
    assert "cid:" not in html
    assert f"letters.example.org/images/{edition.images[0].name}" not in html


def test_values_are_escaped_as_in_the_letter() -> None:
    html = page("::: text\n{{ first_name | default('<b>&friend</b>') }}\n:::\n")
    assert "&lt;b&gt;&amp;friend&lt;/b&gt;" in html


def test_the_same_edition_is_the_same_page_and_another_is_another() -> None:
    first, second = edition_of("::: text\nOne.\n:::\n"), edition_of("::: text\nTwo.\n:::\n")
    assert page_of(first) == page_of(first)
    assert page_of(first) != page_of(second)


def test_a_page_says_that_we_wrote_it_and_whether_somebody_changed_it(plain: str) -> None:
    written = plain.encode()
    assert is_sealed(written)
    assert not is_sealed(written.replace(b"friend", b"fiend"))
    assert not is_sealed(written + b"\n")
    assert not is_sealed(b"<!DOCTYPE html>a page of somebody else")
    assert is_sealed(sealed(b"x\n"))


def test_a_theme_that_says_nothing_of_mail_only_still_shows_nobodys_links() -> None:
    theme = (desk().theme_files["page.html.j2"]).replace(" mail-only", "")
    edition = built("::: text\nx\n:::\n", theme={"page.html.j2": theme}).edition
    assert edition is not None
    html = page_of(edition).decode()
    assert "Leave this letter" not in words(html)
    assert "Read it on the web" not in words(html)
    assert 'href=""' not in html
