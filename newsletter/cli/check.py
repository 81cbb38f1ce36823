"""Check: what is wrong with letters, for people, machines, pull requests and code scanners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import (
    json_option,
    print_json,
    print_problems,
    print_table,
    problem_as_data,
    say,
    with_newsletter,
)
from newsletter.content.issue import Level
from newsletter.errors import IssueHasProblems

if TYPE_CHECKING:
    from newsletter.content.issue import Problem
    from newsletter.usecases.build import Built


@click.command()
@click.argument("issues", metavar="[ISSUE]...", nargs=-1)
@click.option("--links", is_flag=True, help="Follow the links, too, and see whether pages are there.")
@click.option("--list", "as_list", is_flag=True, help="Show every check there is, and which are off.")
@json_option
@click.option("--github", "as_github", is_flag=True, help="Print annotations for a pull request on GitHub.")
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0 for code scanners.")
@with_newsletter
def check(
    newsletter: Newsletter,
    issues: tuple[str, ...],
    *,
    links: bool,
    as_list: bool,
    as_json: bool,
    as_github: bool,
    as_sarif: bool,
) -> None:
    """Find what is wrong with letters before anyone else does.

    Without ISSUE, all letters are checked. An error keeps a letter from being approved and sent, a warning is
    something that readers may notice, and a note is for the editor to think about.
    Example: newsletter check 2026-11-23-renew-your-goals
    """
    if as_list:
        _print_checks(newsletter, as_json=as_json)
        return
    names = issues or tuple(newsletter.workspace.all_ids())
    if not names:
        say('There are no letters yet. Begin one: newsletter new "A title"')
    letters = Letters(newsletter)
    built = [letters.check(name) for name in names]
    if links:
        built = _followed(newsletter, built)
    problems = list(dict.fromkeys(problem for each in built for problem in each.problems))  # all share one theme
    if as_json:
        print_json([problem_as_data(problem) for problem in problems])
    elif as_sarif:
        print_json(_sarif(problems))
    elif as_github:
        for problem in problems:
            click.echo(_annotation(problem))
    else:
        print_problems(problems, newsletter.workspace.line)
    for each in built:
        say(f"{each.issue.id}: {_in_numbers(each)}")
    errors = sum(problem.level is Level.ERROR for problem in problems)
    if errors:
        raise IssueHasProblems(
            f"{errors} problem{'s' if errors != 1 else ''} to mend",
            hint="a letter with an error can be neither approved nor sent",
        )


def _followed(newsletter: Newsletter, letters: Sequence[Built]) -> list[Built]:
    """The letters, and what following their links showed."""
    from dataclasses import replace

    from newsletter.app.following import Following  # a check without links needs no network
    from newsletter.cli.output import progress

    following = Following(newsletter)
    with progress("following links", total=len(following.addresses(letters))) as done:
        found = following.problems(letters, done)
    return [replace(each, problems=(*each.problems, *more)) for each, more in zip(letters, found, strict=True)]


def _in_numbers(built: Built) -> str:
    """`2 errors, 1 note`, or that nothing is wrong."""
    levels = [problem.level.value for problem in built.problems]
    counts = [(levels.count(level), level) for level in ("error", "warning", "note")]
    return ", ".join(f"{n} {level}{'s' if n != 1 else ''}" for n, level in counts if n) or "nothing wrong"


def _print_checks(newsletter: Newsletter, *, as_json: bool) -> None:
    from newsletter.rendering.checks.table import CHECKS

    off = newsletter.settings.checks_off
    rows = [
        {
            "check": each.id,
            "level": each.level,
            "objects to": each.about,
            "fix": each.fix,
            "firm": each.firm,
            "off": off.get(each.id),
        }
        for each in CHECKS
    ]
    if as_json:
        print_json(rows)
        return
    print_table(("check", "level", "objects to"), [(each.id, each.level.value, each.about) for each in CHECKS])
    for name, why in off.items():
        say(f"{name} is off: {why}")


def _annotation(problem: Problem) -> str:
    """A workflow command, which GitHub shows beside the line. Its escapes: actions/toolkit, `command.ts`."""
    level = {"error": "error", "warning": "warning", "note": "notice"}[problem.level.value]
    title = _escaped(problem.check or "letter").replace(":", "%3A").replace(",", "%2C")
    path = _escaped(problem.at.path).replace(":", "%3A").replace(",", "%2C")
    text = _escaped(f"{problem.what}\n{problem.hint}".strip())
    return f"::{level} file={path},line={max(problem.at.line, 1)},title={title}::{text}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sarif(problems: Sequence[Problem]) -> dict[str, object]:
    """Static Analysis Results Interchange Format 2.1.0 (OASIS)."""
    from urllib.parse import quote

    from newsletter import __version__
    from newsletter.rendering.checks.table import CHECKS

    levels = {each.id: each.level.value for each in CHECKS}
    rules = [
        {
            "id": each.id,
            "shortDescription": {"text": each.about},
            "help": {"text": each.fix},
            "defaultConfiguration": {"level": levels[each.id]},
        }
        for each in CHECKS
    ]
    results = [
        {
            **({"ruleId": problem.check} if problem.check in levels else {}),
            "level": problem.level.value,
            "message": {"text": f"{problem.what}. {problem.hint}" if problem.hint else problem.what},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(problem.at.path)},
                        "region": {"startLine": max(problem.at.line, 1)},
                    }
                }
            ],
        }
        for problem in problems
    ]
    tool = {"driver": {"name": "newsletter", "semanticVersion": __version__, "rules": rules}}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": tool, "results": results}],
    }
