"""What Git knows: who is at the desk, and what it would carry away."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path


def author(root: Path) -> str:
    """The name of whoever works in *root*: Git's user.name, else the account's. Never an address."""
    name = _git(root, "config", "user.name")
    return name if name and "@" not in name else getpass.getuser()


def would_commit(root: Path, path: Path) -> bool:
    """Whether Git would take *path* along; False outside a repository and for what is ignored."""
    inside = _git(root, "rev-parse", "--is-inside-work-tree") == "true"
    return inside and path.is_relative_to(root) and not _git(root, "check-ignore", str(path))


def _git(root: Path, *words: str) -> str:
    """What Git answers; "" if it is not there or says no."""
    try:
        asked = subprocess.run(  # noqa: S603 - no shell, and no word of a stranger's
            ["git", "-C", str(root), *words],  # noqa: S607 - the git of the PATH is the user's own
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
