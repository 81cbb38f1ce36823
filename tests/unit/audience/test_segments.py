"""Segments: rules by name, and mistakes that are told."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.audience.in_words import in_words
from newsletter.audience.predicate import (
    EVERYONE,
    All,
    Any,
    Is,
    Joined,
    Not,
    Paused,
    Received,
    Suppressed,
    holds,
    leaves,
)
from newsletter.audience.segments import (
    DEEPEST,
    MOST_PARTS,
    from_data,
    read_segments,
    received_rule,
    to_data,
)
from newsletter.audience.subscriber import Subscriber
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


TEA = Is("tags", ("tea",))


@pytest.mark.parametrize(
    ("clause", "rule"),
    [
        ('any = [{ tags = "tea" }, { language = "de" }]', Any((All((TEA,)), All((Is("language", ("de",)),))))),
        ('all = [{ tags = "tea" }]', All((All((TEA,)),))),
        ('not = { tags = "tea" }', Not(All((TEA,)))),
        ('not = { not = { tags = "tea" } }', Not(All((Not(All((TEA,))),)))),
        ("joined = { after = 2026-11-01 }", Joined(after=date(2026, 11, 1))),
        (
            "joined = { after = 2026-11-01, before = 2026-11-03 }",
            Joined(after=date(2026, 11, 1), before=date(2026, 11, 3)),
        ),
        ('received = "2026-11-23-tea"', Received("2026-11-23-tea")),
        ('received = "2026-11-23-tea@12"', Received("2026-11-23-tea", 12)),
        ('received = ["welcome.one", "w.a@1"]', Any((Received("welcome.one"), Received("w.a", 1)))),
        ('segment = "drinkers"', All((TEA,))),
        ('segment = ["drinkers", "everyone"]', Any((All((TEA,)), EVERYONE))),
        ('frequency = "monthly"', Is("frequency", ("monthly",))),
        ('zone = ["Europe/Berlin", ""]', Is("zone", ("Europe/Berlin", ""))),
        (
            'attributes = { joined = "x", zone = ["y"] }',
            All((Is("attributes.joined", ("x",)), Is("attributes.zone", ("y",)))),
        ),
        ('city = "\\u0000%\'"', Is("attributes.city", ("\0%'",))),
    ],
)
def test_a_clause_is_a_condition(clause, rule):
    found = read_segments(f'[x]\n{clause}\n[drinkers]\ntags = "tea"\n')
    assert found["x"] == All((rule,))
    assert from_data(json.loads(json.dumps(to_data(found["x"])))) == found["x"]


@pytest.mark.parametrize(
    ("clause", "place", "what", "hint"),
    [
        ('any = "tea"', "x.any", "list of tables", 'attributes = { any = "…" }'),
        ("any = []", "x.any", "list of tables", "write: any"),
        ('any = [{ tags = "tea" },\n {}]', "x.any", "table of rules", "write: {"),
        ("all = [3]", "x.all", "table of rules", "write: {"),
        ('not = "drinkers"', "x.not", "table of rules", "write: {"),
        ('not = { any = [{ tag = "tea" }] }', "x.not.any.tag", "no 'tag'", "did you mean 'tags'"),
        ('interests = "tea"', "x.interests", "no 'interests'", "did you mean 'tags'"),
        ('recieved = "a"', "x.recieved", "no 'recieved'", "did you mean 'received'? for a field of your own"),
        (
            'commitments = "done"',
            "x.commitments",
            "knows no 'commitments'",
            "tags, language, zone, frequency, joined, received",
        ),
        ("promises = { done = true }", "x.promises", "knows no 'promises'", "any, not, tags"),
        ("city = 7", "x.city", "knows no 'city'", "wants a text"),
        ('first_name = "Zoë"', "x.first_name", "knows no", "known are"),
        ('City = "Ulm"', "x.City", "such an attribute", "did you mean 'city'?"),
        ('attributes = { Ort = "Ulm" }', "x.attributes.Ort", "such an attribute", "did you mean 'ort'?"),
        ('attributes = "city"', "x.attributes", "table of your own fields", "write: attributes"),
        ('language = "pt_BR"', "x.language", "'pt_BR'", "did you mean 'pt-br'?"),
        ('zone = "europe/berlin"', "x.zone", "'europe/berlin'", "did you mean 'Europe/Berlin'?"),
        ('frequency = "daily"', "x.frequency", "letters 'daily'", "weekly, monthly; for a field"),
        ('zone = "Nowhere/Xqz"', "x.zone", "'Nowhere/Xqz'", "Africa/Nairobi"),
        ('joined = "2026-11-01"', "x.joined", "one or two days", "attributes = { joined"),
        ("joined = { since = 2026-11-01 }", "x.joined", "one or two days", "after = "),
        ('joined = { after = "2026-11-01" }', "x.joined.after", "must be a day", "without quotes"),
        ("joined = { before = 2026-11-01T08:00:00Z }", "x.joined.before", "must be a day", "a time"),
        ("joined = { before = 3000-01-01 }", "x.joined.before", "must be a day", "without"),
        ("joined = { after = 2026-11-01, before = 2026-11-02 }", "x.joined", "no day between", "neither"),
        ('received = "Not A Letter"', "x.received", "names no letter", "…@1"),
        ('received = "yes"', "x.received", "names no letter", "attributes = { received"),
        ('received = "w.a@0"', "x.received", "names no letter", "…@1"),
        ('received = "w.a@1@2"', "x.received", "names no letter", "…@1"),
        ('received = "2026-11-23-tee"', "x.received", "no letter '2026-11-23-tee'", "did you mean '2026-11-23-tea'?"),
        ('segment = "drinker"', "x.segment", "no segment 'drinker'", "did you mean 'drinkers'?"),
        ('segment = "zzz"', "x.segment", "no segment 'zzz'", "there are: everyone, y, x, drinkers"),
        ('segment = "x"', "x.segment", "in a circle: x → x", "take one"),
    ],
)
def test_a_mistake_in_a_clause_names_its_line(clause, place, what, hint):
    text = f'# "[z]\ny = {{ a = """\n[x]""" }}\n\n[x]\n{clause}\n[drinkers]\ntags = "tea"\n'
    with pytest.raises(SettingsError) as caught:
        read_segments(text, path="s.toml", letters={"2026-11-23-tea", "w.a"})
    line = 7 if "\n" in clause else 6
    assert caught.value.at == f"s.toml:{line}: {place}"
    assert what in caught.value.message
    assert hint in caught.value.hint


def test_a_mistake_inside_a_list_names_the_line_of_its_element():
    text = 'x = { tags = "a" }\n[deep]\nany = [ # one\n  { tags = "a" },\n\n  { tag = "b" },\n]\n'
    with pytest.raises(SettingsError) as caught:
        read_segments(text, path="s.toml")
    assert caught.value.at == "s.toml:6: deep.any.tag"


def test_tables_in_brackets_are_elements_too():
    text = '[deep]\ntags = "x"\n[[deep.any]]\ntags = "a"\n[[deep.any]]\n[deep.any.not]\n"tag" = "b"\n'
    with pytest.raises(SettingsError) as caught:
        read_segments(text, path="s.toml")
    assert caught.value.at == "s.toml:7: deep.any.not.tag"


def test_circles_are_told_with_their_way():
    text = 'a = { segment = "b" }\nb = { not = { segment = "c" } }\nc = { any = [{ segment = "a" }] }\n'
    with pytest.raises(SettingsError) as caught:
        read_segments(text, path="s.toml")
    assert caught.value.at == "s.toml:3: c.any.segment"
    assert "a → b → c → a" in caught.value.message


def chain(length: int) -> str:
    links = "".join(f's{n} = {{ segment = "s{n + 1}" }}\n' for n in range(length))
    return links + f's{length} = {{ tags = "a" }}\n'


def backwards(length: int) -> str:
    return "".join(reversed(chain(length).splitlines(keepends=True)))


def nested(depth: int) -> str:
    return "x = " + "{ not = " * depth + '{ tags = "a" }' + " }" * depth


def doubling(times: int) -> str:
    """Segments each of which names the one before twice: few lines, and twice as many conditions with each."""
    more = "".join(
        f's{n} = {{ any = [{{ segment = "s{n - 1}" }}, {{ segment = "s{n - 1}" }}] }}\n' for n in range(1, times)
    )
    return 's0 = { tags = "a" }\n' + more


@pytest.mark.parametrize(
    "text",
    [
        nested(DEEPEST - 1),
        chain(2 * DEEPEST - 1),
        backwards(2 * DEEPEST - 1),
        f"x = {{ tags = {['a'] * (MOST_PARTS - 2)} }}",
    ],
    ids=["tables", "segments", "segments, the last first", "words"],
)
def test_rules_may_go_up_to_their_bounds(text):
    assert len(read_segments(text)) > 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (nested(DEEPEST), "nested too deeply"),
        (nested(5000), "nested too deeply"),
        ("x = { any = " + "[" * 5000 + "]" * 5000 + " }", "nested too deeply"),
        (chain(2 * DEEPEST), "nested too deeply"),
        (backwards(2 * DEEPEST), "nested too deeply"),
        (chain(5000), "nested too deeply"),
        (f"x = {{ tags = {['a'] * (MOST_PARTS - 1)} }}", "501 words and conditions"),
        (f"x = {{ city = {['a'] * 10_000} }}", "10,002 words and conditions"),
        (doubling(9), "words and conditions"),
        (
            "x = { any = [" + '{ segment = "y" },' * 300 + f"] }}\ny = {{ city = {['a'] * 400} }}",
            "words and conditions",
        ),
    ],
    ids=range(10),
)
def test_beyond_them_they_are_refused(text, what):
    with pytest.raises(SettingsError) as caught:
        read_segments(text, path="s.toml")
    assert what in caught.value.message
    assert caught.value.at.startswith("s.toml")


@pytest.mark.parametrize("name", ["received:a", "a\u202eb", ""])
def test_a_name_must_be_one(name):
    with pytest.raises(SettingsError, match="name of a segment"):
        read_segments(f'{json.dumps(name)} = {{ tags = "a" }}', path="s.toml")


def test_a_rule_that_is_written_down_is_read_back_whatever_it_was_before():
    old = {"all": [{"is": "tags", "values": ["a"]}, {"is": "attributes.joined", "values": ["Any text"]}]}
    assert from_data(old) == All((Is("tags", ("a",)), Is("attributes.joined", ("Any text",))))


@pytest.mark.parametrize(
    "data",
    [
        {"joined": {"since": "2026-11-01"}},
        {"joined": {"after": "soon"}},
        {"joined": {"after": "0001-01-01"}},
        {"received": "Robert'); --"},
        {"received": ["a"]},
        {"not": []},
        {"any": {"is": "tags", "values": []}},
    ],
)
def test_what_is_no_rule_of_the_language_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of the parts it is that cannot be read
        from_data(data)


def test_a_rule_written_down_too_deep_is_refused():
    data = {"all": []}
    for _ in range(400):
        data = {"not": data}
    with pytest.raises(ValueError, match="no rule"):
        from_data(data)


@pytest.mark.parametrize(
    ("audience", "rule"),
    [
        ("received:2026-11-23-tea@1", {"received": "2026-11-23-tea@1"}),
        ("received:welcome.one", {"received": "welcome.one"}),
        ("received:", None),
        ("received:A b", None),
        ("everyone", None),
    ],
)
def test_an_audience_can_be_those_who_received_a_letter(audience, rule):
    assert received_rule(audience) == rule


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def joined(at: datetime | None) -> Subscriber:
    return Subscriber(id=1, address="a@example.org", joined_at=at)


def test_the_days_of_joining_are_whole_and_left_out():
    rule = Joined(after=date(2026, 11, 1), before=date(2026, 11, 3))
    begins = datetime(2026, 11, 2, tzinfo=UTC)
    second = timedelta(seconds=1)
    found = [holds(rule, joined(at), now=NOW) for at in (begins - second, begins, begins + timedelta(days=1) - second)]
    assert found == [False, True, True]
    assert not holds(rule, joined(begins + timedelta(days=1)), now=NOW)
    assert not holds(rule, joined(None), now=NOW)


def test_what_was_not_looked_up_is_no_answer():
    with pytest.raises(ValueError, match="not looked up"):
        holds(Not(Received("a")), joined(NOW), now=NOW)


def test_the_leaves_of_a_rule_in_their_order():
    rule = All((TEA, Not(Any((Paused(), Received("a")))), EVERYONE))
    assert list(leaves(rule)) == [TEA, Paused(), Received("a")]


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        ('tags = ["a", "b", "c"]', "is tagged a, b or c"),
        ('tags = "a"\nzone = ""', "is tagged a and has zone unknown"),
        (
            'any = [{ tags = "a" }, { city = "Ulm", language = "de" }]',
            "is tagged a or (has city Ulm and has language de)",
        ),
        ('city = "Ulm"\nany = [{ tags = "a" }, { tags = "b" }]', "has city Ulm and (is tagged a or is tagged b)"),
        ('not = { received = "w.a@2" }', "not (received w.a in revision 2)"),
        ("joined = { after = 2026-11-01, before = 2026-12-01 }", "joined after 2026-11-01 and before 2026-12-01"),
        ('segment = "everyone"', "is on the list"),
        ('city = ["1", "2", "3", "4", "5", "6", "7"]', "has city 1, 2, 3, 4, 5 or 2 others"),
    ],
)
def test_a_rule_in_words(clause, words):
    assert in_words(read_segments(f"[x]\n{clause}")["x"]) == words
