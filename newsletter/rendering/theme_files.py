"""A theme's files as a lint sees them: style sheets as rules, templates without their Jinja, line for line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from newsletter.content.issue import Level
from newsletter.rendering.sheet import Rule, read_sheet

STYLES = ("base.css", "client.css")
TEMPLATES = ("page.html.j2", "blocks.html.j2")
_TAG = re.compile(r"""<([a-zA-Z][\w:-]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*("[^"]*"|'[^']*')""")
# Jinja and plain comments; what stands in a comment for Outlook is markup.
_STATEMENT = re.compile(r"\{#.*?#\}|\{%.*?%\}|<!--(?!\[if|<!\[|>).*?-->", re.DOTALL)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """What a lint objects to: in which file, on which line, what, and what to do."""

    file: str
    line: int
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag in a template; values of attributes stand as they were written, Jinja and all."""

    name: str
    attributes: Mapping[str, str]
    line: int


@dataclass(frozen=True)
class ThemeFiles:
    """The files of one theme, read once for all lints."""

    files: Mapping[str, str]

    @cached_property
    def sheets(self) -> dict[str, tuple[Rule, ...]]:
        """The rules of each style sheet, by its file."""
        return {file: read_sheet(self.files[file]) for file in STYLES}

    @cached_property
    def toml(self) -> dict[str, Any]:
        """theme.toml, which was read before and is sound TOML."""
        return tomllib.loads(self.files["theme.toml"])

    @cached_property
    def markup(self) -> dict[str, str]:
        """The HTML templates, with blanks for statements and comments, § for expressions; each as long as it was."""
        return {file: _bare(self.files[file]) for file in TEMPLATES}

    @cached_property
    def tags(self) -> dict[str, tuple[Tag, ...]]:
        """The opening tags of each HTML template."""
        return {file: tuple(self._tags(file)) for file in TEMPLATES}

    def _tags(self, file: str) -> Iterator[Tag]:
        bare, written = self.markup[file], self.files[file]
        for found in _TAG.finditer(bare):
            start = found.start(2)
            attributes = {
                each[1]: written[start + each.start(2) + 1 : start + each.end(2) - 1]
                for each in _ATTRIBUTE.finditer(found[2])
            }
            yield Tag(name=found[1], attributes=attributes, line=line_at(bare, found.start()))

    def every(self, *names: str) -> Iterator[tuple[str, Tag]]:
        """The tags of these names, with their file; all tags without a name."""
        for file, tags in self.tags.items():
            yield from ((file, tag) for tag in tags if not names or tag.name.lower() in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """A rule over a theme: `find` yields everything it objects to."""

    id: str
    about: str
    find: Callable[[ThemeFiles], Iterator[Found]]
    level: Level = Level.ERROR


def line_at(text: str, position: int) -> int:
    """The line of a place in *text*, from 1."""
    return text.count("\n", 0, position) + 1


def _bare(template: str) -> str:
    text = _STATEMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), template)
    return _EXPRESSION.sub(lambda found: re.sub(r"[^\n]", "§", found[0]), text)
