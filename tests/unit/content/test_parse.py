"""Reading a letter: every problem at once, each on its line, each with what to do."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from newsletter.content.issue import Issue, Problem
from newsletter.content.library import KINDS
from newsletter.content.parse import MAX_BYTES, parse
from tests.unit.letters import DEFAULTS, FIRST_BODY_LINE, HEAD, ISSUE_ID, letter


def read(text: str, *, issue_id: str = ISSUE_ID) -> tuple[Issue, list[Problem]]:
    """The letter in *text*, with defaults that no test here cares about."""
    return parse(text, path="issues/a.md", issue_id=issue_id, defaults=DEFAULTS)


GOOD = """\
::: quote {by="Ada \\"The\\" Example" role='Organiser'}
Words.
:::

::: reflection {title="Dear {{ first_name | default("friend") }}" id=opening}
One paragraph.

~~~
::: not a fence, it is code
~~~
:::

:::: spread-the-word
text: Pass: it on.

More.
::::

::: keep-going {for="segment:workplace" url="https://example.org/talk"}
### A talk
:::
"""


def test_a_good_letter_is_read_whole() -> None:
    issue, problems = read(letter(GOOD))
    assert problems == []
    assert [block.kind for block in issue.blocks] == ["quote", "reflection", "spread-the-word", "keep-going"]
    quote, reflection, spread, talk = issue.blocks
    assert quote.attributes == {"by": 'Ada "The" Example', "role": "Organiser"}
    assert reflection.attributes == {"title": 'Dear {{ first_name | default("friend") }}', "id": "opening"}
    assert "::: not a fence" in reflection.body
    assert spread.fields == {"text": "Pass: it on."}
    assert spread.body.strip() == "More."
    assert talk.condition == "segment:workplace"
    assert quote.at.line == FIRST_BODY_LINE
    assert reflection.body_line == FIRST_BODY_LINE + 5
    assert str(issue.send.day) == "2026-11-23"
    assert issue.send.zone is None


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    plain, _ = read(letter(GOOD))
    other, problems = read("\ufeff" + letter(GOOD).replace("\n", "\r\n"))
    assert problems == []
    assert other == plain


CASES = {
    # name: (text, line, what is said, part of the hint)
    "empty file": ("", 1, "the file is empty", "newsletter new"),
    "no front matter": ("Hello.\n", 1, "there is no front matter", "'---'"),
    "front matter not closed": ("---\ntitle: A\n", 1, "never closed", "'---'"),
    "wrong YAML": ("---\ntitle: A\nsubject: 'unclosed\n---\n", 3, "is not YAML", "double quotes"),
    "braces without quotes": (
        HEAD.replace("One small thing for Monday", "{{ first_name }} hello"),
        3,
        "is not YAML",
        "double quotes",
    ),
    "a list instead of keys": ("---\n- a\n---\n", 2, "has no keys", "key: value"),
    "unknown key": (HEAD.replace("preheader:", "preheadr:"), 4, "unknown key 'preheadr'", "did you mean 'preheader'?"),
    "key twice": (HEAD.replace("---\ntitle", "---\ntitle: B\ntitle"), 3, "given twice", "keep one"),
    "missing subject": (
        HEAD.replace("subject: One small thing for Monday\n", ""),
        1,
        "'subject' is missing",
        "subject:",
    ),
    "no such day": (HEAD.replace("2026-11-23 08:00", "2026-02-30 08:00"), 5, "no such day", "2026-11-23"),
    "not a time": (HEAD.replace("2026-11-23 08:00", "next Monday"), 5, "not a day and a time", "2026-11-23"),
    "no such zone": (HEAD.replace("08:00", "08:00 Europe/Berlinn"), 5, "no time zone", "Europe/Berlin"),
    "no blocks": (HEAD, FIRST_BODY_LINE, "no blocks", "::: reflection"),
    "unclosed block": (letter("::: text\nhello\n"), FIRST_BODY_LINE, "never closed", "':::'"),
    "unclosed block before another": (
        letter("::: text\nhello\n\n::: text\nhi\n:::\n"),
        FIRST_BODY_LINE,
        "never closed",
        "':::'",
    ),
    "closing fence too many": (
        letter("::: text\nhello\n:::\n\n:::\n"),
        FIRST_BODY_LINE + 4,
        "closes nothing",
        "delete",
    ),
    "unknown kind": (
        letter("::: qoute\nhello\n:::\n"),
        FIRST_BODY_LINE,
        "no block kind 'qoute'",
        "did you mean 'quote'?",
    ),
    "unknown attribute": (
        letter('::: quote {by="A" roll="B"}\nhello\n:::\n'),
        FIRST_BODY_LINE,
        "no attribute 'roll'",
        "did you mean 'role'?",
    ),
    "attribute twice": (letter('::: quote {by="A" by="B"}\nhello\n:::\n'), FIRST_BODY_LINE, "given twice", "keep one"),
    "broken braces": (
        letter('::: quote {by="A\nhello\n:::\n'),
        FIRST_BODY_LINE,
        "cannot read the attributes",
        "on one line",
    ),
    "missing attribute": (letter("::: quote\nhello\n:::\n"), FIRST_BODY_LINE, "needs {by=", "words"),
    "missing field": (
        letter("::: spread-the-word\nhello\n:::\n"),
        FIRST_BODY_LINE,
        "needs a line 'text: …'",
        "passing on",
    ),
    "empty block": (letter("::: reflection\n\n:::\n"), FIRST_BODY_LINE, "is empty", "pause"),
    "text outside": (letter("Hello.\n\n::: text\nhi\n:::\n"), FIRST_BODY_LINE, "outside every block", "::: text"),
    "second action": (
        letter("::: action\na\n:::\n\n::: action\nb\n:::\n"),
        FIRST_BODY_LINE + 4,
        "a second 'action'",
        f"line {FIRST_BODY_LINE}",
    ),
    "same id": (
        letter("::: text {id=a}\na\n:::\n\n::: text {id=a}\nb\n:::\n"),
        FIRST_BODY_LINE + 4,
        "the id 'a' is taken",
        "differ",
    ),
    "strange condition": (letter('::: text {for="people"}\na\n:::\n'), FIRST_BODY_LINE, "names nobody", "segment:"),
    "five megabytes": (letter("::: text\n" + "x" * MAX_BYTES + "\n:::\n"), 0, "a letter may have", "pasted"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_on_its_line_with_what_to_do(name: str) -> None:
    text, line, what, hint = CASES[name]
    _, problems = read(text)
    found = [problem for problem in problems if what in problem.what]
    assert len(found) == 1, problems
    assert found[0].at.line == line
    assert hint in found[0].hint


def test_all_problems_come_at_once() -> None:
    text = HEAD.replace("preheader:", "preheadr:") + "::: qoute\nx\n:::\n\n::: quote {bye=A}\ny\n:::\n\nstray\n"
    _, problems = read(text)
    assert [problem.at.line for problem in sorted(problems, key=lambda problem: problem.at)] == [1, 4, 7, 11, 11, 15]
    assert all(problem.hint for problem in problems)


def test_a_blocks_unclosed_fence_does_not_hide_the_next_block() -> None:
    issue, _ = read(letter("::: text\nhello\n\n::: reflection\nhi\n:::\n"))
    assert [block.kind for block in issue.blocks] == ["text", "reflection"]


@pytest.mark.parametrize("name", ["letter", "2026-11-23", "2026-11-23-Upper", "2026-11-23-a_b", "../2026-11-23-a"])
def test_a_name_that_is_no_name_for_a_letter_is_a_problem(name: str) -> None:
    _, problems = read(letter(GOOD), issue_id=name)
    assert any("no name for a letter" in problem.what for problem in problems)


def test_a_letter_may_be_due_at_one_instant_for_all() -> None:
    issue, problems = read(letter(GOOD).replace("08:00", "17:30 Europe/Berlin"))
    assert problems == []
    assert (issue.send.zone, f"{issue.send.at:%H:%M}") == ("Europe/Berlin", "17:30")


def test_a_letter_in_arabic_reads_from_right_to_left() -> None:
    issue, _ = read(letter(GOOD).replace("title:", "language: ar\ntitle:"))
    assert (issue.language, issue.direction) == ("ar", "rtl")


def test_every_kind_says_what_it_is_for_and_needs_only_what_it_has() -> None:
    for kind in KINDS.values():
        assert kind.about.endswith("."), kind.name
        assert set(kind.required) <= {*kind.attributes, *kind.fields, "body"}, kind.name


def seconds(work: Callable[[], object]) -> float:
    """How long *work* takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


