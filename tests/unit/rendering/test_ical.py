"""iCalendar by RFC 5545: what is escaped, where lines are folded, and what a day and a time look like."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.rendering.ical import Event, ical

STAMP = datetime(2026, 11, 23, tzinfo=UTC)


def lines(*events: Event, name: str = "Letters") -> list[str]:
    """The unfolded content lines; every physical line is looked at on the way."""
    text = ical(events, name=name, stamp=STAMP)
    assert text.endswith("\r\n")
    physical = text.removesuffix("\r\n").split("\r\n")
    assert all(len(line.encode()) <= 75 for line in physical)
    assert not any(re.search(r"[\r\n]", line) for line in physical)
    return "\r\n".join(physical).replace("\r\n ", "").split("\r\n")


def event(summary: str = "A day", **values: object) -> Event:
    return Event(**{"uid": "a", "begins": date(2026, 12, 3), "summary": summary, **values})  # type: ignore[arg-type]


def test_a_day_ends_before_the_next_and_a_month_after_its_last_day() -> None:
    assert "DTSTART;VALUE=DATE:20261203" in lines(event())
    assert "DTEND;VALUE=DATE:20261204" in lines(event())
    assert "DTEND;VALUE=DATE:20270101" in lines(event(last=date(2026, 12, 31)))


def test_a_letter_is_at_everybodys_own_eight_and_one_with_a_zone_at_an_instant() -> None:
    assert "DTSTART:20261130T080000" in lines(event(begins=datetime(2026, 11, 30, 8)))  # noqa: DTZ001 - floating
    assert "DTSTART:20261130T070000Z" in lines(event(begins=datetime(2026, 11, 30, 7, tzinfo=UTC)))


def test_what_every_calendar_and_event_needs_is_there_once() -> None:
    found = lines(event(uid="x/1", url="https://example.org"))
    for line in ("VERSION:2.0", "UID:x/1", "DTSTAMP:20261123T000000Z", "URL:https://example.org", "END:VCALENDAR"):
        assert found.count(line) == 1
    assert found[0] == "BEGIN:VCALENDAR"
    assert found[2].startswith("PRODID:")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a, b; c", "a\\, b\\; c"),
        ("back\\slash", "back\\\\slash"),
        ("two\r\nlines\nhere", "two\\nlines\\nhere"),
        ("bell\x07 and \x00nothing", "bell and nothing"),
        ("colon: stays", "colon: stays"),
    ],
)
def test_text_is_escaped(text: str, escaped: str) -> None:
    assert f"SUMMARY:{escaped}" in lines(event(text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
@settings(max_examples=200, deadline=None)
def test_whatever_it_says_it_can_be_read_back(text: str) -> None:
    (summary,) = (line.removeprefix("SUMMARY:") for line in lines(event(text)) if line.startswith("SUMMARY:"))
    back = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], summary)
    assert back == re.sub("[\x00-\x08\x0b-\x1f\x7f]", "", text.replace("\r\n", "\n"))


def test_a_long_line_is_folded_between_characters() -> None:
    text = ical([event("ä🌱" * 60)], name="n", stamp=STAMP)
    assert "\r\n " in text
    assert text.encode().decode() == text  # no piece begins within a character
    assert "SUMMARY:" + "ä🌱" * 60 in text.replace("\r\n ", "")
