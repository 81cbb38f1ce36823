"""The set-up guide, tried from its own text: every command of each way, in a fresh repository with a real remote."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.app.founding import found

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "setup.md").read_text()
FRONT_DOOR = f'#!/bin/sh\nexec "{sys.executable}" -P -m newsletter "$@"\n'


def commands(*sections: str) -> str:
    """All that is to be typed in these sections."""
    found = {}
    for section in re.split(r"(?m)^## ", GUIDE)[1:]:
        title, _, body = section.partition("\n")
        found[title] = "\n".join(re.findall(r"(?ms)^```sh\n(.*?)^```$", body))
    return "\n".join(found[section] for section in sections)


def typed(text: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """What comes of typing *text* in a repository as the template would make it."""
    repository, origin, programs = folder / "letters", folder / "origin.git", folder / "programs"
    found(repository)
    (repository / "subscribers" / "secret.key").unlink()  # no template has one
    for place, content in ((repository / "nl", FRONT_DOOR), (programs / "gh", '#!/bin/sh\necho "gh $*"\n')):
        place.parent.mkdir(exist_ok=True)
        place.write_text(content)
        place.chmod(0o755)
    for words in (
        ("init", "--quiet", "--bare", str(origin)),
        ("init", "--quiet", "--initial-branch=main", str(repository)),
        ("-C", str(repository), "remote", "add", "origin", str(origin)),
    ):
        subprocess.run(["git", *words], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    home = {"HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null", "PYTHONPATH": str(ROOT)}
    named = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": ""}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=repository,
        env=kept | home | named | {"PATH": f"{programs}:{os.environ['PATH']}"} | more,
        capture_output=True,
        text=True,
        check=False,
    )


def test_github_only(tmp_path: Path) -> None:
    done = typed(commands("The same for all", "GitHub only"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gh workflow run send.yml" in done.stdout
    branches = subprocess.run(
        ["git", "-C", str(tmp_path / "origin.git"), "branch", "--list"], check=True, capture_output=True, text=True
    ).stdout
    assert {"main", "newsletter-state"} <= set(branches.replace("*", "").split())
    published = subprocess.run(
        ["git", "-C", str(tmp_path / "origin.git"), "ls-tree", "-r", "--name-only", "main"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert "issues/2026-11-23-renew-your-goals.approval.toml" in published
    assert not [name for name in published if name.endswith((".key", ".pub", ".db"))]
    keys = list((tmp_path / "letters" / "subscribers").glob("*.key"))
    assert len(keys) == 3
    assert [each.name for each in keys if each.stat().st_mode & 0o077] == []


def test_a_small_server(tmp_path: Path) -> None:
    done = typed(commands("The same for all", "A small server"), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs("postgres")
def test_postgresql(tmp_path: Path, postgres_url: str) -> None:
    text = commands("The same for all", "PostgreSQL")
    example = "postgresql://newsletter:PASSWORD@localhost/newsletter"
    assert example in text
    done = typed(text.replace(example, postgres_url), tmp_path)
    assert done.returncode == 0, done.stderr
