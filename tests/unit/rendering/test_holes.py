"""Where a hole ends up decides how its value is escaped; where no value is safe, there is no letter."""

from __future__ import annotations

import pytest

from newsletter.content.issue import Span
from newsletter.pieces import Slot
from newsletter.rendering.holes import Marker, Misplaced, cut_html, cut_text

WORD = "0123456789abcdef"
CONSTANTS = {"archive_url": "https://example.org/?a=1&b=2"}


def cut(html: str) -> list[tuple[str, str]]:
    """The slots of *html*, as (expression, encoder)."""
    marker = Marker(WORD, custom_fields=["city"])
    marked = marker.mark(html, Span("a.md", 1))
    assert marker.problems == []
    return [
        (part.value, part.encoder) for part in cut_html(marked, marker.holes(CONSTANTS)).parts if isinstance(part, Slot)
    ]


@pytest.mark.parametrize(
    ("html", "encoder"),
    [
        ("<p>Dear {{ first_name }}</p>", "html"),
        ("{{ first_name }}", "html"),
        ("<p title='{{ first_name }}'>x</p>", "html"),
        ('<img alt="a {{ first_name }} b">', "html"),
        ("<title>{{ first_name }}</title>", "html"),
        ('<a href="https://example.org/?n={{ first_name }}">x</a>', "url"),
        ('<a href="mailto:?subject={{ first_name }}">x</a>', "url"),
        ('<a title="a > b" href="https://example.org/{{ first_name }}">x</a>', "url"),
        ('<!--[if mso]><a href="https://example.org/{{ first_name }}"><![endif]-->', "url"),
        ("<!--[if mso]>{{ first_name }}<![endif]-->", "html"),
        ("<!--[if !mso]><!-->{{ first_name }}<!--<![endif]-->", "html"),
        ("<!-- closed --><p>{{ first_name }}</p>", "html"),
    ],
)
def test_the_place_decides(html: str, encoder: str) -> None:
    assert cut(html) == [("first_name", encoder)]


def test_a_personal_address_of_ours_may_be_a_whole_address() -> None:
    assert cut('<a href="{{ unsubscribe_url }}">leave</a>') == [("unsubscribe_url", "href")]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="{{ city }}">x</a>',
        '<a href="https://example.org/?from={{ unsubscribe_url }}">x</a>',
        '<a href="{{ first_name }}://x">x</a>',
        "<p {{ first_name }}>x</p>",
        "<p class={{ first_name }}>x</p>",
        "<!-- {{ first_name }} -->",
        "<style>p { color: {{ first_name }} }</style>",
        "<script>{{ first_name }}</script>",
        '<a href="https://{{ city }}.example.org/">x</a>',
        '<a href="https://example.org{{ city }}">x</a>',
        '<img src="https://example.org/{{ city }}.png">',
        '<td background="https://example.org/{{ city }}.png">x</td>',
    ],
)
def test_where_no_value_is_safe_there_is_no_letter(html: str) -> None:
    with pytest.raises(Misplaced):
        cut(html)


@pytest.mark.parametrize(
    ("text", "encoder"),
    [
        ("Dear {{ city }}", "text"),
        ("https://example.org/{{ city }}", "url"),
        ("the page (https://example.org/?a={{ city }}&b=1)", "url"),
        ("write to mailto:?subject={{ city }}", "url"),
        ("https://example.org/ {{ city }}", "text"),
        ("{{ unsubscribe_url }}", "text"),
    ],
)
def test_an_address_in_the_text_is_the_one_in_the_html(text: str, encoder: str) -> None:
    marker = Marker(WORD, custom_fields=["city"])
    pieces = cut_text(marker.mark(text, Span("a.md", 1)), marker.holes(CONSTANTS))
    assert [part.encoder for part in pieces.parts if isinstance(part, Slot)] == [encoder]


def test_what_is_the_same_for_all_is_put_in_at_once_and_escaped() -> None:
    marker = Marker(WORD)
    marked = marker.mark('<a href="{{ archive_url }}">x</a>', Span("a.md", 1))
    pieces = cut_html(marked, marker.holes(CONSTANTS))
    assert pieces.fill({}) == b'<a href="https://example.org/?a=1&amp;b=2">x</a>'
    assert cut_text(marker.constant("archive_url"), marker.holes(CONSTANTS)).fill({}) == b"https://example.org/?a=1&b=2"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a\n{{ frist_name }}", 11, "no field 'frist_name'"),
        ("a\nb\n{{ ''.__class__ }}", 12, "uses attributes"),
        ("a {{ first_name", 10, "never closed"),
        ("a\n{% if x %}", 11, "no '{%' statements"),
    ],
)
def test_a_wrong_expression_is_a_problem_on_its_line(text: str, line: int, what: str) -> None:
    marker = Marker(WORD)
    marker.mark(text, Span("a.md", 10))
    found = [problem for problem in marker.problems if what in problem.what + problem.hint]
    assert [problem.at.line for problem in found] == [line], marker.problems
    assert all(problem.hint for problem in marker.problems)
