"""How things are shown: data to stdout, as tables for people or as JSON for machines; talk to stderr."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.app.newsletter import Newsletter
from newsletter.pieces import one_line
from newsletter.settings.read import find_root, read_settings

if TYPE_CHECKING:
    from newsletter.content.issue import Problem

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask. Without it and without a terminal, nothing is done.")
issue_argument = click.argument("issue", metavar="ISSUE")


def with_newsletter(command: Callable[..., Any]) -> Callable[..., Any]:
    """*command* with the open newsletter as its first argument."""

    @click.pass_context
    @functools.wraps(command)
    def run(ctx: click.Context, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever the command takes
        with Newsletter(read_settings(root_of(ctx))) as newsletter:
            return ctx.invoke(command, newsletter, *args, **options)

    return run


def root_of(ctx: click.Context) -> Path:
    """The newsletter's folder: as given, else the nearest from here upwards."""
    given: str | None = ctx.find_root().obj
    return Path(given) if given else find_root(Path.cwd()) or Path.cwd()


def say(text: str) -> None:
    """Talk to whoever sits at the terminal."""
    click.echo(text, err=True)


def print_json(data: object) -> None:
    """*data* as JSON on stdout."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """*rows* as a quiet table on stdout; *right* are the columns of numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, show_header=any(columns))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = None if sys.stdout.isatty() else 120
    Console(highlight=False, width=width).print(table)


_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_LINE = 96  # characters of a line of the letter that are shown with a problem


def print_problems(problems: Iterable[Problem], line: Callable[[str, int], str] = lambda _path, _line: "") -> None:
    """Problems as `path:line: level: what`, each with its *line* of the file and what to do about it."""
    for problem in problems:
        place = click.style(one_line(str(problem.at)), bold=True)  # a file's name may hold anything
        level = click.style(problem.level.value, fg=_COLOURS[problem.level.value])
        rule = click.style(f"  ({problem.check})", dim=True) if problem.check else ""
        click.echo(f"{place}: {level}: {problem.what}{rule}")
        if shown := one_line(line(problem.at.path, problem.at.line)).strip():
            click.echo(click.style(f"    │ {shown[:_LINE]}{'…' if len(shown) > _LINE else ''}", dim=True))
        if problem.hint:
            click.echo(f"    {problem.hint}")


def problem_as_data(problem: Problem) -> dict[str, object]:
    """A problem for machines."""
    return {
        "path": problem.at.path,
        "line": problem.at.line,
        "level": problem.level,
        "check": problem.check,
        "what": problem.what,
        "hint": problem.hint,
    }


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go on. Without a terminal and without --yes: a usage error, so that no script hangs or guesses."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("nothing was done: there is no terminal to ask on; add --yes to go on without asking")
    return click.confirm(question, err=True)


@contextmanager
def progress(label: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for long work; yields a function that is told how much more is done."""
    if not sys.stderr.isatty():
        yield lambda _more: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda more: bar.advance(task, more)


def instant(moment: datetime | None) -> str:
    """A moment for people, in UTC."""
    return f"{moment.astimezone(UTC):%a %d %b %Y %H:%M} UTC" if moment else ""


def people(count: int) -> str:
    """`1 person`, `1,234 people`."""
    return f"{count:,} {'person' if count == 1 else 'people'}"
