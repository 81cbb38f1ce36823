"""A series, as people who join get it: part after part, whatever its editors move, edit or put in between."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta

import pytest

from tests.acceptance.course import MONDAY, PART, Course


def test_part_follows_part_so_many_days_after_joining(course: Course) -> None:
    for number, (name, after) in enumerate((("a", 0), ("b", 1), ("c", 3)), start=1):
        course.write(number, name, after)
    course.join("early")
    course.join("later", at=MONDAY + timedelta(days=1, hours=2), zone="Asia/Tokyo")
    got = course.live(7)
    # Berlin's eight o'clock is 07:00 UTC, and the tick after it at 12:00; Tokyo's is 23:00, and the tick at 00:00.
    assert got == {
        "early": [("24 12", "a"), ("25 12", "b"), ("27 12", "c")],
        "later": [("25 00", "a"), ("26 00", "b"), ("28 00", "c")],
    }
    assert course.done("status", "course.b", "--json").data[0]["candidates"] == 2


def test_who_joined_before_the_series_is_not_in_it_and_who_left_gets_no_more(course: Course) -> None:
    course.write(1, "a", 0)
    course.write(2, "b", 2)
    course.join("old", at=MONDAY - timedelta(days=3))
    course.join("stays", "leaves")
    course.live(2)
    listed = course.root / "gone.csv"
    listed.write_text("email,status\nleaves@example.org,unsubscribed\n")
    course.done(
        "subscribers", "import", str(listed), "--evidence", "asked to", now=(MONDAY + timedelta(days=1)).isoformat()
    )
    got = course.live(3, start=MONDAY + timedelta(days=2))
    assert got == {"stays": [("24 12", "a"), ("26 12", "b")], "leaves": [("24 12", "a")]}


def test_a_part_put_in_between_reaches_everybody_once_and_one_at_a_time(course: Course) -> None:
    course.write(1, "a", 0)
    course.write(2, "b", 1)
    course.join("first")
    course.live(3)
    course.join("second", at=MONDAY + timedelta(days=3))
    (course.folder / "02-b.md").rename(course.folder / "03-b.md")  # its approval and its readers stay its own
    course.write(2, "new", 1)
    course.write(3, "b", 3)
    got = course.live(9, start=MONDAY + timedelta(days=3))
    assert got["first"] == [("24 12", "a"), ("25 12", "b"), ("26 12", "new")]
    assert got["second"] == [("27 12", "a"), ("28 12", "new"), ("30 12", "b")]


def test_a_part_edited_later_is_new_for_those_to_come_only(course: Course) -> None:
    course.write(1, "a", 0, text="The first words.")
    course.join("one")
    course.live(2)
    course.write(1, "a", 0, text="Better words.")
    course.join("two", at=MONDAY + timedelta(days=2))
    course.live(3, start=MONDAY + timedelta(days=2))
    said = {}
    for path in (course.root / "outbox" / "course.a").glob("*.eml"):
        text = path.read_text()
        said[re.search(r"(?m)^To: (\w+)", text)[1]] = "Better" in text  # type: ignore[index]
    assert said == {"one": False, "two": True}
    stages = course.done("explain", "one@example.org", "course.a").stdout
    assert "revision 1" in stages


def test_an_edit_that_is_not_approved_holds_the_part_back_and_says_so(course: Course) -> None:
    course.write(1, "a", 0)
    course.write(2, "b", 1)
    path = course.folder / "01-a.md"
    approved = path.read_text()
    path.write_text(approved.replace("Good morning.", "Good evening."))
    course.join("one")
    said = course.run("tick", now=(MONDAY + timedelta(days=1)).isoformat())
    assert said.exit_code == 3
    assert "changed since it was approved" in said.stderr
    path.write_text(approved)
    assert course.live(3, start=MONDAY + timedelta(days=1))["one"][0] == ("24 12", "a")


def test_a_series_nobody_approved_is_a_draft_and_no_problem(course: Course) -> None:
    (course.folder / "01-a.md").write_text(PART.format(title="About a", after=0, text="Hello."))
    course.join("one")
    assert "Nothing is due" in course.done("tick", now=(MONDAY + timedelta(days=1)).isoformat()).stderr


def test_a_part_cannot_be_planned_by_hand_nor_be_called_like_another(course: Course) -> None:
    course.write(1, "a", 0)
    said = course.run("plan", "course.a", "--yes")
    assert said.exit_code == 3
    assert "newsletter tick plans it" in said.stderr
    shutil.copy(course.folder / "01-a.md", course.folder / "02-a.md")
    said = course.run("check")
    assert said.exit_code == 1
    assert "two parts are called 'a'" in said.stderr


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("", "'since' is missing"),
        ('since = "soon"', "is not a day"),
        ("since = 2026-11-23T08:00:00", "is not a day"),
        ("since = 0001-01-01", "is not a day"),
        ("since = 2026-11-23\ntime = 8", "is not a time"),
        ("since = 2026-11-23\nquiet = ['someday']", "is not a list of days"),
        ("since = 2026-11-23\nsend = 1", "unknown key 'send'"),
        ("since = ", "this is no TOML"),
    ],
)
def test_what_is_wrong_with_a_series_is_said(course: Course, line: str, what: str) -> None:
    course.write(1, "a", 0)
    (course.folder / "series.toml").write_text(line)
    said = course.run("check", "course.a")
    assert said.exit_code == 2
    assert what in said.stderr
    assert "issues/series/course/series.toml" in said.stderr
