"""The documentation says what there is, all of it, and nothing else; its links lead somewhere and its examples work.

Every rule is a function from a text to complaints, so that the last tests can spoil a page and see that it is noticed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import time
from functools import cache
from pathlib import Path

import click
import pytest

from newsletter.cli.main import INTERNAL_ERROR, cli
from newsletter.content.issue import Problem
from newsletter.content.library import EVERY_KIND, KINDS
from newsletter.errors import NewsletterError
from newsletter.rendering.checks.table import CHECKS
from newsletter.rendering.expressions import CONSTANT_FIELDS, FILTERS, LINK_FIELDS, READER_FIELDS
from newsletter.settings.keys import CARRIERS, KEYS, REQUIRED
from tests.unit import letters

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "docs/guide.md",
    "docs/operations.md",
    "docs/commands.md",
    "docs/setup.md",
    "docs/themes.md",
    "docs/house.md",
)
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
CHECKOUT_ONLY = {"demo", "drill", "test", "lint"}  # words of ./nl that are no commands of newsletter


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def code() -> str:
    """All of the package."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "newsletter").rglob("*.py")))


def prose(text: str) -> str:
    """*text* without its code blocks, line for line."""
    kept, fence = [], ""
    for line in text.split("\n"):
        mark = re.match(r"`{3,}", line)
        if mark and (not fence or line.rstrip() == fence):
            fence = "" if fence else mark[0]
            kept.append("")
        else:
            kept.append("" if fence else line)
    return "\n".join(kept)


def code_blocks(text: str, *languages: str) -> list[str]:
    found = re.findall(r"^(`{3,})([a-z]*)\n(.*?)^\1$", text, re.MULTILINE | re.DOTALL)
    return [body for _, language, body in found if language in languages]


