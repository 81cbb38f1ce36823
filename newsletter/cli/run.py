"""Without anybody at the desk: tick, run."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.signals import until_stopped
from newsletter.app.ticking import Ticking
from newsletter.cli.output import instant, json_option, people, print_json, print_table, root_of, say, with_newsletter
from newsletter.cli.summary import as_data, as_markdown, heard_words, problems_of
from newsletter.settings.read import read_settings
from newsletter.usecases.tick import Did


class Span(click.ParamType[timedelta]):
    """A span of time such as 90s, 25m or 2h."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401
        """The span, or a usage error."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9]\d{0,4})([smh])", str(value))
        if not found:
            self.fail(f"{value!r} is no span of time; write e.g. 90s, 25m or 2h", param, ctx)
        return timedelta(seconds=int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])


@click.command()
@click.option("--for", "limit", type=Span(), help="Begin nothing more after so long, e.g. 25m.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@json_option
@click.pass_context
@with_newsletter
def tick(
    newsletter: Newsletter,
    ctx: click.Context,
    limit: timedelta | None,
    dry_run: bool,  # noqa: FBT001 - click passes them by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Do once whatever is due now: plan, send, settle what is in doubt.

    For whatever calls it often: GitHub Actions, cron, a timer. Late, twice at once or cut short, it harms
    nobody: what each reader got is in the database. Approved letters need no further word.
    """
    ticking = Ticking(newsletter, tell=say)
    if dry_run:
        did = ticking.rehearse()
    else:
        with until_stopped() as stop:
            did = ticking.tick(stop, limit=limit)
    if as_json:
        print_json(as_data(did))
    else:
        _show(did, dry_run=dry_run)
    _summarise(did, dry_run=dry_run)
    ctx.exit(did.exit_code or (4 if did.in_doubt else 0))


def _show(did: Did, *, dry_run: bool) -> None:
    if did.elsewhere:
        say("Another tick is at work; it does what is due.")
        return
    if did.heard:
        say(f"Heard of people: {heard_words(did)}.")
    columns = ("letter", "would be planned" if dry_run else "planned", "due" if dry_run else "done", "in doubt", "held")
    rows = [
        (letter, *(f"{counts[letter]:,}" if letter in counts else "" for counts in _columns(did)))
        for letter in sorted({letter for counts in _columns(did) for letter in counts})
    ]
    if rows:
        print_table(columns, rows, right=(1, 2, 3, 4))
    else:
        say("Nothing is due.")
    for problem in problems_of(did):
        say(f"problem: {problem}")
    if did.held:
        say(f"Held for being late: {people(sum(did.held.values()))}; what to do: newsletter status")
    if did.next_due_at:
        say(f"Next: {instant(did.next_due_at)}.")
    if did.stopped:
        say("Stopped before everything was done; the next tick goes on.")


def _columns(did: Did) -> tuple[dict[str, int], ...]:
    return dict(did.planned), dict(Counter(did.sent) + Counter(did.settled)), dict(did.in_doubt), dict(did.held)


def _summarise(did: Did, *, dry_run: bool) -> None:
    """Where GitHub asks for a summary of the job, write one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(as_markdown(did, dry_run=dry_run))


@click.command()
@click.option("--every", type=Span(), default="30s", show_default=True, help="How often to look what is due.")
@click.option(
    "--health", type=click.Path(dir_okay=False, path_type=Path), help="A file that says how the last tick went."
)
@json_option
@click.pass_context
def run(ctx: click.Context, every: timedelta, health: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Stay, and tick again and again: the daemon.

    It does what `newsletter tick` does, and nothing else. SIGTERM or Ctrl-C end it within seconds.
    """
    from newsletter.app.heartbeat import Beat, Heartbeat, write_health

    root = root_of(ctx)
    read_settings(root)  # what is wrong with them is said at once, and not every half minute

    def told(beat: Beat) -> None:
        if health:
            try:
                write_health(health, beat)
            except OSError as err:
                say(f"The health file cannot be written: {err.strerror}")
        if as_json:
            did = as_data(beat.did) if beat.did else None
            click.echo(_line({"at": beat.at, "ok": beat.ok, "said": beat.said, "did": did}))
        elif beat.did is None or not beat.did.idle:
            say(f"{instant(beat.at)}: {beat.said}")
            for problem in problems_of(beat.did) if beat.did else ():
                say(f"  problem: {problem}")

    with until_stopped() as stop:
        say(f"Looking every {int(every.total_seconds())} seconds what is due. Ctrl-C ends it.")
        Heartbeat(lambda: _tick_once(root, stop), every_s=int(every.total_seconds()), told=told).run(stop)
    say("Ended.")


def _tick_once(root: Path, stop: threading.Event) -> Did:
    """One tick with everything opened anew: settings, letters and database may have changed since the last."""
    with Newsletter(read_settings(root)) as newsletter:
        return Ticking(newsletter, tell=lambda _: None).tick(stop)


def _line(data: dict[str, object]) -> str:
    import json

    return json.dumps(data, default=lambda value: value.isoformat(timespec="seconds"))
