"""A repository with our workflows, a runner for it, and a desk at which `gh` leaves what it did."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.steps import Runner

ROOT = Path(__file__).resolve().parents[2]
ON = {"NEWSLETTER_SEND": "on"}


@dataclass(frozen=True, slots=True)
class Desk:
    """What `gh` was told."""

    path: Path

    @property
    def issues(self) -> list[dict[str, Any]]:
        return self._kept["issues"]

    @property
    def pulls(self) -> list[dict[str, str]]:
        return self._kept.get("pulls", [])

    @property
    def calls(self) -> list[list[str]]:
        return self._kept["calls"]

    def knows(self, **facts: str) -> None:
        """Let `gh` say of the workflow `send` its last good run (`last`), its `state`, and when it was `created`."""
        self.path.write_text(json.dumps({"calls": [], "issues": [], **facts}))

    @property
    def _kept(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"calls": [], "issues": []}
        return json.loads(self.path.read_text()) if self.path.exists() else empty


def make_origin(folder: Path, *, nl: str, files: Mapping[str, str] | None = None) -> Path:
    """A bare repository with our workflows and scripts, *nl* as its front door, and *files*."""
    work, origin = folder / "work", folder / "origin.git"
    for name in (".github", "scripts"):
        shutil.copytree(ROOT / name, work / name)
    for name, text in {"nl": nl, **(files or {})}.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (work / "nl").chmod(0o755)
    publish(work, origin)
    return origin


def publish(work: Path, origin: Path) -> None:
    """Put all that is in *work* on the branch main of a new *origin*."""
    named = ("-c", "user.name=somebody", "-c", "user.email=")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(origin)], check=True)
    for words in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*named, "commit", "--quiet", "--message", "all"),
        ("push", "--quiet", str(origin), "main"),
    ):
        subprocess.run(["git", "-C", str(work), *words], check=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk.json")


@pytest.fixture
def runner(tmp_path: Path, desk: Desk) -> Callable[..., Runner]:
    """A function from an origin (and what differs) to a machine that has never seen it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    gh = programs / "gh"
    # No `#!` with an interpreter: in a path with a space it would end there.
    gh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "gh.py"}" "$@"\n')
    gh.chmod(0o755)
    machines = iter(range(10_000))

    def make(origin: Path, **more: Any) -> Runner:
        environment = {"GH_DESK": str(desk.path), **more.pop("environment", {})}
        home = tmp_path / f"machine{next(machines)}"
        return Runner(home=home, origin=origin, programs=programs, environment=environment, **{"variables": ON, **more})

    return make
