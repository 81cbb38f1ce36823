"""A style sheet as its rules, each with the line it stands on: enough to judge one, not to apply it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NEXT = re.compile(r"""(?:[^{};"']|"[^"]*"|'[^']*')*[{};]?""")
_COMMA = re.compile(r""",(?![^(\[]*[)\]])""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """`name: value`, as it is written, on its line."""

    name: str
    value: str
    line: int

    @property
    def is_important(self) -> bool:
        """Whether it wins over a style attribute."""
        return bool(re.search(r"!\s*important$", self.value, re.IGNORECASE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Selectors and what holds for them; `around` has the at-rules it stands in, the outermost first.

    An at-rule is a rule too: its prelude, such as `@media print`, is its only selector, and it has no declarations
    unless it holds some itself, as `@font-face` does.
    """

    selectors: tuple[str, ...]
    declarations: tuple[Declaration, ...]
    around: tuple[str, ...]
    line: int

    @property
    def at(self) -> str:
        """The name of an at-rule with its @, "" for any other."""
        found = re.match(r"@[\w-]+", self.selectors[0])
        return found[0].lower() if found else ""


def read_sheet(css: str) -> tuple[Rule, ...]:
    """The rules of *css* in their order; whoever leaves a brace open gets what could be read."""
    bare = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), css)
    return tuple(_rules(bare))


def read_style(style: str, *, line: int = 1) -> tuple[Declaration, ...]:
    """The declarations of a style attribute that begins on *line*."""
    return tuple(_declaration(part, line) for part in style.split(";") if part.strip())


def _declaration(text: str, line: int) -> Declaration:
    name, _, value = text.strip().partition(":")
    return Declaration(name=name.strip().lower(), value=value.strip(), line=line)


@dataclass(slots=True)
class _Open:
    """A rule whose closing brace is still to come."""

    prelude: str
    line: int
    declarations: list[Declaration]


def _rules(css: str) -> Iterator[Rule]:
    stack: list[_Open] = []
    finished: list[tuple[int, Rule]] = []  # closed inside out, told in the order they were opened
    position = 0
    while position < len(css):
        found = _NEXT.match(css, position)
        end = max(found.end() if found else 0, position + 1)
        text, position = css[position:end], end
        bare = text.strip().rstrip("{};").strip()
        line = css.count("\n", 0, end - len(text.lstrip())) + 1
        if text.endswith("{"):
            stack.append(_Open(bare, line, []))
        elif bare.startswith("@"):
            finished.append((line, _rule(_Open(bare, line, []), stack)))
        elif bare and stack:
            stack[-1].declarations.append(_declaration(bare, line))
        if text.endswith("}") and stack:
            closed = stack.pop()
            finished.append((closed.line, _rule(closed, stack)))
    while stack:
        closed = stack.pop()
        finished.append((closed.line, _rule(closed, stack)))
    yield from (rule for _, rule in sorted(finished, key=lambda each: each[0]))


def _rule(closed: _Open, stack: list[_Open]) -> Rule:
    is_at = closed.prelude.startswith("@")
    selectors = [closed.prelude] if is_at else [part.strip() for part in _COMMA.split(closed.prelude)]
    return Rule(
        selectors=tuple(" ".join(part.split()) for part in selectors),
        declarations=tuple(closed.declarations),
        around=tuple(each.prelude for each in stack),
        line=closed.line,
    )
