"""A rule over subscribers, told in words."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.audience.predicate import All, Any, Is, Joined, Leaf, Not, Paused, Predicate, Received, Suppressed

_SHOWN = 6  # values that are told of one field; a rule may have hundreds


def in_words(rule: Predicate) -> str:  # noqa: PLR0911 - one for each kind
    """*rule* as the end of the sentence "this is for whoever …", with brackets where they are needed."""
    match rule:
        case All(conditions=()):
            return "is on the list"
        case Any(conditions=()):
            return "is nobody"
        case All(conditions=(only,)) | Any(conditions=(only,)):
            return in_words(only)
        case All(conditions=conditions):
            return " and ".join(_bracketed(each, Any) for each in conditions)
        case Any(conditions=conditions):
            return " or ".join(_bracketed(each, All) for each in conditions)
        case Not(condition=inner):
            return f"not ({in_words(inner)})"
        case _:
            return _leaf(rule)


def _bracketed(rule: Predicate, kind: type[All | Any]) -> str:
    while isinstance(rule, All | Any) and len(rule.conditions) == 1:
        rule = rule.conditions[0]
    words = in_words(rule)
    return f"({words})" if isinstance(rule, kind) and rule.conditions else words


def _leaf(rule: Leaf) -> str:
    match rule:
        case Is(field="tags", values=values):
            return f"is tagged {_listed(values)}"
        case Is(field=field, values=values):
            return f"has {field.removeprefix('attributes.')} {_listed([value or 'unknown' for value in values])}"
        case Suppressed():
            return "must not be mailed"
        case Paused():
            return "asked for quiet"
        case Joined(after=after, before=before):
            days = [f"{word} {day}" for word, day in (("after", after), ("before", before)) if day]
            return f"joined {' and '.join(days)}"
        case Received(issue_id=issue_id, revision=revision):
            return f"received {issue_id}{f' in revision {revision}' if revision else ''}"


def _listed(values: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`; the first few of many."""
    if len(values) > _SHOWN:
        return f"{', '.join(values[: _SHOWN - 1])} or {len(values) - _SHOWN + 1:,} others"
    return " or ".join(filter(None, (", ".join(values[:-1]), *values[-1:])))