BOMBS = {
    "braces in an attribute": letter('::: quote {by="' + "{{}}" * 400 + "\nx\n:::\n"),
    "a fence of colons": letter(":" * 60_000 + " a b\n"),
    "aliases in keys": "---\n"
    "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)) + "? *a39\n: x\n---\n",
    "deep lists": "---\ntitle: " + "[" * 20_000 + "\n---\n",
    "many blocks": letter("::: text\nx\n:::\n\n" * 9_000),
    "open expressions": letter("::: text\n" + "{{" * 40_000 + "\n:::\n"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_made_to_take_long_takes_no_longer_than_others(name: str) -> None:
    """Not a benchmark: without its guard each of these takes minutes, or for ever."""
    problems: list[Problem] = []
    assert seconds(lambda: problems.extend(read(BOMBS[name])[1])) < 5
    if name != "open expressions":  # those are rendering's to find
        assert problems


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x85", "\u202e", "\u2028"])
def test_a_character_that_cannot_be_shown_is_a_problem_on_its_line(character: str) -> None:
    _, problems = read(letter(f"::: text\na\nb{character}c\n:::\n"))
    assert [problem.at.line for problem in problems if "cannot be shown" in problem.what] == [FIRST_BODY_LINE + 2]
    escaped = f'"a\\u{ord(character):04x}b"'
    _, problems = read(letter("::: text\nx\n:::\n", head=HEAD.replace("A letter", escaped, 1)))
    assert [problem.at.line for problem in problems if "cannot be shown" in problem.what] == [2]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("title:", "language: not a language\ntitle:", "is no language"),
        ("2026-11-23 08:00", "0003-11-23 08:00", "is none to send in"),
        ("2026-11-23 08:00", "0001-01-01 08:00", "is none to send in"),
        ("2026-11-23 08:00", "2026-11-30 08:00", "named 2026-11-23, but the letter is sent on 2026-11-30"),
    ],
)
def test_other_values_that_cannot_be_right(old: str, new: str, what: str) -> None:
    _, problems = read(letter("::: text\nx\n:::\n", head=HEAD.replace(old, new, 1)))
    assert [what in problem.what for problem in problems] == [True]
