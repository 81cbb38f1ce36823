"""The command line itself: every command has help, and the overview says what the commands say."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from newsletter.cli.main import COMMANDS, INTERNAL_ERROR, LazyGroup, cli
from tests.unit.letters import ROOT


def walk(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """A command and all below it."""
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += walk(below, (*path, name))
    return found


ALL = walk(cli)
HEAVY = {"sqlalchemy", "jinja2", "premailer", "lxml", "rich", "yaml", "markdown_it", "requests"}


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "newsletter" for path, _ in ALL])
def test_every_command_has_help_by_both_flags_and_says_what_each_option_does(
    path: tuple[str, ...], command: click.Command
) -> None:
    for flag in ("-h", "--help"):
        result = CliRunner().invoke(cli, [*path, flag])
        assert result.exit_code == 0, result.output
        assert "Usage:" in result.output
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name}"


def test_the_overview_says_what_the_commands_say() -> None:
    for path, command in ALL:
        if len(path) == 1:
            assert (command.help or "").splitlines()[0] == COMMANDS[path[0]][1]


def test_help_imports_no_more_than_click() -> None:
    program = (
        "import sys; from click.testing import CliRunner; from newsletter.cli.main import cli; "
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0; "
        f"heavy = {HEAVY} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_bug_is_shown_without_its_traceback_unless_asked_for() -> None:
    group = LazyGroup("x", params=[click.Option(["-v", "--verbose"], is_flag=True)])

    @click.command()
    def broken() -> None:
        raise RuntimeError("zoe@example.org")

    group.get_command = lambda _ctx, _name: broken  # type: ignore[method-assign]
    quiet = CliRunner().invoke(group, ["check"])
    assert quiet.exit_code == INTERNAL_ERROR
    assert "RuntimeError in test_main.py" in quiet.stderr
    assert "zoe@" not in quiet.output
    assert "Traceback" in CliRunner().invoke(group, ["-v", "check"]).stderr
