"""Personal expressions: a closed little language, and nothing of a letter is ever executed outside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.rendering.expressions import BadExpression, evaluator, read_expression


def value(source: str, **fields: str) -> str:
    """What a reader with these fields would see."""
    expression = read_expression(source)
    return evaluator([expression])(fields)[expression.source]


@pytest.mark.parametrize(
    ("source", "fields", "shown"),
    [
        ("first_name", {"first_name": "Zoë"}, "Zoë"),
        ("first_name | default('friend')", {"first_name": "Zoë"}, "Zoë"),
        ("first_name | default('friend')", {"first_name": ""}, "friend"),
        ("first_name | default('friend')", {}, "friend"),
        ("first_name|d('friend')|upper", {}, "FRIEND"),
        ("'Dear ' ~ first_name if first_name else 'Hello'", {"first_name": "Zoë"}, "Dear Zoë"),
        ("'Dear ' ~ first_name if first_name else 'Hello'", {}, "Hello"),
        ("name | truncate(5, true, '…', 0)", {"name": "Wilhelmina"}, "Wilh…"),
        ("'a' if city == 'Berlin' else 'b'", {"city": "Berlin"}, "a"),
    ],
)
def test_an_expression_shows(source: str, fields: dict[str, str], shown: str) -> None:
    assert value(source, **fields) == shown


@pytest.mark.parametrize(
    "source",
    [
        "''.__class__",
        "first_name.__class__.__mro__",
        "first_name['a']",
        "first_name.upper()",
        "range(10)",
        "lipsum()",
        "'x' * 10000000",
        "10 ** 10 ** 10",
        "first_name | attr('__class__')",
        "first_name | map('upper')",
        "first_name is defined",
        "[1, 2]",
        "{'a': 1}",
        "a }} {{ b",
        "first_name | truncate(first_name)",
        "",
        "x" * 600,
        "%}{% for x in y %}",
        "'unclosed",
    ],
)
def test_everything_else_is_refused_with_a_hint(source: str) -> None:
    with pytest.raises(BadExpression) as refused:
        read_expression(source)
    assert refused.value.hint


@pytest.mark.parametrize("source", ["cycler", "self", "lipsum", "__class__"])
def test_no_name_reaches_anything_of_jinjas_own(source: str) -> None:
    """A bare name is a field; whether there is such a field is checked where fields are known."""
    expression = read_expression(source)
    assert evaluator([expression])({}) == {source: ""}


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("first_name", {"first_name"}),
        ("first_name | upper", {"first_name"}),
        ("first_name | default('friend') | upper", set()),
        ("first_name or 'friend'", set()),
        ("first_name ~ name", {"first_name", "name"}),
        ("'Dear ' ~ first_name if first_name else 'Hello'", set()),
        ("'Dear ' ~ name if first_name else 'Hello'", {"name"}),
    ],
)
def test_a_field_shown_without_a_fallback_is_needed(source: str, needs: set[str]) -> None:
    assert read_expression(source).needs == needs


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_value_is_data_whatever_it_holds(name: str) -> None:
    """A reader called `{{ 7*7 }}` stays that."""
    shown = value("first_name | default('x') | trim", first_name="{{ 7*7 }}" + name)
    assert shown.startswith("{{ 7*7 }}")


def test_several_expressions_keep_their_values_apart() -> None:
    expressions = [read_expression(source) for source in ("first_name | upper", "name | lower", "city")]
    values = evaluator(expressions)({"first_name": "a\x1fb", "name": "C", "city": "D"})
    assert values == {"first_name | upper": "A B", "name | lower": "c", "city": "D"}


@pytest.mark.parametrize("blank", ["", "   ", "\u202e", " \t\u2028"])
def test_a_value_of_nothing_but_blanks_is_no_value(blank: str) -> None:
    for source in (
        "first_name | default('friend')",
        "first_name | default('friend') | lower",
        "first_name or 'friend'",
    ):
        assert value(source, first_name=blank) == "friend"
