"""Segments: rules by name, and mistakes that are told."""

from __future__ import annotations

import json

import pytest

from newsletter.audience.predicate import EVERYONE, All, Is, Paused, Suppressed
from newsletter.audience.segments import from_data, read_segments, to_data
from newsletter.errors import SettingsError


def test_rules_by_name():
    found = read_segments('workplace = { tags = "workplace" }\n[dach]\nlanguage = ["de", "gsw"]\ncountry = "DE"\n')
    assert found == {
        "everyone": EVERYONE,
        "workplace": All((Is("tags", ("workplace",)),)),
        "dach": All((Is("language", ("de", "gsw")), Is("attributes.country", ("DE",)))),
    }


def test_without_a_file_there_is_everyone():
    assert read_segments("") == {"everyone": EVERYONE}


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('x = { tag = "tea" }', "s.toml:1: x.tag", "did you mean 'tags'?"),
        ('x = { timezone = "Europe/Berlin" }', "s.toml:1: x.timezone", "did you mean 'zone'?"),
        ('x = { state = "active" }', "s.toml:1: x.state", "leave it out"),
        ('x = { tags = "Book Club" }', "s.toml:1: x.tags", "lower-case"),
        ("x = { tags = 3 }", "s.toml:1: x.tags", 'tags = "word"'),
        ("x = { tags = [] }", "s.toml:1: x.tags", 'tags = "word"'),
        ('x = { tags = ["a", 1] }', "s.toml:1: x.tags", 'tags = "word"'),
        ('x = { "Favourite Food" = "rice" }', "s.toml:1: x.Favourite Food", "underscores"),
        ('x = "tea"', "s.toml:1: x", "write: x = "),
        ("x = {}", "s.toml:1: x", "write: x = "),
        ('everyone = { tags = "tea" }', "s.toml:1: everyone", "another name"),
        ("x = ", "s.toml", "name = "),
    ],
)
def test_a_mistake_names_the_segment_the_key_and_the_way_out(text, place, hint):
    with pytest.raises(SettingsError) as caught:
        read_segments(text, path="s.toml")
    assert caught.value.at == place
    assert hint in caught.value.hint


@pytest.mark.parametrize("rule", [EVERYONE, Is("tags", ("a",)), All((Suppressed(), All((Paused(), Is("zone", ())))))])
def test_a_rule_is_written_down_and_read_back(rule):
    assert from_data(json.loads(json.dumps(to_data(rule)))) == rule


@pytest.mark.parametrize(
    "data", [None, {}, {"is": "tags"}, {"is": "tags", "values": [1]}, {"all": "x"}, {"suppressed": False}, []]
)
def test_what_is_no_rule_is_refused(data):
    with pytest.raises(ValueError, match="no rule"):
        from_data(data)
