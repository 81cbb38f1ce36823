"""Remarks among editors: they stand anywhere, reach nobody, and move nothing."""

from __future__ import annotations

import time

import pytest

from newsletter.content.comments import comment, without_comments
from newsletter.content.issue import Problem
from tests.unit.letters import FIRST_BODY_LINE, built


def stripped(text: str) -> tuple[str, list[Problem]]:
    problems: list[Problem] = []
    return without_comments(text, path="a.md", first_line=10, problems=problems), problems


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\n<!-- b -->\nc", "a\n\nc"),
        ("a <!-- b --> c", "a  c"),
        ("<!--\nb\n\n::: text\n-->\nc", "\n\n\n\n\nc"),
        ("<!-- a --><!-- b -->c<!---->", "c"),
        ("a `<!-- b -->` c", "a `<!-- b -->` c"),
        ("``a ` <!-- b -->`` <!-- c -->d", "``a ` <!-- b -->`` d"),
        ("a ` <!-- b --> c", "a `  c"),
        ("```\n<!-- a -->\n```\n<!-- b -->", "```\n<!-- a -->\n```\n"),
        ("~~~html\n<!-- a -->\n~~~~\n", "~~~html\n<!-- a -->\n~~~~\n"),
        ("```\n<!-- never closed code is none -->\n", "```\n\n"),
        ("<!-- ```\n -->\n<!-- b -->\n```", "\n\n\n```"),
        ("a --> b", "a --> b"),
    ],
)
def test_a_comment_is_gone_and_every_line_stays_where_it_was(text: str, left: str) -> None:
    assert stripped(text) == (left, [])


def test_a_comment_that_is_never_closed_is_a_problem_on_its_line() -> None:
    text, problems = stripped("a\nb <!-- c\nd")
    assert text == "a\nb \n"
    assert [(each.at.line, each.what) for each in problems] == [(11, "a comment that is never closed")]


def test_what_a_comment_says_cannot_end_it() -> None:
    for lines in (["a --> b"], ["a", "b --> <!-- c -->", "d"]):
        assert stripped(comment(lines) + "left") == ("\n" * comment(lines).count("\n") + "left", [])


def test_no_reader_ever_sees_a_comment_and_check_finds_nothing_wrong() -> None:
    letter = built(
        "<!-- {{ nobody }} secret -->\n::: text <!-- secret -->\nBefore <!-- secret\nsecret --> after.\n"
        "<!-- secret -->\n:::\n\n<!--\n::: quote\nsecret\n:::\n-->\n"
    )
    assert letter.problems == ()
    assert letter.cut is not None
    for pieces in (letter.cut.variants[0].html, letter.cut.variants[0].text):
        filled = pieces.fill({"unsubscribe_url": "u", "preferences_url": "p"})
        assert b"secret" not in filled
        assert b"after." in filled
        assert b"-->" not in filled.replace(b"<![endif]-->", b"")


def test_problems_after_a_comment_stand_on_their_own_lines() -> None:
    letter = built("<!--\n\n-->\n::: qoute\n:::\n")
    assert [each.at.line for each in letter.problems] == [FIRST_BODY_LINE + 3]


@pytest.mark.parametrize("part", ["<!--", "`<!--", "```x\n", "` `` <!-- --> ", "<!-- -->\n~~~\n"])
def test_no_text_takes_long(part: str) -> None:
    text = "<!-- -->" + part * (200_000 // len(part))
    start = time.perf_counter()
    stripped(text)
    assert time.perf_counter() - start < 3