def section(text: str, heading: str) -> str:
    """The part of *text* under *heading* (with its #s), up to the next heading as high; "" if there is none."""
    start = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    if start is None:
        return ""
    level = len(heading) - len(heading.lstrip("#"))
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{level}}} ", prose(rest), re.MULTILINE)
    return rest[: len("\n".join(rest.split("\n")[: prose(rest)[: end.start()].count("\n")]))] if end else rest


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, without headers and rules."""
    lines = [line for line in prose(text).split("\n") if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = [index for index, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return [row for index, row in enumerate(cells) if index not in rules and index + 1 not in rules]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# Commands


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def flags(command: click.Command) -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)}


def arguments(command: click.Command) -> list[str]:
    context = click.Context(command)
    return [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]


def undocumented_commands(text: str) -> Iterator[str]:
    headings = {line.removeprefix("### ") for line in prose(text).split("\n") if line.startswith("### newsletter ")}
    for path, command in commands():
        heading = " ".join(["newsletter", *path, *arguments(command)])
        if heading not in headings:
            yield f"no heading '### {heading}'"
            continue
        headings.remove(heading)
        yield from _options(section(text, f"### {heading}"), heading, flags(command))
    yield from (f"'{heading}' is no command" for heading in headings)
    yield from _options(section(text, "## newsletter"), "newsletter", flags(cli) - {"-h", "--help"})


def _options(part: str, heading: str, known: set[str]) -> Iterator[str]:
    told = {found for row in rows(part) for found in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(quoted(row[0])))}
    yield from (f"{heading}: {flag} is not described" for flag in sorted(known - told))
    yield from (f"{heading} has no {flag}" for flag in sorted(told - known))


def test_every_command_and_option_is_described() -> None:
    assert list(undocumented_commands(page("docs/commands.md"))) == []


def wrong_calls(text: str) -> Iterator[str]:
    """Commands of the examples, and between backquotes, that cannot be called."""
    shown = [line for block in code_blocks(text, "sh", "crontab") for line in block.split("\n")]
    calls = [re.search(r"(?:^|  )((?:\./nl|newsletter) [^|&>]*)", line) for line in shown]
    calls += [re.match(r"((?:\./nl|newsletter) [^|&>]*)", line) for line in quoted(prose(text).replace("\n", " "))]
    for call in filter(None, calls):
        complaint = _wrong(call[1])
        if complaint:
            yield f"{call[1].strip()}: {complaint}"


def _wrong(call: str) -> str:
    front, *words = shlex.split(call, comments=True)
    if front == "./nl" and words[0] in CHECKOUT_ONLY:
        return ""
    known = dict(commands())
    allowed = flags(cli)
    path: tuple[str, ...] = ()
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            if word not in allowed | {"-h", "--help"}:
                return f"no option {word}"
            if word == "--config":
                words.pop(0)
        elif path not in known and word != "…":
            path = (*path, word)
            if not any(each[: len(path)] == path for each in known):
                return f"no command {' '.join(path)}"
            allowed = flags(known[path]) if path in known else set()
    return ""


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_is_mentioned_exists(name: str) -> None:
    assert list(wrong_calls(page(name))) == []


# Settings and the environment


def undocumented_settings(text: str) -> Iterator[str]:
    table = {row[0]: row[1] for row in rows(section(text, "## Settings")) if len(row) == 3}
    for part, keys in (KEYS | CARRIERS).items():
        for name, key in keys.items():
            label = f"`[{part}] {name}`" if part else f"`{name}`"
            if label not in table:
                yield f"{label} is not described"
            elif table[label] != _default(key.default):
                yield f"{label}: the default is {_default(key.default)}, not {table[label]}"
            table.pop(label, None)
    if "`[fields]`" not in table:
        yield "`[fields]` is not described"
    yield from (f"{label} is no key" for label in table if label not in ("`[fields]`", "`[interests]`"))


def _default(value: object) -> str:
    if value is REQUIRED:
        return "needed"
    if isinstance(value, time):
        return f'`"{value:%H:%M}"`'
    return f"`{json.dumps(value)}`"


def test_every_setting_is_described_with_its_default() -> None:
    assert list(undocumented_settings(page("docs/guide.md"))) == []


def undocumented_variables(text: str) -> Iterator[str]:
    read = set(re.findall(r"NEWSLETTER_[A-Z_]+", code()))
    told = {
        name for row in rows(section(text, "## Settings")) for name in re.findall(r"`(NEWSLETTER_[A-Z_]+)`", row[0])
    }
    yield from (f"{name} is not described" for name in sorted(read - told))
    yield from (f"nothing reads {name}" for name in sorted(told - read))


def test_every_variable_of_the_environment_is_described() -> None:
    assert list(undocumented_variables(page("docs/guide.md"))) == []


# Letters


def undocumented_blocks(text: str) -> Iterator[str]:
    blocks = section(text, "## Blocks")
    told = re.findall(r"^### (.+)$", prose(blocks), re.MULTILINE)
    yield from (f"there is no kind {name}" for name in told if name not in KINDS)
    yield from (f"{name} is no attribute of every kind" for name in EVERY_KIND if f"`{name}`" not in blocks)
    if f"all {len(KINDS)} kinds" not in text:
        yield f"there are {len(KINDS)} kinds"
    for kind in KINDS.values():
        part = " ".join(prose(section(blocks, f"### {kind.name}")).split())
        if not part:
            yield f"{kind.name} is not described"
            continue
        for label, names in (("Attributes", kind.attributes), ("Fields", kind.fields), ("**Needed**", kind.required)):
            found = re.search(rf"{re.escape(label)}: (.*?)\.(?=\s|$)", part)
            given = re.sub(r"\(.*?\)", "", found[1] if found else "").replace("body", "`body`")
            if set(quoted(given)) != set(names):
                yield f"{kind.name}: {label} should be {', '.join(names) or 'left out'}"
        if f"::: {kind.name}" not in section(blocks, f"### {kind.name}"):
            yield f"{kind.name} has no example"


def test_every_block_kind_is_described_with_its_attributes() -> None:
    assert list(undocumented_blocks(page("docs/guide.md"))) == []


def undocumented_expressions(text: str) -> Iterator[str]:
    told = {name for row in rows(section(text, "## Personal fields")) for name in quoted(row[0])}
    known = {*READER_FIELDS, *LINK_FIELDS, *CONSTANT_FIELDS, *FILTERS}
    yield from (f"{name} is not described" for name in sorted(known - told))
    yield from (f"there is no {name}" for name in sorted(told - known))


def test_every_field_and_filter_is_described() -> None:
    assert list(undocumented_expressions(page("docs/guide.md"))) == []


def undocumented_checks(text: str) -> Iterator[str]:
    told = {(row[0], row[1]) for row in rows(section(text, "## All checks"))}
    known = {(f"`{check.id}`", check.level.value) for check in CHECKS}
    yield from (f"{name}, {level}: one of the page and the program does not know it" for name, level in told ^ known)


def test_every_check_is_described_with_its_level() -> None:
    assert list(undocumented_checks(page("docs/checks.md"))) == []


def broken_examples(text: str) -> Iterator[str]:
    """Letters and blocks shown as examples that have a problem."""
    for example in code_blocks(text, "markdown"):
        yield from (f"{example.splitlines()[0]} … {each.at.line}: {each.what}" for each in problems(example))


@cache
def problems(example: str) -> tuple[Problem, ...]:
    whole = example.startswith("---\n")
    return (letters.built(example, head="") if whole else letters.built(example)).problems


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md"])
def test_every_example_of_a_letter_is_without_problems(name: str) -> None:
    assert len(code_blocks(page(name), "markdown")) > 0
    assert list(broken_examples(page(name))) == []


# Errors


def exit_codes(error: type[NewsletterError] = NewsletterError) -> set[int]:
    return {error.exit_code}.union(*(exit_codes(each) for each in error.__subclasses__()))


def undocumented_exit_codes(text: str) -> Iterator[str]:
    told = {int(row[0]) for row in rows(section(text, "## Exit codes"))}
    known = {0, 2, INTERNAL_ERROR} | exit_codes()
    yield from (f"exit code {code}: one of the page and the program does not know it" for code in sorted(told ^ known))


def test_every_exit_code_is_described() -> None:
    assert list(undocumented_exit_codes(page("docs/operations.md"))) == []


def messages_nobody_says(text: str) -> Iterator[str]:
    for row in rows(section(text, "## Messages and what to do")):
        for message in quoted(row[0]):
            parts = [part.strip() for part in message.split("…") if part.strip()]
            yield from (f"nobody says {part!r}" for part in parts if part not in code())


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    assert list(messages_nobody_says(page("docs/operations.md"))) == []


# Links


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(text: str, at: Path) -> Iterator[str]:
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(text)))
    for target in [*targets, *re.findall(r'src="([^"]+)"', prose(text))]:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (at.parent / name).resolve() if name else at
        if not path.exists():
            yield f"{target}: there is no such file"
        elif anchor and anchor not in anchors(text if path == at else path.read_text(encoding="utf-8")):
            yield f"{target}: there is no such heading"


@pytest.mark.parametrize("path", [*(ROOT / name for name in PAGES), *DECISIONS], ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(broken_links(path.read_text(encoding="utf-8"), path)) == []


# The house and its decisions


def rooms_untold(text: str) -> Iterator[str]:
    there = {path.stem for path in (ROOT / "newsletter").iterdir() if not path.name.startswith("_")}
    told = {row[0].strip("`").removeprefix("newsletter/") for row in rows(section(text, "## The rooms"))}
    yield from (f"{name}: one of the page and the package does not know it" for name in sorted(there ^ told))


def test_every_room_is_described() -> None:
    assert list(rooms_untold(page("docs/house.md"))) == []


def test_decisions_are_numbered_short_and_say_why() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for path in DECISIONS:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert len(lines) <= 41, path.name
        assert lines[0].startswith(f"# {int(path.name[:4])}. "), path.name
        headings = [line for line in lines if line.startswith("## ")]
        assert headings == ["## Context", "## Decision", "## Consequences"], path.name


# Each rule, on a page that was spoilt

GUIDE, OPERATIONS, COMMANDS = "docs/guide.md", "docs/operations.md", "docs/commands.md"
CHECKS_PAGE = "docs/checks.md"
Rule = Callable[[str], Iterator[str]]


def links_of_guide(text: str) -> Iterator[str]:
    return broken_links(text, ROOT / GUIDE)


def links_of_readme(text: str) -> Iterator[str]:
    return broken_links(text, ROOT / "README.md")


SPOILT: dict[str, tuple[Rule, str, str, str, str]] = {
    # name: (the rule, the page, what is taken out, what is put in, part of the complaint)
    "a command left out": (undocumented_commands, COMMANDS, "### newsletter send ISSUE", "", "newsletter send ISSUE"),
    "a command made up": (undocumented_commands, COMMANDS, "## System", "### newsletter dance", "no command"),
    "an option left out": (undocumented_commands, COMMANDS, "| `--eml` |", "| |", "--eml is not described"),
    "an option made up": (undocumented_commands, COMMANDS, "`--eml`", "`--pdf`", "has no --pdf"),
    "a short option left out": (undocumented_commands, COMMANDS, "`-v`, ", "", "-v is not described"),
    "a call of nothing": (wrong_calls, COMMANDS, "newsletter init my", "newsletter preview", "no command preview"),
    "a call with a wrong option": (wrong_calls, COMMANDS, "--as zoe", "--for zoe", "no option --for"),
    "a call in running text": (wrong_calls, GUIDE, "`newsletter check`", "`newsletter  chekc`", "no command chekc"),
    "a setting left out": (undocumented_settings, GUIDE, "| `[site] url` |", "| `[site] uri` |", "`[site] url` is not"),
    "a setting made up": (undocumented_settings, GUIDE, "| `[site] url` |", "| `[site] uri` |", "uri` is no key"),
    "a wrong default": (undocumented_settings, GUIDE, "| `36` |", "| `48` |", "the default is `36`"),
    "own fields left out": (undocumented_settings, GUIDE, "| `[fields]` |", "| |", "`[fields]` is not described"),
    "a variable left out": (undocumented_variables, GUIDE, "| `NEWSLETTER_NOW` |", "| |", "NEWSLETTER_NOW is not"),
    "a variable made up": (undocumented_variables, GUIDE, "`NEWSLETTER_NOW` |", "`NEWSLETTER_THEN` |", "_THEN"),
    "a kind left out": (undocumented_blocks, GUIDE, "### takeaway", "", "takeaway is not described"),
    "a kind made up": (undocumented_blocks, GUIDE, "### takeaway", "### banner", "no kind banner"),
    "an attribute left out": (undocumented_blocks, GUIDE, "`by`, `role`, ", "`by`, ", "quote: Attributes"),
    "an attribute made up": (undocumented_blocks, GUIDE, "`by`, ", "`by`, `x`, ", "quote: Attributes"),
    "a need left out": (undocumented_blocks, GUIDE, "`src`, `alt`.", "`src`.", "image: **Needed**"),
    "a field of a block left out": (undocumented_blocks, GUIDE, "Fields: `text`. ", "", "spread-the-word: Fields"),
    "an example left out": (undocumented_blocks, GUIDE, "::: button {", "::: text {", "button has no example"),
    "a filter left out": (undocumented_expressions, GUIDE, "| `trim` |", "| |", "trim is not described"),
    "a field made up": (undocumented_expressions, GUIDE, "| `name` |", "| `age` |", "there is no age"),
    "a check left out": (undocumented_checks, CHECKS_PAGE, "| `way-out` |", "| `way` |", "way-out"),
    "a check of another level": (undocumented_checks, CHECKS_PAGE, "loud` | warning", "loud` | error", "subject-loud"),
    "a broken example": (broken_examples, GUIDE, "::: takeaway\n", "::: takeaway {by=me}\n", "no attribute 'by'"),
    "an example with a warning": (broken_examples, GUIDE, "preheader: Five", "preheader: Moves\n#", "preheader"),
    "an exit code left out": (undocumented_exit_codes, OPERATIONS, "| 4 |", "| 9 |", "exit code 4"),
    "an exit code made up": (undocumented_exit_codes, OPERATIONS, "| 4 |", "| 9 |", "exit code 9"),
    "a message made up": (messages_nobody_says, OPERATIONS, "`the disk is full`", "`the moon is full`", "the moon"),
    "a room left out": (rooms_untold, "docs/house.md", "| `newsletter/pieces` |", "| |", "pieces"),
    "a broken link": (links_of_guide, GUIDE, "(operations.md#", "(oprations.md#", "no such file"),
    "a broken anchor": (links_of_guide, GUIDE, "](#approve)", "](#aprove)", "no such heading"),
    "a broken picture": (links_of_readme, "README.md", "-dark.png", "-drak.png", "no such file"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_page_is_noticed(name: str) -> None:
    rule, where, old, new, complaint = SPOILT[name]
    assert old in page(where), f"{where} does not say {old!r} any more; spoil it in another way"
    found = list(rule(page(where).replace(old, new, 1)))
    assert any(complaint in each for each in found), found
