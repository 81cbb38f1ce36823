"""The block library: how a prepared block is read, and which of several a week gets."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from newsletter.content.choosing import Candidate, Week, candidate, choose
from newsletter.content.issue import Problem
from newsletter.content.observances import in_week, read_calendar
from newsletter.content.parse import parse
from newsletter.content.prepared import Prepared, read_prepared, taken_from
from tests.unit.letters import DEFAULTS, HEAD, ISSUE_ID

CALENDAR = """\
[big-day]
name = "The big day"
on = "3 december"
region = "everywhere"
source = "https://example.org/big"
tags = ["work"]
[long-month]
name = "The long month"
on = "december"
region = "everywhere"
source = "https://example.org/long"
"""
OBSERVANCES, _ = read_calendar(CALENDAR, path="calendar.toml")
MONDAY = date(2026, 11, 30)
WEEK = Week(day=MONDAY, occurrences=in_week(OBSERVANCES.values(), MONDAY))
LONG_AGO, LATELY = MONDAY - timedelta(weeks=30), MONDAY - timedelta(weeks=3)


def read(text: str, *, name: str = "a-block", kind: str = "text") -> tuple[Prepared | None, list[Problem]]:
    problems: list[Problem] = []
    path = f"issues/library/{kind}/{name}.md"
    return read_prepared(text, path=path, kind=kind, name=name, known=OBSERVANCES, problems=problems), problems


def block(name: str, **keys: str) -> Prepared:
    head = "".join(f"{key}: {value}\n" for key, value in keys.items())
    found, problems = read(f"---\n{head}---\n\n::: text\nWords.\n:::\n", name=name)
    assert found is not None, problems
    return found


# Reading


def test_a_prepared_block_is_read_with_all_it_says_about_itself() -> None:
    found, problems = read(
        "---\ntags: work, mental-health\nobservances: big-day\nmonths: November, december\n"
        "not_before: 2026-01-01\nnot_after: 2027-12-31\n---\n\n"
        '<!-- for whoever edits the library -->\n::: text {title="A" id=x}\nWords.\n:::\n\n'
    )  # fmt: skip
    assert problems == []
    assert found is not None
    assert found.tags == {"work", "mental-health"}
    assert found.observances == {"big-day"}
    assert found.months == {11, 12}
    assert (found.not_before, found.not_after) == (date(2026, 1, 1), date(2027, 12, 31))
    assert found.text == '::: text {title="A" id=x from="a-block"}\nWords.\n:::\n'


@pytest.mark.parametrize(
    ("fence", "with_provenance"),
    [
        ("::: text", '::: text {from="a-block"}'),
        (":::text  ", ':::text {from="a-block"}'),
        ("::: text {}", '::: text { from="a-block"}'),
        ('::: text {title="a { from b }"}', '::: text {title="a { from b }" from="a-block"}'),
        ("::: text {id=x} <!-- ours -->", '::: text {id=x from="a-block"}'),
        (":::: text", ':::: text {from="a-block"}'),
    ],
)
def test_where_a_block_comes_from_is_written_into_the_letter(fence: str, with_provenance: str) -> None:
    found, problems = read(f"{fence}\nWords.\n{fence[: fence.index('t')].strip()}\r\n")
    assert problems == []
    assert found is not None
    assert found.text.split("\n")[0] == with_provenance
    letter = HEAD + found.text
    issue, problems = parse(letter, path="a.md", issue_id=ISSUE_ID, defaults=DEFAULTS)
    assert problems == []
    assert issue.blocks[0].attributes["from"] == "a-block"
    assert taken_from(letter, path="a.md") == [("text", "a-block")]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("---\ntag: x\n---\n::: text\nW.\n:::\n", 2, "unknown key 'tag'"),
        ("---\ntags: Big Words\n---\n::: text\nW.\n:::\n", 2, "'big words' is no tag"),
        ("---\ntags: [a, b]\n---\n::: text\nW.\n:::\n", 2, "'tags' is not a plain text"),
        ("---\n\nobservances: big-dya\n---\n::: text\nW.\n:::\n", 3, "no observance is called 'big-dya'"),
        ("---\nmonths: 12\n---\n::: text\nW.\n:::\n", 2, "no month is called '12'"),
        ("---\nnot_after: soon\n---\n::: text\nW.\n:::\n", 2, "'not_after' is no day: 'soon'"),
        ("::: quote {by=x}\nW.\n:::\n", 0, "not one block of the kind 'text'"),
        ("::: text\nW.\n:::\n\n::: text\nW.\n:::\n", 0, "not one block of the kind 'text'"),
        ("\n", 0, "not one block of the kind 'text'"),
        ('::: text {from="b"}\nW.\n:::\n', 1, "a prepared block has no 'from'"),
        ("::: text\nW.\n", 1, "the block 'text' is never closed"),
        ("Words.\n", 1, "this text stands outside every block"),
    ],
)
def test_what_is_wrong_with_a_prepared_block_is_said_with_its_line(text: str, line: int, what: str) -> None:
    found, problems = read(text)
    assert found is None
    assert [(each.at.line, what in each.what, bool(each.hint)) for each in problems] == [(line, True, True)]


def test_a_folder_or_a_file_with_a_name_of_no_use_is_said() -> None:
    _, problems = read("::: text\nW.\n:::\n", kind="txet")
    assert "a folder for blocks of no kind: 'txet'" in problems[0].what
    assert "did you mean 'text'?" in problems[0].hint
    _, problems = read("::: text\nW.\n:::\n", name="My Block")
    assert "'My Block' is no name for a prepared block" in problems[0].what


# Choosing


def chosen(*blocks: Prepared, **used: date) -> str | None:
    """The name of the block that the week gets, where *used* says when each was used last."""
    uses = {("text", name): [day] for name, day in used.items()}
    best = choose(("text",), blocks, WEEK, uses).best
    return best.prepared.name if best else None


def test_what_was_written_for_the_week_goes_before_what_nobody_has_seen() -> None:
    big, new = block("big", observances="big-day"), block("anew")
    assert chosen(new, big) == "big"
    assert chosen(new, big, big=LONG_AGO) == "big"
    assert chosen(new, big, big=LATELY) == "anew"


def test_a_day_goes_before_a_month_unless_only_the_month_is_new() -> None:
    month, day = block("a-month", observances="long-month"), block("day", observances="big-day")
    assert chosen(month, day) == "day"
    assert chosen(month, day, day=LONG_AGO) == "a-month"
    assert chosen(month, day, day=LONG_AGO, **{"a-month": LONG_AGO}) == "day"


def test_a_shared_theme_decides_among_blocks_that_are_equally_new() -> None:
    shares, other = block("shares", tags="work, health"), block("other", tags="health")
    assert chosen(other, shares) == "shares"
    assert chosen(other, shares, shares=LONG_AGO) == "other"
    assert chosen(other, shares, shares=LONG_AGO, other=LONG_AGO - timedelta(weeks=9)) == "shares"


def test_then_the_longest_unused_then_the_first_by_name() -> None:
    a, b, c = block("a"), block("b"), block("c")
    assert chosen(c, b, a) == "a"
    assert chosen(a, b, c, a=LONG_AGO) == "b"
    assert chosen(a, b, a=LONG_AGO, b=LONG_AGO - timedelta(weeks=1)) == "b"
    assert chosen(a, b, a=LATELY, b=LONG_AGO) == "b"
    assert chosen(a, b, a=LATELY, b=LATELY - timedelta(weeks=1)) == "b"


def test_a_letter_that_is_there_for_a_later_week_counts_too() -> None:
    assert chosen(block("a"), block("b"), a=MONDAY + timedelta(weeks=1), b=LONG_AGO) == "b"


@pytest.mark.parametrize(
    ("keys", "may"),
    [
        ({"observances": "big-day"}, True),
        ({"months": "november"}, True),
        ({"months": "december, january"}, False),
        ({"not_before": "2026-11-30"}, True),
        ({"not_before": "2026-12-01"}, False),
        ({"not_after": "2026-11-30"}, True),
        ({"not_after": "2026-11-29"}, False),
        ({"observances": "big-day", "not_after": "2026-11-29"}, False),
    ],
)
def test_a_block_stands_in_no_week_that_it_is_not_for(keys: dict[str, str], may: bool) -> None:
    assert (candidate(block("a", **keys), WEEK, {}) is not None) is may


def test_a_block_for_an_observance_waits_for_it() -> None:
    june = Week(day=date(2027, 6, 7), occurrences=in_week(OBSERVANCES.values(), date(2027, 6, 7)))
    assert candidate(block("a", observances="big-day"), june, {}) is None


def test_a_block_is_not_taken_twice_and_the_next_best_are_named() -> None:
    blocks = [block(name) for name in "abcde"]
    choice = choose(("text",), blocks, WEEK, {}, taken=blocks[:1])
    assert [each.prepared.name for each in (choice.best, *choice.next_best) if each] == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("keys", "used", "why"),
    [
        ({"observances": "big-day"}, None, "written for The big day, not used yet"),
        ({"tags": "work"}, LONG_AGO, f"shares a theme with The big day, last used on {LONG_AGO}"),
        ({}, LATELY, f"used on {LATELY}, which is not long ago, but so were all others"),
    ],
)
def test_every_choice_says_why(keys: dict[str, str], used: date | None, why: str) -> None:
    found: Candidate | None = candidate(block("a", **keys), WEEK, {("text", "a"): [used]} if used else {})
    assert found is not None
    assert found.why == why
