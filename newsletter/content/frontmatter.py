"""The head of a letter: YAML between two lines of dashes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from zoneinfo import ZoneInfo

import yaml

from newsletter.content.issue import Problem, Send, Span
from newsletter.content.suggest import did_you_mean

KEYS = ("title", "subject", "preheader", "send", "audience", "language")
REQUIRED = ("title", "subject", "preheader", "send")
# A part of a series has no day, and its readers are the series'.
PART_KEYS = ("title", "subject", "preheader", "after", "language")
PART_REQUIRED = ("title", "subject", "preheader", "after")
YEARS = range(2000, 2200)
# What no letter shows: control characters, halves of a character, and what turns the text around unseen.
UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
_SEND = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{1,2}:\d{2}))?(?:\s+(\S+))?")


@dataclass(slots=True)
class Head:
    """The front matter of one file. `body_line` is the line on which the rest begins."""

    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1


def split(text: str, path: str, problems: list[Problem], *, part: bool = False) -> Head:
    """The front matter of *text* and where the rest begins; what is wrong is added to *problems*.

    With *part*, it is that of a part of a series.
    """
    known, needed = (PART_KEYS, PART_REQUIRED) if part else (KEYS, REQUIRED)
    return read_head(text, path, problems, known=known, needed=needed)


def read_head(
    text: str, path: str, problems: list[Problem], *, known: tuple[str, ...], needed: tuple[str, ...]
) -> Head:
    """As `split`, with other keys; where none is *needed*, there may be no front matter at all."""
    lines = text.split("\n")
    if not needed and lines[0].rstrip() != "---":
        return Head(body=text)
    if lines[0].rstrip() != "---":
        problems.append(
            Problem(
                at=Span(path, 1),
                what="there is no front matter" if text.strip() else "the file is empty",
                hint=f"begin with a line '---', then {', '.join(f'{name}:' for name in needed[:-1])} and "
                f"{needed[-1]}:, then another '---'; see: newsletter new",
            )
        )
        return Head(body=text)
    closing = next((n for n, line in enumerate(lines[1:], start=1) if line.rstrip() in ("---", "...")), None)
    if closing is None:
        problems.append(
            Problem(
                at=Span(path, 1), what="the front matter is never closed", hint="add a line '---' after its last key"
            )
        )
        return Head(body="", body_line=len(lines))
    head = Head(body="\n".join(lines[closing + 1 :]), body_line=closing + 2)
    _read_yaml("\n".join(lines[1:closing]), path, head, problems, known=known)
    problems += [
        Problem(at=Span(path, head.lines.get(name, 1)), what=f"{name!r} is missing", hint=_MISSING[name])
        for name in needed
        if not head.values.get(name) and (name in head.values or name not in head.lines)
    ]
    return head


def _read_yaml(source: str, path: str, head: Head, problems: list[Problem], *, known: tuple[str, ...]) -> None:
    # Nodes instead of values: they know their lines, and `send: 2026-11-23 08:00` stays as it was typed.
    try:
        _refuse_tricks(source)
        node = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        what = getattr(err, "problem", None) or "cannot be read"
        problems.append(
            Problem(
                at=Span(path, (mark.line if mark else 0) + 2),
                what=f"the front matter is not YAML: {what}",
                hint="put values that hold a colon, a quote or '{{' in double quotes",
            )
        )
        return
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        problems.append(
            Problem(at=Span(path, 2), what="the front matter has no keys", hint="write one `key: value` per line")
        )
        return
    for key, value in node.value:
        name, line = str(key.value) if isinstance(key, yaml.ScalarNode) else "?", key.start_mark.line + 2
        if name not in known:
            problems.append(Problem(at=Span(path, line), what=f"unknown key {name!r}", hint=did_you_mean(name, known)))
        elif not isinstance(value, yaml.ScalarNode):
            hint = "put the value in double quotes" if "{" in source else f"write one line: {name}: …"
            problems.append(Problem(at=Span(path, line), what=f"{name!r} is not a plain text", hint=hint))
            head.lines[name] = line
        elif name in head.values:
            problems.append(Problem(at=Span(path, line), what=f"{name!r} is given twice", hint="keep one of the two"))
        else:
            if UNSHOWABLE.search(value.value):
                what, hint = f"{name!r} holds a character that cannot be shown", "delete the escape that makes it"
                problems.append(Problem(at=Span(path, line), what=what, hint=hint))
            head.values[name] = " ".join(UNSHOWABLE.sub("", value.value).split())
            head.lines[name] = line


_DEEPEST = 3  # a mapping of plain texts has one level; `{{ … }}` without quotes has two more


def _refuse_tricks(source: str) -> None:
    """Raise YAMLError for what plain keys never need and what can grow without bounds: aliases, deep nesting."""
    depth = 0
    for event in yaml.parse(source, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="lists and references have no place here")


_MISSING: Mapping[str, str] = {
    "title": "add the letter's headline, e.g. title: Renew your goals",
    "subject": "add what the inbox shows, e.g. subject: One small thing for Monday",
    "preheader": "add the line that inboxes show after the subject, 35 to 130 characters",
    "send": "add the day and time, e.g. send: 2026-11-23 08:00",
    "after": "add how long after joining it comes, e.g. after: 3 days",
    "reason": "add why somebody gets this mail, e.g. reason: You get this mail because …",
}
_AFTER = re.compile(r"(\d{1,3})(?: days?)?")


def read_send(value: str, default_at: time, at: Span, problems: list[Problem]) -> Send:
    """When the letter is due. A wrong value is a problem, and the first day of the calendar stands in."""
    nothing = Send(day=date.min, at=default_at)
    if not value:
        return nothing  # which is a problem already: it is missing
    found = _SEND.fullmatch(value)
    if not found:
        problems.append(
            Problem(at=at, what=f"'send' is not a day and a time: {value!r}", hint="write e.g. send: 2026-11-23 08:00")
        )
        return nothing
    day_text, clock, zone = found.groups()
    try:
        day = date.fromisoformat(day_text)
        due_at = time.fromisoformat(clock.zfill(5)) if clock else default_at
    except ValueError:
        problems.append(
            Problem(at=at, what=f"there is no such day or time: {value!r}", hint="write e.g. send: 2026-11-23 08:00")
        )
        return nothing
    if day.year not in YEARS:
        problems.append(Problem(at=at, what=f"the year {day.year} is none to send in", hint="write e.g. 2026-11-23"))
        return nothing
    if zone is not None and not is_zone(zone):
        problems.append(
            Problem(
                at=at,
                what=f"no time zone is called {zone!r}",
                hint="use a name such as Europe/Berlin; without one, each reader's own zone counts",
            )
        )
    return Send(day=day, at=due_at, zone=zone)


def is_zone(name: str) -> bool:
    """Whether *name* is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return False
    return True


def read_after(value: str, at: Span, problems: list[Problem]) -> int:
    """How many days after joining a part is due; 0, and a problem, if it cannot be read."""
    found = _AFTER.fullmatch(value)
    if found or not value:
        return int(found[1]) if found else 0
    hint = "write e.g. after: 3 days; the time of day is in series.toml"
    problems.append(Problem(at=at, what=f"'after' is no number of days: {value!r}", hint=hint))
    return 0
