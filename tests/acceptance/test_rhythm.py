"""What the doctor says of the days to come."""

from __future__ import annotations

import pytest

from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace

THURSDAY, SUNDAY, BERLIN, WEDNESDAY = (
    f"2026-11-{moment}+00:00" for moment in ("19T12:00:00", "22T12:00:00", "23T07:01:00", "25T12:00:00")
)


def found(workplace: Workplace, now: str) -> dict[str, tuple[str, str]]:
    said = workplace.run("doctor", "--json", now=now).data
    return {each["what"]: (each["level"], each["detail"]) for each in said if each["what"] in ("next", "last tick")}


@pytest.fixture
def founded(workplace: Workplace) -> Workplace:
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    return workplace


def test_a_letter_that_is_near_and_not_approved_is_a_warning(founded: Workplace) -> None:
    assert found(founded, THURSDAY)["next"] == ("ok", f"{ISSUE}, not approved yet")
    assert found(founded, SUNDAY)["next"] == ("warning", f"{ISSUE}, not approved yet")
    founded.done("approve", ISSUE)
    assert found(founded, SUNDAY)["next"] == ("ok", f"{ISSUE}, approved")


def test_without_letters_to_come_it_says_so(founded: Workplace) -> None:
    assert found(founded, "2027-01-01T12:00:00+00:00")["next"] == ("warning", "no letter is coming")


def test_the_last_tick_is_told_and_missed_where_one_was_needed(workplace: Workplace) -> None:
    workplace.ready()
    assert found(workplace, SUNDAY)["last tick"][0] == "warning"
    workplace.done("tick", now=BERLIN)
    level, told = found(workplace, BERLIN)["last tick"]
    assert level == "ok"
    assert told.startswith("Mon 23 Nov 2026 07:01 UTC: 33 planned, 24 sent")
    assert found(workplace, BERLIN)["next"] == ("ok", "a planned letter goes on at Mon 23 Nov 2026 08:00 UTC")
    assert found(workplace, WEDNESDAY)["last tick"][0] == "ok"  # nothing is due, so nobody is missed
    workplace.done("tick", now=AFTER_ALL_ZONES)
    assert found(workplace, "2026-11-29T12:00:00+00:00")["last tick"][0] == "warning"
