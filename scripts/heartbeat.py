"""Notices when the ticks of the workflow `send` stop coming, keeps its schedule on, and tells the operator.

Needs only Python, gh and GH_TOKEN.  GitHub drops starts without a trace, so their absence is all there is to see.

    python3 scripts/heartbeat.py LINK
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCHEDULE = ROOT / ".github" / "workflows" / "send.yml"
# GitHub starts most ticks within two hours; in six, a dozen of Monday's have failed, and 30 of a letter's 36 are left.
PATIENCE = timedelta(hours=6)
TITLE = "The newsletter's ticks have stopped"


def main(link: str) -> None:
    """Look, keep the schedule on, and tell; in this order, since switching it on changes what is seen."""
    workflow = f"repos/{os.environ['GITHUB_REPOSITORY']}/actions/workflows/send.yml"
    found = _gh(workflow)
    if found["state"] == "disabled_manually":
        print("Somebody switched the workflow send off by hand; it stays so.")
        return
    # A start by hand says nothing about the schedule, and is a rehearsal more often than not.
    runs = _gh(f"{workflow}/runs?event=schedule&status=success&per_page=1")["workflow_runs"]
    last = datetime.fromisoformat(runs[0]["created_at"] if runs else found["created_at"])
    subprocess.run(["gh", "api", "--silent", "--method", "PUT", f"{workflow}/enable"], check=True)  # noqa: S607 - the runner's own
    expected = next_tick(crons(SCHEDULE.read_text()), last)
    if datetime.now(UTC) - expected <= PATIENCE:
        print(f"All is well: the tick after the last good one is that of {expected:%Y-%m-%d %H:%M} UTC.")
        return
    text = (
        f"No scheduled run of the workflow send has come to a good end since {last:%Y-%m-%d %H:%M} UTC. "
        "The schedule was switched on again just now; look at the last runs, or start one by hand."
    )
    subprocess.run([ROOT / "scripts" / "tell.sh", TITLE, text, link], check=True)


def crons(workflow: str) -> list[str]:
    """The cron lines of a workflow, read without a YAML parser: the runner's Python brings none."""
    return re.findall(r"""^ *- cron: *["'](.+?)["']""", workflow, re.MULTILINE)


def next_tick(lines: list[str], after: datetime) -> datetime:
    """The first minute later than *after* at which one of the cron lines starts a run."""
    moment = after.replace(second=0, microsecond=0)
    for _ in range(8 * 24 * 60):
        moment += timedelta(minutes=1)
        if any(starts(line, moment) for line in lines):
            return moment
    raise SystemExit("heartbeat: send.yml has no schedule that starts within a week")


def starts(line: str, moment: datetime) -> bool:
    """Whether a cron line (UTC; Sunday is 0) starts a run in the minute of *moment*."""
    values = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    return all(_allows(field, value) for field, value in zip(line.split(), values, strict=True))


def _allows(field: str, value: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = ("0-59" if span == "*" else span).partition("-")
        if int(low) <= value <= int(high or low) and (value - int(low)) % int(step or 1) == 0:
            return True
    return False


def _gh(path: str) -> Any:  # noqa: ANN401 - whatever GitHub answers
    done = subprocess.run(["gh", "api", path], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S607
    return json.loads(done.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
