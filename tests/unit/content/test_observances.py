"""The awareness calendar: when things are, and what is wrong with a file, line by line."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise

import pytest

from newsletter.content.dates import read_rule
from newsletter.content.movable import MOVABLE, movable_days
from newsletter.content.observances import Observance, in_week, occurring, read_calendar
from tests.unit.letters import ROOT

FILE = "templates/calendar.toml"


@pytest.fixture(scope="module")
def calendar() -> dict[str, Observance]:
    """The one that comes with the newsletter."""
    observances, problems = read_calendar((ROOT / FILE).read_text("utf-8"), path=FILE)
    assert problems == []
    return observances


@pytest.mark.parametrize(
    ("rule", "year", "spans"),
    [
        ("27 january", 2026, ["2026-01-27"]),
        ("27  January", 2026, ["2026-01-27"]),
        ("29 february", 2027, []),
        ("29 february", 2028, ["2028-02-29"]),
        ("third monday of january", 2027, ["2027-01-18"]),
        ("last monday of may", 2026, ["2026-05-25"]),
        ("fifth friday of february", 2027, []),
        ("february", 2028, ["2028-02-01 2028-02-29"]),
        ("15 september to 15 october", 2026, ["2026-09-15 2026-10-15"]),
        ("26 december to 1 january", 2026, ["2026-12-26 2027-01-01"]),
        ("passover for 8 days", 2026, ["2026-04-02 2026-04-09"]),
        ("ramadan to eid al-fitr", 2026, ["2026-02-18 2026-03-20"]),
        ("ramadan", 2030, ["2030-01-05", "2030-12-26"]),
        ("easter", 2027, ["2027-03-28"]),
    ],
)
def test_a_rule_in_plain_words_means_these_days(rule: str, year: int, spans: list[str]) -> None:
    found = [f"{first} {last}" if first != last else str(first) for first, last in read_rule(rule).spans(year)]
    assert found == spans


# As published: by the Umm al-Qura calendar, the Hebrew calendar, the Government of India, the Hong Kong
# Observatory, and the US Naval Observatory.
KNOWN = {
    "ramadan": ("2025-03-01", "2026-02-18", "2027-02-08"),
    "eid al-fitr": ("2025-03-30", "2026-03-20", "2027-03-09"),
    "eid al-adha": ("2025-06-06", "2026-05-27", "2027-05-16"),
    "passover": ("2025-04-13", "2026-04-02", "2027-04-22"),
    "rosh hashanah": ("2025-09-23", "2026-09-12", "2027-10-02"),
    "yom kippur": ("2025-10-02", "2026-09-21", "2027-10-11"),
    "hanukkah": ("2025-12-15", "2026-12-05", "2027-12-25"),
    "diwali": ("2025-10-20", "2026-11-08", "2027-10-29"),
    "lunar new year": ("2025-01-29", "2026-02-17", "2027-02-06"),
    "easter": ("2025-04-20", "2026-04-05", "2027-03-28"),
    "orthodox easter": ("2025-04-20", "2026-04-12", "2027-05-02"),
}


@pytest.mark.parametrize("name", MOVABLE)
def test_movable_days_fall_where_they_are_known_to(name: str) -> None:
    assert tuple(str(day) for year in (2025, 2026, 2027) for day in movable_days(name, year)) == KNOWN[name]


@pytest.mark.parametrize("name", MOVABLE)
def test_movable_days_come_once_a_year_for_a_decade(name: str) -> None:
    days = [day for year in range(2025, 2036) for day in movable_days(name, year)]
    lengths = {(later - earlier).days for earlier, later in pairwise(days)}
    # A lunar year has 354 or 355 days; one that keeps with the sun has a month more or less, Easter up to five weeks.
    assert lengths <= ({354, 355} if name in ("ramadan", "eid al-fitr", "eid al-adha") else set(range(340, 400)))
    assert len(days) >= 10


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("30 february", "no day: 30 february"),
        ("0 may", "no day: 0 may"),
        ("thrid monday of may", "no count: 'thrid'; did you mean 'third'?"),
        ("third moonday of may", "did you mean 'monday'?"),
        ("3 mai", "no month: 'mai'"),
        ("eid", "no rule: 'eid'"),
        ("ramadam", "did you mean 'ramadan'?"),
        ("", "no rule"),
        ("easter for 900 days", "2 to 100 days, not 900"),
        ("1 may to", "no rule"),
        ("may to june", "no rule: 'may'"),
    ],
)
def test_a_rule_that_means_nothing_says_why(rule: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        read_rule(rule)


def test_a_span_whose_end_is_out_of_reach_is_none() -> None:
    assert read_rule("1 may to 30 april").spans(2026) == []


def test_our_calendar_has_what_allies_look_for(calendar: dict[str, Observance]) -> None:
    assert len(calendar) >= 35
    year = occurring(calendar.values(), date(2027, 1, 1), date(2027, 12, 31))
    first = {each.observance.id: each.first for each in year}
    assert calendar.keys() - first.keys() == set()  # each of them is in every year
    assert first["mlk-day"] == date(2027, 1, 18)
    assert first["indigenous-peoples-day"] == date(2027, 10, 11)
    assert first["roma-day"] == date(2027, 4, 8)
    assert first["accessibility-day"] == date(2027, 5, 20)
    assert {each.observance.id for each in year if each.is_season} >= {"pride-month", "ramadan", "aapi-heritage-month"}


def test_whoever_follows_the_moon_is_told_that_others_may_see_it_later(calendar: dict[str, Observance]) -> None:
    for name in ("ramadan", "eid-al-fitr", "eid-al-adha"):
        assert "a day earlier or later" in calendar[name].note
    for each in calendar.values():
        assert each.note or not any(word in each.rule.text for word in MOVABLE), each.id


def test_a_week_has_its_days_first_and_then_what_lasts(calendar: dict[str, Observance]) -> None:
    week = in_week(calendar.values(), date(2026, 11, 30))
    assert [each.observance.id for each in week] == [
        "aids-day", "disabilities-day", "native-american-heritage-month", "hanukkah",
    ]  # fmt: skip
    assert in_week(calendar.values(), date(2026, 12, 21)) == ()


def test_what_began_last_year_still_falls_into_a_week() -> None:
    observances, _ = read_calendar(entry(on='"26 december to 1 january"'), path="a.toml")
    (found,) = in_week(observances.values(), date(2027, 1, 1))
    assert found.first == date(2026, 12, 26)
    assert in_week(observances.values(), date(2027, 1, 1) + timedelta(days=1)) == ()


def entry(**values: str) -> str:
    usual = {"name": '"A day"', "on": '"1 may"', "region": '"UK"', "source": '"https://example.org"'} | values
    return "\n".join(["# ours", "[a-day]", *(f"{key} = {value}" for key, value in usual.items() if value)])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (entry(on='"1 mai"'), 4, "no month: 'mai'"),
        (entry(on="7"), 4, "'on' is not a text on one line"),
        (entry(name='" "'), 3, "'name' is not a text on one line"),
        (entry(source='"http://example.org"'), 6, "is no https:// address"),
        (entry(source=""), 2, "'a-day' has no 'source'"),
        (entry(tags='["Work!"]'), 7, "'tags' is not a list of names"),
        (entry(when='"1 may"'), 7, "unknown key 'when'"),
        (entry().replace("a-day", "A_Day"), 2, "'A_Day' is no name for an observance"),
        (f"stray = 1\n{entry()}", 1, "'stray' belongs to no observance"),
        (entry(on='"1 may'), 4, "this is no TOML"),
        (entry() + entry().removeprefix("# ours"), 7, "this is no TOML"),
    ],
)
def test_what_is_wrong_with_a_calendar_is_said_with_its_line(text: str, line: int, what: str) -> None:
    _, problems = read_calendar(text, path="a.toml")
    assert [(each.at.line, what in each.what, bool(each.hint)) for each in problems] == [(line, True, True)]


def test_all_that_is_wrong_is_said_at_once_and_the_rest_is_read() -> None:
    good = entry().replace("a-day", "good-day")
    observances, problems = read_calendar(f"{good}\n[bad]\nname = 1\n[worse]\non = 'x'\n", path="a.toml")
    assert list(observances) == ["good-day"]
    assert [each.at.line for each in problems] == [7, 7, 7, 8, 9, 9, 9, 10]
