"""What the workflows do around a tick: the rehearsal that is the default, the report, the pause, the heartbeat."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts import heartbeat
from tests.workflows.conftest import Desk, make_origin
from tests.workflows.steps import Event, Runner

TICK = Event(name="schedule", payload={"schedule": "17,47 * * * 1"})
BY_HAND = Event(name="workflow_dispatch", inputs={"dry_run": True})
NL = """#!/bin/sh
echo "$@" >>"$CALLS"
if [ "$1" = tick ] && [ "$2" != --dry-run ]; then cat "$SAYS"; exit "$(cat "$SAYS.code")"; fi
"""
IN_GIT = 'database = "git+age"\n'
SLOW = '#!/bin/sh\n[ "$1" = tick ] && sleep 60\ntrue\n'
STOPPED = """#!/bin/bash
[ "$1" = tick ] || exit 0
trap 'echo "told to stop"  >&2; sleep 0.5; echo "stopped in good order" >&2; exit 4' TERM
for i in {1..600}; do sleep 0.1; done
"""
NOTHING = {"planned": {}, "sent": {}, "settled": {}, "in_doubt": {}, "held": {}, "problems": []}
Make = Callable[..., Runner]


class Newsletter:
    """Stands for the newsletter: says what it is told to say, and keeps how it was called."""

    def __init__(self, folder: Path) -> None:
        self.origin = make_origin(folder, nl=NL, files={"newsletter.toml": IN_GIT})
        self._calls, self._says = folder / "calls", folder / "says"
        self.environment = {"CALLS": str(self._calls), "SAYS": str(self._says)}
        self.says({})

    def says(self, did: dict[str, object] | None, code: int = 0) -> None:
        self._says.write_text("" if did is None else json.dumps(NOTHING | did))
        (self._says.parent / "says.code").write_text(str(code))

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    return Newsletter(tmp_path)


def send(newsletter: Newsletter, runner: Make, event: Event = TICK, **more: object) -> dict[str, str]:
    return runner(newsletter.origin, environment=newsletter.environment, **more).run("send.yml", event).results


def test_a_tick_with_nothing_to_tell_tells_nobody(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    assert send(newsletter, runner) == {"gate": "skipped", "tick": "success", "report": "skipped", "keep": "skipped"}
    assert newsletter.calls == ["--version", "tick --for 25m --json"]
    assert desk.calls == []


def test_started_by_hand_it_only_shows_unless_told_otherwise(newsletter: Newsletter, runner: Make) -> None:
    send(newsletter, runner, BY_HAND)
    assert newsletter.calls[-1] == "tick --dry-run"
    send(newsletter, runner, Event(name="workflow_dispatch", inputs={"dry_run": False}))
    assert newsletter.calls[-1] == "tick --for 25m --json"


@pytest.mark.parametrize(
    ("variables", "payload"),
    [({}, {}), ({"NEWSLETTER_SEND": "off"}, {}), ({"NEWSLETTER_SEND": "on"}, {"repository": {"fork": True}})],
)
def test_it_runs_only_where_it_was_switched_on_and_never_in_a_fork(
    newsletter: Newsletter, runner: Make, variables: dict[str, str], payload: dict[str, object]
) -> None:
    results = send(newsletter, runner, Event(name="schedule", payload=payload), variables=variables)
    assert set(results.values()) == {"skipped"}
    assert newsletter.calls == []


def test_with_an_environment_somebody_lets_it_pass_first(newsletter: Newsletter, runner: Make) -> None:
    variables = {"NEWSLETTER_SEND": "on", "NEWSLETTER_ENVIRONMENT": "letters"}
    assert send(newsletter, runner, variables=variables)["gate"] == "success"
    assert newsletter.calls[-1] == "tick --for 25m --json"


def test_what_is_held_or_wrong_is_told_once_until_there_is_something_else(
    newsletter: Newsletter, runner: Make, desk: Desk
) -> None:
    newsletter.says({"held": {"2026-11-23-tea": 1200}, "problems": ["issues/x.md: nobody has approved it"]}, code=3)
    for _ in range(3):
        assert send(newsletter, runner)["tick"] == "success"
    (issue,) = desk.issues
    assert issue["title"] == "The newsletter needs somebody"
    (said,) = issue["said"]
    assert said.startswith(
        "- 1,200 people held for being late: newsletter status\n- issues/x.md: nobody has approved it\n\nhttps://github.com/"
    )
    newsletter.says({"in_doubt": {"2026-11-23-tea": 2}}, code=4)
    send(newsletter, runner)
    (issue,) = desk.issues
    assert len(issue["said"]) == 2
    assert issue["said"][1].startswith("- 2 people in doubt")


def test_a_tick_that_cannot_begin_fails_and_is_told(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    newsletter.says(None, code=2)
    assert send(newsletter, runner)["tick"] == "failure"
    assert desk.issues[0]["said"][0].startswith("A tick did not come to its end")


def test_a_runner_that_is_lost_is_told(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    slow = make_origin(newsletter.origin.parent / "slow", nl=SLOW, files={"newsletter.toml": IN_GIT})
    ran = runner(slow, kill=("Do what is due", 1.0)).run("send.yml", TICK)
    assert ran.killed
    assert ran.results["tick"] == "failure"
    assert desk.issues[0]["said"][0].startswith("A tick did not come to its end")


def test_a_tick_that_is_cancelled_is_told_to_stop_and_waited_for(
    newsletter: Newsletter, runner: Make, tmp_path: Path
) -> None:
    origin = make_origin(tmp_path / "stopped", nl=STOPPED, files={"newsletter.toml": IN_GIT})
    ran = runner(origin, cancel=("Do what is due", 1.0)).run("send.yml", TICK)
    assert ran.log.count("told to stop") == 1
    assert "stopped in good order" in ran.log


def test_without_a_lasting_database_nothing_is_sent(runner: Make, tmp_path: Path) -> None:
    """A ledger that is gone with the runner would let the next tick mail everybody again."""
    files = {"newsletter.toml": 'database = "sqlite:///subscribers/newsletter.db"\n'}
    origin = make_origin(tmp_path / "forgetful", nl='#!/bin/sh\necho "called: $1"\n', files=files)
    ran = runner(origin).run("send.yml", TICK)
    assert ran.results["tick"] == "failure"
    assert "called: tick" not in ran.log
    assert "no lasting database" in ran.log
    lasting = runner(origin, secrets={"NEWSLETTER_DATABASE_URL": "postgresql://db.example.org/letters"})
    assert "no lasting database" not in lasting.run("send.yml", TICK).log


@pytest.mark.parametrize("line", ['database="git+age"', "database = 'git+age' # encrypted"])
def test_the_state_in_git_is_known_however_it_is_written(runner: Make, tmp_path: Path, line: str) -> None:
    origin = make_origin(tmp_path, nl='#!/bin/sh\necho "called: $1" >&2\n', files={"newsletter.toml": f"{line}\n"})
    assert "called: tick" in runner(origin).run("send.yml", TICK).log


def test_no_problem_can_write_an_output_of_its_own(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    newsletter.says({"problems": ["x\nattention=no\nEOF\nsaid=all is well"]}, code=3)
    send(newsletter, runner)
    assert "said=all is well" in desk.issues[0]["said"][0]


@pytest.mark.parametrize("issue", ["2026-11-23-tea", "$(touch pwned)", "`touch pwned`", "; touch pwned #", "--help"])
@pytest.mark.parametrize("action", ["pause", "resume", "cancel"])
def test_a_pause_takes_what_was_typed_as_text(newsletter: Newsletter, runner: Make, action: str, issue: str) -> None:
    machine = runner(newsletter.origin, environment=newsletter.environment)
    event = Event(name="workflow_dispatch", inputs={"action": action, "issue": issue, "why": "$(touch pwned) \"'"})
    assert machine.run("pause.yml", event).results == {"decide": "success"}
    yes = "--yes " if action == "cancel" else ""
    assert newsletter.calls[-1] == f"{action} {yes}--why $(touch pwned) \"' -- {issue}"
    assert not list(machine.home.rglob("pwned"))


@pytest.mark.parametrize(("secrets", "token"), [({}, "ghs_not_a_real_one"), ({"NEWSLETTER_GIT_TOKEN": "pat"}, "pat")])
@pytest.mark.parametrize("workflow", ["send.yml", "pause.yml"])
def test_a_state_in_a_repository_of_its_own_can_be_reached(
    newsletter: Newsletter, runner: Make, workflow: str, secrets: dict[str, str], token: str
) -> None:
    """The token that GitHub gives a job opens no other repository than its own."""
    machine = runner(newsletter.origin, environment=newsletter.environment, secrets=secrets)
    machine.run(workflow, Event(name="workflow_dispatch", inputs={"action": "pause", "issue": "x", "why": "y"}))
    assert machine.tokens == [token]


ENABLE = ["api", "--silent", "--method", "PUT", "repos/somebody/letters/actions/workflows/send.yml/enable"]


def listen(newsletter: Newsletter, runner: Make) -> None:
    ran = runner(newsletter.origin).run("heartbeat.yml", Event(name="schedule"))
    assert ran.results == {"listen": "success"}, ran.log


def hours_ago(hours: float) -> str:
    return f"{datetime.now(UTC) - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


# No two ticks are further apart than 37 hours, and it waits for 6 more.
@pytest.mark.parametrize(("hours", "told"), [(2, 0), (44, 1)])
@pytest.mark.parametrize("fact", ["last", "created"])  # a schedule that never ran is as old as its file
def test_ticks_that_stopped_coming_are_noticed(
    newsletter: Newsletter, runner: Make, desk: Desk, *, fact: str, hours: int, told: int
) -> None:
    desk.knows(**{fact: hours_ago(hours)})
    listen(newsletter, runner)
    assert len(desk.issues) == told
    assert ENABLE in desk.calls


def test_a_schedule_that_somebody_switched_off_stays_off(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    desk.knows(last=hours_ago(500), state="disabled_manually")
    listen(newsletter, runner)
    assert ENABLE not in desk.calls
    assert desk.issues == []


def test_only_scheduled_runs_count_as_ticks(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    listen(newsletter, runner)
    asked = next(call[1] for call in desk.calls if "/runs?" in call[1])
    assert asked.endswith("/runs?event=schedule&status=success&per_page=1")


@pytest.mark.parametrize(
    ("after", "tick"),
    [
        ("2026-11-23T08:00", "2026-11-23T08:17"),  # a Monday: twice an hour
        ("2026-11-23T08:17", "2026-11-23T08:47"),  # later, never the same
        ("2026-11-24T12:47", "2026-11-25T05:41"),  # from the last of Tuesday to the one of Wednesday
        ("2026-11-28T05:41", "2026-11-29T18:17"),  # the longest silence: Saturday to Sunday evening
    ],
)
def test_the_next_tick_is_that_of_the_schedule(after: str, tick: str) -> None:
    lines = heartbeat.crons(heartbeat.SCHEDULE.read_text())
    assert heartbeat.next_tick(lines, datetime.fromisoformat(after)) == datetime.fromisoformat(tick)


@pytest.mark.parametrize(("line", "yes"), [("*/7 8-9 * * 1", True), ("*/7 8-9 * * 2", False), ("1 * * * *", False)])
def test_a_cron_line_is_read(line: str, yes: bool) -> None:
    assert heartbeat.starts(line, datetime(2026, 11, 23, 8, 14, tzinfo=UTC)) is yes


def test_each_of_the_two_schedules_keeps_the_other(newsletter: Newsletter, runner: Make, desk: Desk) -> None:
    results = send(newsletter, runner, Event(name="schedule", payload={"schedule": "41 5 * * 3-6"}))
    assert results["keep"] == "success"
    assert desk.calls[-1][-1].endswith("heartbeat.yml/enable")
