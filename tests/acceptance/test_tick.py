"""`tick` and `run`, as a scheduler or an operator calls them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.workplace import ISSUE, Workplace

ROOT = Path(__file__).resolve().parents[2]
BEFORE, FIRST, BERLIN, AFTER, TOO_LATE = (
    f"2026-11-{moment}:00+00:00" for moment in ("22T17:59", "22T18:01", "23T07:01", "23T20:00", "26T20:00")
)


def people_in(*zones: str) -> str:
    return "email,timezone\n" + "".join(f"reader{n}@example.org,{zone}\n" for n, zone in enumerate(zones))


@pytest.fixture
def ready(workplace: Workplace) -> Workplace:
    return workplace.ready(people=people_in("Pacific/Kiritimati", "Europe/Berlin", "", "America/Chicago"))


def test_every_zone_gets_it_at_its_own_time_and_nobody_twice(ready: Workplace) -> None:
    assert "Nothing is due" in ready.done("tick", now=BEFORE).stderr
    for now, files in ((FIRST, 1), (FIRST, 1), (BERLIN, 3), (AFTER, 4), (AFTER, 4)):
        ready.done("tick", now=now)
        assert len(ready.outbox()) == files
    assert "Nothing is due" in ready.done("tick", now=AFTER).stderr


def test_a_rehearsal_tells_and_does_nothing(ready: Workplace) -> None:
    assert ready.done("tick", "--dry-run", "--json", now=FIRST).data["planned"] == {ISSUE: 4}
    assert ready.outbox() == []
    ready.done("tick", now=FIRST)
    data = ready.done("tick", "--dry-run", "--json", now=AFTER).data
    assert (data["planned"], data["sent"]) == ({}, {ISSUE: 3})
    assert len(ready.outbox()) == 1


def test_who_was_not_reached_in_time_is_held_and_reported(ready: Workplace) -> None:
    ready.done("tick", now=BERLIN)
    said = ready.done("tick", "--json", now=TOO_LATE)
    assert said.data["held"] == {ISSUE: 1}
    assert len(ready.outbox()) == 3
    assert "Held for being late: 1 person" in ready.done("tick", now=TOO_LATE).stderr


def test_a_letter_that_is_due_and_not_approved_is_a_problem(ready: Workplace) -> None:
    for path in (ready.root / "issues").glob("*.approval.toml"):
        path.unlink()
    said = ready.run("tick", now=BERLIN)
    assert said.exit_code == 3
    assert "nobody has approved this letter yet" in said.stderr
    assert ready.outbox() == []


def test_an_approved_letter_waits_for_those_who_may_object(ready: Workplace) -> None:
    settings = ready.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[schedule]", "[schedule]\nveto_hours = 2"))
    ready.done("tick", now="2026-11-23T21:59:00+00:00")  # approved at 20:00, by the pretended clock
    assert ready.outbox() == []
    ready.done("tick", now="2026-11-23T22:01:00+00:00")
    assert len(ready.outbox()) == 4


def test_a_letter_on_a_quiet_day_cannot_be_approved(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[schedule]", '[schedule]\nquiet = ["11-23"]'))
    said = workplace.run("approve", ISSUE)
    assert said.exit_code == 3
    assert "2026-11-23 is a quiet day" in said.stdout + said.stderr


def test_github_gets_a_summary_without_addresses(ready: Workplace, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    ready.environment["GITHUB_STEP_SUMMARY"] = str(summary)
    ready.done("tick", now=AFTER)
    ready.done("tick", "--dry-run", now=AFTER)
    text = summary.read_text()
    assert f"| {ISSUE} | 4 | 4 |  |  |  |" in text
    assert "rehearsed" in text
    assert "@" not in text


def test_a_real_provider_and_a_database_that_is_gone_with_the_runner_are_refused(ready: Workplace) -> None:
    settings = ready.root / "newsletter.toml"
    settings.write_text(re.sub(r'(?m)^name = "outbox"', 'name = "resend"', settings.read_text()))
    ready.environment |= {
        "GITHUB_ACTIONS": "true",
        "NEWSLETTER_NOW": None,
        "NEWSLETTER_RESEND_API_KEY": "re_for_tests_only",
    }
    said = ready.run("send", ISSUE, "--yes", now="")
    assert said.exit_code == 2
    assert "gone when the job ends" in said.stderr
    assert "NEWSLETTER_DATABASE_URL" in said.stderr


def test_a_tick_has_an_end(ready: Workplace) -> None:
    assert ready.run("tick", "--for", "soon").exit_code == 2
    assert ready.done("tick", "--for", "25m", now=AFTER).exit_code == 0
    assert len(ready.outbox()) == 4


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_sends_what_is_due_tells_its_health_and_ends_when_asked(
    ready: Workplace, tmp_path: Path, how: signal.Signals
) -> None:
    health = tmp_path / "health.json"
    command = [sys.executable, "-m", "newsletter", "--config", str(ready.root), "run", "--every", "1s"]
    environment = {**os.environ, "NEWSLETTER_NOW": AFTER, "PYTHONPATH": str(ROOT)}
    environment.pop("NEWSLETTER_DATABASE_URL", None)
    with subprocess.Popen(
        [*command, "--health", str(health), "--json"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (health.exists() and len(ready.outbox()) == 4):
            time.sleep(0.05)
        time.sleep(1.5)  # and once more, with nothing due
        process.send_signal(how)
        began = time.monotonic()
        out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 7
    assert process.returncode == 0
    beats = [json.loads(line) for line in out.splitlines()]
    assert beats[0]["did"]["sent"] == {ISSUE: 4}
    assert beats[1]["said"] == "nothing was due"
    assert json.loads(health.read_text())["ok"] is True
    assert len(ready.outbox()) == 4


def test_a_health_file_that_cannot_be_written_is_told_and_ends_nothing(ready: Workplace, tmp_path: Path) -> None:
    health = tmp_path / "gone" / "health.json"
    command = [sys.executable, "-m", "newsletter", "--config", str(ready.root), "run", "--every", "1s"]
    environment = {**os.environ, "NEWSLETTER_NOW": AFTER, "PYTHONPATH": str(ROOT)}
    environment.pop("NEWSLETTER_DATABASE_URL", None)
    with subprocess.Popen(
        [*command, "--health", str(health)], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        told = next(line for line in process.stderr if "health" in line)
        assert told == "The health file cannot be written: No such file or directory\n"
        assert next(line for line in process.stderr if "health" in line) == told  # and once more
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
