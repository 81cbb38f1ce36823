"""Runs the jobs of a workflow for real: its `run:` steps in a fresh clone of a bare remote, as a runner would.

Nothing of the machine's own settings is seen: HOME, Git's configuration and the environment are the job's. Of
actions it knows two, which clone and which bring Python.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.expressions import fill, holds

REPOSITORY = "somebody/letters"
_LOST = -1000


@dataclass(slots=True)
class Ran:
    """What came of a workflow: the result of each job, its log, and what its summary says."""

    results: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Why a workflow runs."""

    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    ref_name: str = "main"


@dataclass(slots=True, kw_only=True)
class Runner:
    """A machine that runs workflows of the repository at *origin*; *programs* come first on its PATH."""

    home: Path
    origin: Path
    programs: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    kill: tuple[str, float] | None = None  # a step's name, and after how many seconds
    cancel: tuple[str, float] | None = None  # the same; GitHub signals the step's first process, and no other
    tokens: list[str] = field(default_factory=list)  # with which the repository was checked out
    artifacts: list[Path] = field(default_factory=list)  # that were kept

    def run(self, workflow: str, event: Event) -> Ran:
        """All jobs of a workflow, those first that others need."""
        text = subprocess.run(
            ["git", "-C", str(self.origin), "show", f"main:.github/workflows/{workflow}"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        jobs = yaml.safe_load(text)["jobs"]
        ran, needs = Ran(), dict[str, Any]()
        for name in _in_order(jobs):
            job = jobs[name]
            before = [needs[each]["result"] for each in _needs(job)]
            status = "failure" if {"failure", "skipped"} & set(before) else "success"
            context = self._context(event) | {"needs": {each: needs[each] for each in _needs(job)}}
            if not holds(job.get("if"), context, status=status):
                needs[name] = {"result": "skipped", "outputs": {}}
            else:
                result, outputs = self._job(name, job, context, ran)
                needs[name] = {"result": result, "outputs": outputs}
            ran.results[name] = needs[name]["result"]
        leaked = [secret for secret in self.secrets.values() if len(secret) > 3 and secret in ran.log]
        assert not leaked, "a secret is in the log"
        return ran

    def _context(self, event: Event) -> dict[str, Any]:
        github = {
            "event_name": event.name,
            "event": {"repository": {"fork": False, "default_branch": "main"}, **event.payload},
            "ref_name": event.ref_name,
            "repository": REPOSITORY,
            "server_url": "https://github.com",
            "run_id": "1",
            "token": "ghs_not_a_real_one",
        }
        return {"github": github, "inputs": event.inputs, "vars": self.variables, "secrets": self.secrets}

    def _job(self, name: str, job: Mapping[str, Any], context: dict[str, Any], ran: Ran) -> tuple[str, dict[str, str]]:
        work = self.home / name
        for folder in (work / "home", work / "temp", work / "repo"):
            folder.mkdir(parents=True, exist_ok=True)
        steps: dict[str, Any] = {}
        context = context | {"steps": steps}
        status = "success"
        for number, step in enumerate(job["steps"]):
            if not holds(step.get("if"), context, status=status):
                continue
            outputs = work / f"output-{number}"
            outputs.write_text("")
            code = self._step(step, work, outputs, context, ran)
            if code == _LOST:
                return "failure", {}  # a runner that is lost runs nothing more
            if "id" in step:
                steps[step["id"]] = {"outputs": _outputs(outputs.read_text())}
            status = "failure" if code else status
        summary = work / "summary.md"
        ran.summary += summary.read_text() if summary.exists() else ""
        given = {key: fill(str(value), context) for key, value in job.get("outputs", {}).items()}
        return status, given

    def _step(self, step: Mapping[str, Any], work: Path, outputs: Path, context: Mapping[str, Any], ran: Ran) -> int:
        if "uses" in step:
            return self._action(step, work, context)
        given = {key: fill(str(value), context) for key, value in step.get("env", {}).items()}
        environment = {
            "PATH": f"{self.programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(work / "home"),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "somebody",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(work / "summary.md"),
            "RUNNER_TEMP": str(work / "temp"),
            "GIT_TERMINAL_PROMPT": "0",
            **self.environment,
            **given,
        }
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=work / "repo", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        kill = self.kill[1] if self.kill and self.kill[0] == step.get("name") else None
        cancel = self.cancel[1] if self.cancel and self.cancel[0] == step.get("name") else None
        try:
            said, _ = process.communicate(timeout=kill or cancel)
        except subprocess.TimeoutExpired:
            if kill is None:
                process.send_signal(signal.SIGINT)
            else:
                os.killpg(process.pid, signal.SIGKILL)
                ran.killed = True
            said, _ = process.communicate()
        ran.log += said
        return _LOST if ran.killed and kill is not None else process.returncode

    def _action(self, step: Mapping[str, Any], work: Path, context: Mapping[str, Any]) -> int:
        action = step["uses"].partition("@")[0]
        if action == "actions/setup-python":
            return 0
        if action == "actions/upload-artifact":
            kept = Path(fill(str(step["with"]["path"]), context | {"runner": {"temp": str(work / "temp")}}))
            self.artifacts += sorted(path for path in kept.rglob("*") if path.is_file())
            return 0
        if action != "actions/checkout":
            raise NotImplementedError(action)
        branch = fill(str(step.get("with", {}).get("ref", context["github"]["ref_name"])), context)
        self.tokens.append(fill(str(step.get("with", {}).get("token", context["github"]["token"])), context))
        words = ["git", "clone", "--quiet", "--branch", branch, f"file://{self.origin}", str(work / "repo")]
        if step.get("with", {}).get("fetch-depth", 1):
            words[3:3] = ["--depth", "1"]
        return subprocess.run(words, check=False, capture_output=True).returncode


def _needs(job: Mapping[str, Any]) -> Sequence[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def _in_order(jobs: Mapping[str, Any]) -> list[str]:
    done: list[str] = []
    while len(done) < len(jobs):
        done += [name for name in jobs if name not in done and set(_needs(jobs[name])) <= set(done)]
    return done


def _outputs(text: str) -> dict[str, str]:
    """What a step wrote to GITHUB_OUTPUT: `name=value` lines, and texts of several lines between two marks."""
    found = {}
    for name, mark, several, value in re.findall(r"(?ms)^(\w+)(?:<<(\S+)\n(.*?)\n\2|=(.*?))$", text):
        found[name] = several if mark else value
    return found
