"""Segments on the command line: rules in words, counts, samples, and mistakes."""

from __future__ import annotations

import re

import pytest

from newsletter.rendering.edition import edition_hash
from tests.acceptance.workplace import ISSUE, Workplace
from tests.leaks import leaks_in

RULES = """workplace = { tags = "workplace" }

[german]
language = "de"
not = { segment = "workplace" }
"""


@pytest.fixture
def listed(workplace: Workplace) -> Workplace:
    """A newsletter with the sample list."""
    workplace.ready()
    return workplace


def write_rules(workplace: Workplace, text: str) -> None:
    (workplace.root / "subscribers" / "segments.toml").write_text(text, encoding="utf-8")


def test_segments_are_counted_for_machines(listed: Workplace) -> None:
    write_rules(listed, RULES)
    everyone, workplace, german = listed.done("subscribers", "segments", "--count", "--json").data
    assert everyone == {"name": "everyone", "rule": "is on the list", "people": 37, "mailable": 33}
    assert workplace == {"name": "workplace", "rule": "is tagged workplace", "people": 10, "mailable": 10}
    assert german["rule"] == "has language de and not (is tagged workplace)"
    assert 0 < german["mailable"] <= german["people"] < 37


def test_rules_can_be_listed_without_a_list(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    found = workplace.done("subscribers", "segments", "--json").data
    assert found == [
        {"name": "everyone", "rule": "is on the list"},
        {"name": "workplace", "rule": "is tagged workplace"},
    ]
    assert "newsletter db upgrade" in workplace.run("subscribers", "segments", "--count").stderr


def test_a_sample_is_the_same_each_time_and_shows_no_address(listed: Workplace) -> None:
    words = ("subscribers", "segments", "workplace", "--sample", "3")
    said = listed.done(*words, "--json")
    (found,) = said.data
    assert len(found["sample"]) == 3
    assert all(each.keys() == {"address", "tags"} and each["tags"] == ["workplace"] for each in found["sample"])
    assert all(each["address"][1:] == "•••@example.org" for each in found["sample"])
    assert leaks_in(said.stdout) == []
    assert listed.done(*words, "--json").stdout == said.stdout
    shown = listed.done(*words).stdout
    assert leaks_in(shown) == []
    assert shown.count("•••@example.org") == 3


def test_a_mistake_names_its_line_and_the_way_out(listed: Workplace) -> None:
    write_rules(
        listed, '# groups\nworkplace = { tags = "workplace" }\nfar = { any = [\n  { zone = "Africa/Nairoby" },\n] }\n'
    )
    said = listed.run("subscribers", "segments")
    assert said.exit_code == 2
    assert "subscribers/segments.toml:4: far.any.zone: no time zone is called 'Africa/Nairoby'" in said.stderr
    assert "did you mean 'Africa/Nairobi'?" in said.stderr


def test_an_unknown_segment_gets_the_nearest_name(listed: Workplace) -> None:
    said = listed.run("subscribers", "segments", "worklpace")
    assert said.exit_code == 1
    assert "did you mean 'workplace'?" in said.stderr


def test_who_received_a_letter_is_a_segment(listed: Workplace) -> None:
    more = f'had = {{ received = "{ISSUE}@1" }}\nlater = {{ not = {{ received = "{ISSUE}" }} }}\n'
    write_rules(listed, f'workplace = {{ tags = "workplace" }}\n{more}')
    count = ("subscribers", "segments", "--count", "--json")
    assert [each["mailable"] for each in listed.done(*count).data] == [33, 10, 0, 33]
    listed.done("plan", ISSUE, "--yes")
    listed.done("send", ISSUE, "--yes")
    assert [each["mailable"] for each in listed.done(*count).data] == [33, 10, 33, 0]
    (had,) = listed.done("subscribers", "segments", "had", "--sample", "1", "--json").data
    assert had["sample"][0]["received"] == [f"{ISSUE}@1"]


LETTER = "2026-11-24-a-correction"


def correction(workplace: Workplace, audience: str, block: str = "::: takeaway") -> None:
    text = f"""---
title: A correction
subject: We had a date wrong on Monday
preheader: The talk is on Thursday, and not on Wednesday.
send: 2026-11-24 08:00
audience: {audience}
---

{block}
The talk is on Thursday.
:::
"""
    (workplace.root / "issues" / f"{LETTER}.md").write_text(text, encoding="utf-8")


def test_a_correction_goes_to_those_who_have_the_letter(listed: Workplace) -> None:
    listed.done("plan", ISSUE, "--yes")
    listed.done("send", ISSUE, "--yes", now="2026-11-23T08:30:00+00:00")  # not all of the world is due yet
    had = len(listed.outbox())
    assert 0 < had < 33
    correction(listed, f"received:{ISSUE}@1")
    listed.done("approve", LETTER)
    listed.done("plan", LETTER, "--yes", now="2026-11-23T08:40:00+00:00")
    listed.done("send", LETTER, "--yes", now="2026-11-24T20:00:00+00:00")
    assert len(listed.outbox(LETTER)) == had


@pytest.mark.parametrize(
    ("audience", "what", "hint"),
    [
        ("received:2026-11-23-renew-your-gaols", "no such letter", f"did you mean '{ISSUE}'?"),
        (f"received:{ISSUE}@one", "no segment", "known are: everyone, workplace"),
    ],
)
def test_a_correction_for_an_unknown_letter_is_a_problem(
    listed: Workplace, audience: str, what: str, hint: str
) -> None:
    correction(listed, audience)
    said = listed.run("check", LETTER)
    assert said.exit_code == 3
    assert f"{LETTER}.md:6: error: " in said.stdout
    assert what in said.stdout
    assert hint in said.stdout


def test_a_block_cannot_be_chosen_by_what_changes_meanwhile(listed: Workplace) -> None:
    write_rules(listed, f'had = {{ received = "{ISSUE}" }}\nnew = {{ joined = {{ after = 2026-11-01 }} }}\n')
    correction(listed, "everyone", '::: takeaway {for="segment:had"}')
    said = listed.run("check", LETTER)
    assert said.exit_code == 3
    assert f"{LETTER}.md:9: error: 'segment:had' asks what somebody received" in said.stdout
    correction(listed, "everyone", '::: takeaway {for="segment:new"}')
    assert "segment:new" not in listed.run("check", LETTER).stdout
    assert "The talk is on Thursday." in listed.done("render", LETTER, "--as", "ada@example.org", "--text").stdout


def test_an_edition_cannot_name_others_than_its_letter(listed: Workplace) -> None:
    correction(listed, f"received:{ISSUE}")
    listed.done("approve", LETTER)
    folder = listed.root / "issues"
    edition, approval = folder / f"{LETTER}.edition" / "edition.json", folder / f"{LETTER}.approval.toml"
    before = edition.read_bytes()
    forged = re.sub(rb'\{\s*"received": "[^"]*"\s*\}', b'{"all": []}', before)
    assert forged != before
    edition.write_bytes(forged)
    approval.write_text(approval.read_text().replace(edition_hash(before), edition_hash(forged)))
    said = listed.run("plan", LETTER, "--yes")
    assert said.exit_code == 3
    assert "the edition was not made from this letter" in said.stderr


def test_a_letter_that_is_misspelt_in_a_rule_is_told(listed: Workplace) -> None:
    write_rules(listed, 'again = { not = { received = "2026-11-23-renew-our-goals" } }\n')
    said = listed.run("subscribers", "segments", "--count", "--json")
    assert said.exit_code == 2
    assert "segments.toml:1: again.not.received: there is no letter" in said.stderr
    assert f"did you mean '{ISSUE}'?" in said.stderr
