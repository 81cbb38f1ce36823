"""The coming weeks, for people, for machines and for calendar programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.workplace import ISSUE, Workplace

NEXT = "2026-11-30-the-quiet-half-of-the-room"
THURSDAY = "2026-11-26T10:00:00+00:00"


@pytest.fixture
def started(workplace: Workplace) -> Workplace:
    """A new newsletter with two letters, on the last Thursday of November."""
    workplace.done("init", str(workplace.root))
    for letter in (workplace.root / "issues").glob("2026-12-*.md"):
        letter.unlink()
    workplace.now = THURSDAY
    return workplace


def standing(workplace: Workplace, *words: str, now: str | None = None) -> dict[str, str]:
    weeks = workplace.done("calendar", "--json", *words, now=now).data
    return {letter["issue"]: letter["stands"] for week in weeks for letter in week["letters"]}


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_weeks_have_letters_observances_and_gaps(started: Workplace) -> None:
    weeks = started.done("calendar", "--json").data
    assert [week["day"] for week in weeks][:3] == ["2026-11-23", "2026-11-30", "2026-12-07"]
    assert len(weeks) == 8
    assert [week["gap"] for week in weeks[:3]] == [False, False, True]
    found = {each["id"]: each for each in weeks[1]["observances"]}
    assert found.keys() == {"aids-day", "disabilities-day", "native-american-heritage-month", "hanukkah"}
    assert found["disabilities-day"]["prepared"] is True
    assert found["hanukkah"]["note"] == "It begins at sunset the evening before."


def test_the_table_says_it_in_words_and_what_to_do_first(started: Workplace) -> None:
    said = started.done("calendar", "--weeks", "4")
    shown = " ".join(said.stdout.split())
    assert "30 Nov The quiet half of the room ○ draft 1 Dec World AIDS Day" in shown
    assert "7 Dec no letter yet 10 Dec Human Rights Day" in shown
    assert "Native American Heritage Month US, until 30 Nov" in shown
    assert "* Hanukkah: It begins at sunset the evening before." in shown
    assert "2 weeks without a letter. Begin the first: newsletter assemble --date 2026-12-07" in said.stderr


def test_a_letter_stands_where_its_files_say(started: Workplace) -> None:
    path = started.root / "issues" / f"{NEXT}.md"
    assert standing(started)[NEXT] == "draft"
    started.done("approve", NEXT)
    assert standing(started)[NEXT] == "approved"
    rewrite(path, "Draw the table", "Sketch the table")
    assert standing(started)[NEXT] == "changed"
    (path.parent / f"{NEXT}.approval.toml").unlink()
    rewrite(path, "::: stats", "::: stast")
    assert standing(started)[NEXT] == "problems"
    rewrite(path, "send: 2026-11-30 08:00", "send: soon")
    week = started.done("calendar", "--json").data[1]
    assert week["letters"][0]["send"] == "2026-11-30"  # by its name, as nothing better is known


def test_a_letter_that_went_out_is_sent(workplace: Workplace) -> None:
    workplace.ready()
    assert standing(workplace, now=THURSDAY)[ISSUE] == "approved"
    workplace.done("plan", ISSUE, "--yes")
    assert standing(workplace)[ISSUE] == "planned"
    workplace.done("send", ISSUE, "--yes")
    assert standing(workplace)[ISSUE] == "sent"


def test_a_database_in_trouble_does_not_hide_the_weeks(started: Workplace) -> None:
    (started.root / "subscribers" / "newsletter.db").write_bytes(b"this is no database")
    assert standing(started)[NEXT] == "draft"


def test_a_quiet_week_is_no_gap(started: Workplace) -> None:
    rewrite(started.root / "newsletter.toml", "[schedule]", '[schedule]\nquiet = ["2026-12-07"]')
    week = started.done("calendar", "--json").data[2]
    assert (week["quiet"], week["gap"]) == (True, False)
    assert "7 Dec quiet" in " ".join(started.done("calendar").stdout.split())


def test_a_week_whose_day_is_over_is_no_gap(started: Workplace) -> None:
    (started.root / "issues" / f"{ISSUE}.md").unlink()
    weeks = started.done("calendar", "--json").data
    assert (weeks[0]["letters"], weeks[0]["gap"]) == ([], False)


def test_weeks_begin_on_the_day_of_letters(started: Workplace) -> None:
    rewrite(started.root / "newsletter.toml", "[schedule]", '[schedule]\nweekday = "friday"')
    assert [week["day"] for week in started.done("calendar", "--json").data][:2] == ["2026-11-20", "2026-11-27"]
    friday = started.done("calendar", "--json", now="2026-11-27T00:00:00+00:00").data
    assert friday[0]["day"] == "2026-11-27"


def test_an_observance_that_nothing_is_prepared_for_is_marked(started: Workplace) -> None:
    weeks = started.done("calendar", "--json", "--weeks", "12").data
    found = {each["id"]: each["prepared"] for week in weeks for each in week["observances"]}
    assert found["human-rights-day"] is True
    assert found["holocaust-remembrance-day"] is False
    assert "Holocaust Remembrance Day no block" in " ".join(started.done("calendar", "--weeks", "12").stdout.split())


def test_calendar_programs_get_stable_events(started: Workplace) -> None:
    first = started.done("calendar", "--ics", "--weeks", "10")
    assert first.stdout == started.done("calendar", "--ics", "--weeks", "10", now="2026-11-28T17:00:00+00:00").stdout
    assert "@" not in first.stdout
    text = first.stdout.replace("\n ", "")  # click's runner turns the ends of lines into its own
    uids = [line for line in text.split("\n") if line.startswith("UID:")]
    assert len(uids) == len(set(uids)) > 10
    assert f"UID:monday.letters.example.org/letters/{NEXT}" in uids
    assert "UID:monday.letters.example.org/observances/hanukkah/2026-12-05" in uids
    assert "DTSTART:20261130T080000\nSUMMARY:The quiet half of the room" in text
    assert "SUMMARY:Martin Luther King Jr. Day (US)" in text
    later = started.done("calendar", "--ics", now="2026-12-03T10:00:00+00:00").stdout.replace("\n ", "")
    assert "UID:monday.letters.example.org/observances/hanukkah/2026-12-05" in later


def test_the_lines_of_an_icalendar_end_as_the_standard_says(started: Workplace) -> None:
    command = (sys.executable, "-m", "newsletter", "--config", str(started.root), "calendar", "--ics")
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    assert printed.startswith(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert printed.count(b"\n") == printed.count(b"\r\n")
