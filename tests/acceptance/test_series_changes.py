"""What editors and clocks do to a series while people are in it: nobody is forgotten, and nobody is woken."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.acceptance.course import MONDAY, Course

HOUR = timedelta(hours=1)


def at(**later: float) -> str:
    return (MONDAY + timedelta(**later)).isoformat()


def tick(course: Course, now: str) -> dict[str, object]:
    """What one tick did, whatever came of it."""
    data: dict[str, object] = json.loads(course.run("tick", "--json", now=now).stdout)
    return data


def test_a_part_approved_in_the_evening_wakes_nobody_at_night(course: Course) -> None:
    """It is new in the evening: nobody's eight o'clock of before can have been meant."""
    course.write(1, "a", 0)
    course.join("berlin", "also")
    course.join("tokyo", zone="Asia/Tokyo")
    course.live(2)
    evening = MONDAY + timedelta(days=2, hours=9)  # 22:00 in Berlin, 06:00 in Tokyo
    course.now = evening.isoformat()
    course.write(2, "b", 1)
    for minutes in (5, 35, 65):
        assert tick(course, (evening + timedelta(minutes=minutes)).isoformat())["sent"] == {}
    got = course.live(2, start=evening + 3 * HOUR)
    assert got["berlin"] == got["also"] == [("24 12", "a"), ("26 12", "b")]
    assert got["tokyo"][1] == ("26 00", "b")


def test_a_draft_at_the_front_of_a_series_that_runs_holds_it_back_and_says_so(course: Course) -> None:
    course.write(1, "a", 0)
    course.join("one")
    course.live(1)
    (course.folder / "01-a.md").rename(course.folder / "02-a.md")
    draft = course.folder / "01-hello.md"
    draft.write_text((course.folder / "02-a.md").read_text())
    said = course.run("tick", "--json", now=at(days=1, hours=2))
    assert said.exit_code == 3
    assert "course/hello.approval.toml: nobody has approved this letter yet" in said.data["problems"][0]
    draft.unlink()
    assert course.live(1, start=MONDAY + timedelta(days=1, hours=3))["one"] == [("24 15", "a")]


def test_an_approval_that_was_taken_back_and_given_anew_goes_out(course: Course) -> None:
    course.write(1, "a", 0, text="The first words.")
    course.join("one")
    course.live(2)
    approval = course.folder / "a.approval.toml"
    first, edition = approval.read_text(), (course.folder / "a.edition" / "edition.json").read_bytes()
    approval.unlink()
    course.write(1, "a", 0, text="Other words.")
    course.join("two", at=MONDAY + timedelta(days=2))
    assert tick(course, at(days=2, hours=20))["sent"] == {"course.a": 1}
    # Gone back to the first words, as by git revert: their approval has the first revision again.
    source = course.folder / "01-a.md"
    source.write_text(source.read_text().replace("Other words.", "The first words."))
    approval.write_text(first)
    (course.folder / "a.edition" / "edition.json").write_bytes(edition)
    course.join("three", at=MONDAY + timedelta(days=3))
    did = tick(course, at(days=3, hours=20))
    assert (did["problems"], did["sent"]) == ([], {"course.a": 1})
    words = {path.read_text().count("The first words.") for path in (course.root / "outbox" / "course.a").glob("*.eml")}
    assert words == {0, 2}  # of its HTML and its text


def test_a_part_that_was_cancelled_and_edited_holds_nobody_back(course: Course) -> None:
    course.write(1, "a", 0)
    course.write(2, "b", 1)
    course.join("one")
    course.live(2)
    course.done("cancel", "course.a", "--why", "no longer true", "--yes")
    course.write(1, "a", 0, text="Edited all the same.")
    course.join("two", at=MONDAY + timedelta(days=2))
    got = course.live(3, start=MONDAY + timedelta(days=2))
    assert got["two"] == [("27 12", "b")]


def test_a_part_waits_for_those_who_may_object(course: Course) -> None:
    settings = course.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[schedule]", "[schedule]\nveto_hours = 20"))
    course.join("one")
    course.now = at(hours=12)
    course.write(1, "a", 0)
    assert tick(course, at(hours=24))["sent"] == {}
    assert tick(course, at(hours=33))["sent"] == {"course.a": 1}


def test_a_tick_whose_clock_was_ahead_stops_no_series(course: Course) -> None:
    course.write(1, "a", 0)
    course.done("tick", now=at(days=400))
    course.join("one")
    assert course.live(2)["one"] == [("24 12", "a")]


def test_a_part_that_moves_to_another_place_stays_approved(course: Course) -> None:
    course.write(1, "a", 0)
    course.write(2, "b", 1)
    (course.folder / "02-b.md").rename(course.folder / "07-b.md")
    course.join("one")
    assert course.live(3)["one"] == [("24 12", "a"), ("25 12", "b")]
