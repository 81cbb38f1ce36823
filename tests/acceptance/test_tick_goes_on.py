"""One thing that is broken keeps no other, and is told."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta

import pytest

from newsletter.app.newsletter import Newsletter
from newsletter.app.ticking import Ticking
from newsletter.settings.read import read_settings
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


def test_a_letter_that_no_tick_came_for_is_told_for_a_week(ready: Workplace) -> None:
    """No tick from Sunday to Thursday: nobody gets Monday's letter any more, and somebody has to know."""
    for now, told in (
        ("2026-11-26T05:41:00+00:00", 1),
        ("2026-12-01T05:41:00+00:00", 1),
        ("2026-12-04T05:41:00+00:00", 0),
    ):
        said = ready.run("tick", "--json", now=now)
        assert sum("its time is past for everyone" in each for each in said.data["problems"]) == told
    assert ready.outbox() == []


def test_a_letter_that_nobody_approved_is_not_told_for_ever(ready: Workplace) -> None:
    for path in (ready.root / "issues").glob("*.approval.toml"):
        path.unlink()
    assert ready.run("tick", "--json", now="2026-11-25T05:41:00+00:00").data["problems"]
    assert ready.done("tick", "--json", now="2026-11-26T05:41:00+00:00").data["problems"] == []


def test_an_approved_letter_that_nobody_would_get_is_told(ready: Workplace) -> None:
    listed = ready.root / "gone.csv"
    listed.write_text("email,status\nreader1@example.org,unsubscribed\n")
    ready.done("subscribers", "import", str(listed), "--evidence", "asked to")
    said = ready.run("tick", "--json", now=AFTER_ALL_ZONES)
    assert said.exit_code == 3
    assert "nobody would get it" in said.data["problems"][0]


def test_a_rehearsal_plans_nothing_before_its_time_and_tells_what_is_in_the_way(ready: Workplace) -> None:
    assert ready.done("tick", "--dry-run", "--json", now="2026-11-22T12:00:00+00:00").data["planned"] == {}
    shutil.copy(ready.root / "issues" / f"{ISSUE}.md", ready.root / "issues" / f"{DOCTORED}.md")
    said = ready.run("tick", "--dry-run", "--json", now=AFTER_ALL_ZONES)
    assert said.data["planned"] == {ISSUE: 1}
    assert len(said.data["problems"]) == 1
    assert said.exit_code == 3


def test_what_is_paused_is_neither_due_nor_next(ready: Workplace) -> None:
    (ready.root / "more.csv").write_text("email,timezone\nreader2@example.org,America/Chicago\n")
    ready.done("subscribers", "import", str(ready.root / "more.csv"), "--evidence", "invented for a test")
    ready.done("tick", now="2026-11-23T07:01:00+00:00")
    ready.done("pause", ISSUE, "--why", "a typo")
    before = ready.done("tick", "--dry-run", "--json", now="2026-11-23T08:00:00+00:00").data
    after = ready.done("tick", "--dry-run", "--json", now=AFTER_ALL_ZONES).data
    assert (before["next_due_at"], after["sent"]) == (None, {})


def test_what_ends_one_tick_ends_no_daemon(ready: Workplace) -> None:
    asked = threading.Event()
    with Newsletter(read_settings(ready.root, {"NEWSLETTER_NOW": AFTER_ALL_ZONES})) as newsletter:
        ticking = Ticking(newsletter, tell=lambda _: None)
        did = ticking.tick(asked, limit=timedelta(microseconds=1))
        assert (did.stopped, did.sent, asked.is_set()) == (True, {}, False)
        assert ticking.tick(asked).sent == {ISSUE: 1}


def test_a_day_that_became_quiet_after_the_approval_is_quiet(ready: Workplace) -> None:
    settings = ready.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[schedule]", '[schedule]\nquiet = ["11-23"]'))
    said = ready.run("tick", "--json", now=AFTER_ALL_ZONES)
    assert said.exit_code == 3
    assert "2026-11-23 is a quiet day" in said.data["problems"][0]
    assert ready.outbox() == []
