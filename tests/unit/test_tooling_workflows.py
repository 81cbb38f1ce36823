"""The workflows are valid, hold least rights, and run nothing that can be moved under us."""

import re
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")
CRON = re.compile(r"[\d,*/-]+(?: [\d,*/-]+){4}")


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def file(request):
    return request.param


def complaints(text):
    """What no public tool says about a workflow, as sentences."""
    workflow = yaml.safe_load(text)
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as a truth value
    if workflow.get("permissions") != {}:
        yield "no top-level `permissions: {}`"
    for uses in re.findall(r"uses: *(.+)", text):
        if not PINNED.fullmatch(uses):
            yield f"not pinned to a full SHA with its version beside it: {uses}"
    for name, job in workflow["jobs"].items():
        if "timeout-minutes" not in job:
            yield f"{name} has no timeout-minutes"
        if "schedule" in triggers and writes(job) and not queues(job.get("concurrency", {})):
            yield f"{name} writes, and another run of it could be thrown away or end it"
        for step in job.get("steps", []):
            if "${{" in step.get("run", ""):
                yield f"an expression inside run: {step['run']}"
    if "schedule" in triggers:
        yield from complaints_about_schedules(triggers)


def writes(job):
    return job.get("permissions", {}).get("contents") == "write"


def queues(group):
    return group.get("queue") == "max" and group.get("cancel-in-progress") is False


def complaints_about_schedules(triggers):
    if {"push", "pull_request", "pull_request_target"} & set(triggers):
        yield "a schedule beside push or pull_request: after 60 quiet days both are switched off"
    for entry in triggers["schedule"]:
        minute = entry["cron"].split()[0]
        if not CRON.fullmatch(entry["cron"]) or any(int(number) > 59 for number in re.findall(r"\d+", minute)):
            yield f"not a cron line: {entry['cron']}"
        elif {"0", "30", "*"} & set(minute.split(",")):
            yield f"a minute that everyone picks: {entry['cron']}"
        if entry.get("timezone", "UTC") not in zoneinfo.available_timezones():
            yield f"no such time zone: {entry['timezone']}"


def test_we_have_nothing_to_complain_about(file):
    assert list(complaints(file.read_text())) == []


def test_zizmor_finds_nothing(file):
    command = [Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", "-q", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_what_github_calls_a_workflow(file):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


SHA = "a" * 40
BAD = f"""
on:
  push:
  schedule:
    - cron: "0 8 * * 1"
    - cron: "77 6 * * 1"
      timezone: Europe/Nowhere
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-python@{SHA}
      - uses: actions/setup-python@{SHA} # v6
      - run: echo ${{{{ github.event.issue.title }}}}
    permissions:
      contents: write
"""


def test_the_checks_can_fail():
    assert list(complaints(BAD)) == [
        "no top-level `permissions: {}`",
        "not pinned to a full SHA with its version beside it: actions/checkout@v6",
        f"not pinned to a full SHA with its version beside it: actions/setup-python@{SHA}",
        "a has no timeout-minutes",
        "a writes, and another run of it could be thrown away or end it",
        "an expression inside run: echo ${{ github.event.issue.title }}",
        "a schedule beside push or pull_request: after 60 quiet days both are switched off",
        "a minute that everyone picks: 0 8 * * 1",
        "not a cron line: 77 6 * * 1",
        "no such time zone: Europe/Nowhere",
    ]
