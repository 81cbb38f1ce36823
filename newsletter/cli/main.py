"""The command `newsletter`: which commands there are, and how errors are shown.

A command's module is imported only when it is run, so that `--help` and quick commands stay quick; for the
same reason nothing stands at the top here that only some of them need, not even pathlib.
"""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Any

import click

from newsletter import __version__
from newsletter.errors import INTERNAL_ERROR, NewsletterError

# Where each command lives and its first line of help, which a test holds equal to the command's own.
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Letters": {
        "init": ("newsletter.cli.system:init", "Start a newsletter in FOLDER."),
        "new": (
            "newsletter.cli.issue:new",
            "Begin a new letter called TITLE, or after the title of the article that it is made of.",
        ),
        "assemble": ("newsletter.cli.assemble:assemble", "Make a week's draft from prepared blocks."),
        "blocks": ("newsletter.cli.assemble:blocks", "Show the block library: what was used when, and what is next."),
        "calendar": ("newsletter.cli.calendar:calendar", "Show the coming weeks: letters, observances, gaps."),
        "feeds": ("newsletter.cli.feeds:feeds", "List the feeds, and what each would give a letter now."),
        "check": ("newsletter.cli.check:check", "Find what is wrong with letters before anyone else does."),
        "preview": ("newsletter.cli.preview:preview", "Show a letter in the browser, and again at every save."),
        "render": ("newsletter.cli.issue:render", "Print a letter, as its file is now, the way a reader would get it."),
        "proof": ("newsletter.cli.issue:proof", "Send a letter, as its file is now, to one address as a proof."),
        "diff": ("newsletter.cli.diff:diff", "Show what changed in a letter as readers see it."),
        "approve": ("newsletter.cli.issue:approve", "Freeze a letter as it is now: exactly this will be sent."),
    },
    "Sending": {
        "plan": ("newsletter.cli.send:plan", "Freeze who gets an approved letter, and when."),
        "send": ("newsletter.cli.send:send", "Send what is due of an approved letter."),
        "status": ("newsletter.cli.stand:status", "Show where letters stand, in numbers."),
        "explain": ("newsletter.cli.stand:explain", "Tell what every letter did for one subscriber."),
        "pause": ("newsletter.cli.halt:pause", "Stop a letter, also one that is being sent right now."),
        "resume": ("newsletter.cli.halt:resume", "Let a paused letter go on."),
        "cancel": ("newsletter.cli.halt:cancel", "Call a letter off for everybody who has not got it."),
        "correct": ("newsletter.cli.halt:correct", "Go on with the newest approved revision of a letter."),
        "reconcile": ("newsletter.cli.doubt:reconcile", "Find out what became of deliveries that are in doubt."),
        "resolve": ("newsletter.cli.doubt:resolve", "Settle deliveries in doubt by your own word."),
        "tick": ("newsletter.cli.run:tick", "Do once whatever is due now: plan, send, settle what is in doubt."),
        "run": ("newsletter.cli.run:run", "Stay, and tick again and again: the daemon."),
    },
    "People": {
        "subscribers": (
            "newsletter.cli.subscribers:subscribers",
            "The list: import, export, add, show, leave, suppress, forget, stats, segments.",
        ),
        "inbox": ("newsletter.cli.inbox:inbox", "Read the mailbox: who leaves, what bounced, who complained."),
        "sync": ("newsletter.cli.sync:sync", "Hear from the provider who left, bounced or complained."),
    },
    "Publishing": {
        "site": ("newsletter.cli.publish:site", "The public pages of letters: build."),
        "serve": (
            "newsletter.cli.serve:serve",
            "Answer on the public pages: sign-up, leaving, and each reader's own page.",
        ),
    },
    "System": {
        "doctor": ("newsletter.cli.system:doctor", "Look whether everything needed is in place."),
        "db": ("newsletter.cli.system:db", "The database: upgrade."),
        "state": ("newsletter.cli.state:state", "The state in Git: key, init, pull, push, rotate, recreate."),
    },
}
COMMANDS = {name: row for section in SECTIONS.values() for name, row in section.items()}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for, and shows our errors as people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands, in the order of a week."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command meant by the words *args*; the nearest ones are named where there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as err:
            raise click.exceptions.NoSuchCommand(err.command_name, possibilities=COMMANDS, ctx=ctx) from err

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The commands by section, without importing any of them."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, about) for name, (_, about) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - whatever the command returns
        """Run the command; the one place where errors become words and an exit code."""
        try:
            return super().invoke(ctx)
        except NewsletterError as err:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {err}", err=True)
            if err.hint:
                click.echo(f"       {err.hint}", err=True)
            ctx.exit(err.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as err:  # noqa: BLE001 - the last resort: a traceback may quote an address
            show_bug(err, verbose=ctx.params.get("verbose", False))
            ctx.exit(INTERNAL_ERROR)


def show_bug(err: Exception, *, verbose: bool) -> None:
    """Say that this program is at fault, and where; the whole traceback only if it was asked for."""
    import traceback
    from pathlib import Path

    frame = traceback.extract_tb(err.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    click.echo(f"{click.style('bug:', fg='red', bold=True)} {type(err).__name__} in {place}", err=True)
    if verbose:
        click.echo(_without_addresses("".join(traceback.format_exception(err))), err=True)
    else:
        click.echo("     this is our mistake, not yours; `newsletter -v …` shows all of it, for a report", err=True)


def _without_addresses(text: str) -> str:
    """*text* with nothing left of an address but its domain."""
    import re

    return re.sub(r"[^\s<>\"'(),;:]+@", "…@", text)


EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 wrong words or settings, 3 the letter has problems or is not approved, "
    "4 some deliveries are in doubt, 5 the provider takes nothing just now, 70 a bug."
)


@click.group(
    cls=LazyGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--config",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="The newsletter's folder; else the nearest with a newsletter.toml.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show all of an unexpected error.")
@click.version_option(__version__, prog_name="newsletter")
@click.pass_context
def cli(ctx: click.Context, config: str | None, verbose: bool) -> None:  # noqa: ARG001, FBT001 - read by `invoke`
    """Write a letter as Markdown, approve it in Git, and send it to every reader once, at their own eight o'clock."""
    ctx.obj = config


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # letters are UTF-8 whatever the terminal's locale says
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    cli(prog_name="newsletter")
