"""A new newsletter's door: it installs the program that made it, and never writes a password into Git."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from newsletter.app.first_files import DOOR, NOT_KNOWN
from newsletter.app.founding import found, requirement

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def installed(folder: Path, **told: object) -> Distribution:
    (folder / "direct_url.json").write_text(json.dumps(told))
    return PathDistribution(folder)


def from_git(url: str) -> dict[str, object]:
    return {"url": url, "vcs_info": {"vcs": "git", "commit_id": COMMIT}}


def test_what_came_from_git_is_named_with_its_commit(tmp_path: Path) -> None:
    line = requirement(installed(tmp_path, **from_git("https://git.example.org/newsletter.git")))
    assert line == f"newsletter @ git+https://git.example.org/newsletter.git@{COMMIT}\n"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"url": "file:///home/somebody/newsletter", "dir_info": {}},
        from_git("file:///home/somebody/newsletter"),
        from_git("https://me:hidden-word@git.example.org/newsletter.git"),
    ],
)
def test_what_others_cannot_fetch_or_must_not_read_is_left_to_be_completed(
    told: dict[str, object], tmp_path: Path
) -> None:
    assert requirement(installed(tmp_path, **told)) == NOT_KNOWN


def test_the_door_says_what_is_missing_and_passes_everything_on(tmp_path: Path) -> None:
    folder = tmp_path / "a letter"
    assert "nl" in found(folder)
    door, wanted = folder / "nl", folder / "requirements.txt"
    assert door.read_text() == DOOR
    wanted.write_text("# newsletter @ git+https://git.example.org\n")
    said = subprocess.run([door, "check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert "requirements.txt" in said.stderr
    program = folder / ".venv" / "bin" / "newsletter"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    program.chmod(0o755)
    (folder / ".venv" / "made-from").write_text((folder / "requirements.lock").read_text() + wanted.read_text())
    said = subprocess.run([door, "check", "a b"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (7, "check|a b|", "")


def test_a_checkout_keeps_its_own_door_and_nothing_is_written_twice(tmp_path: Path) -> None:
    (tmp_path / "nl").write_text("#!/bin/sh\n")
    written = found(tmp_path)
    assert not {"nl", "requirements.txt", "requirements.lock", ".github/workflows/send.yml"} & set(written)
    assert found(tmp_path) == []
