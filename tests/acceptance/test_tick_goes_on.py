"""One thing that is broken keeps no other, and is told."""

from __future__ import annotations

import shutil

import pytest

from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace

DOCTORED = "2026-11-31-thanks"  # as people count who think that November has 31 days


@pytest.fixture
def ready(workplace: Workplace) -> Workplace:
    return workplace.ready(people="email,timezone\nreader1@example.org,Europe/Berlin\n")


def test_a_name_with_a_day_that_no_calendar_has_is_told_and_keeps_nobody_elses_letter(ready: Workplace) -> None:
    shutil.copy(ready.root / "issues" / f"{ISSUE}.md", ready.root / "issues" / f"{DOCTORED}.md")
    said = ready.run("tick", "--json", now=AFTER_ALL_ZONES)
    assert said.exit_code == 3
    assert said.data["sent"] == {ISSUE: 1}
    assert said.data["problems"] == [
        f"issues/{DOCTORED}.md: there is no such day as 2026-11-31 (name the file after the day it is sent on)"
    ]
    assert "next" in {each["what"] for each in ready.run("doctor", "--json", now=AFTER_ALL_ZONES).data}


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_days_at_the_ends_of_the_calendar_are_no_trouble(ready: Workplace, day: str) -> None:
    shutil.copy(ready.root / "issues" / f"{ISSUE}.md", ready.root / "issues" / f"{day}-far.md")
    assert ready.done("tick", "--json", now=AFTER_ALL_ZONES).data["sent"] == {ISSUE: 1}
    assert ready.run("doctor", "--json", now=AFTER_ALL_ZONES).data


def test_two_parts_of_one_name_keep_neither_letters_nor_other_series(ready: Workplace) -> None:
    series = ready.root / "issues" / "series"
    other = series / "other"
    other.mkdir()
    (other / "series.toml").write_text("since = 2026-11-23\n")
    for number in ("01", "02"):
        shutil.copy(next((series / "welcome").glob("01-*.md")), other / f"{number}-same.md")
    said = ready.run("tick", "--json", now=AFTER_ALL_ZONES)
    assert said.exit_code == 1
    assert said.data["sent"] == {ISSUE: 1}
    hint = "readers get a part once, by its name: call one of them otherwise"
    assert said.data["problems"] == [f"issues/series/other: two parts are called 'same' ({hint})"]
