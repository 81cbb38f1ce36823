"""What Git knows: who is at the desk, and what it would carry away."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from newsletter.errors import NewsletterError


def author(root: Path) -> str:
    """The name of whoever works in *root*: Git's user.name, else the account's. Never an address."""
    asked = _git(root, "config", "user.name")
    name = asked.stdout.strip() if asked else ""
    return name if name and "@" not in name else getpass.getuser()


def would_commit(root: Path, path: Path) -> bool:
    """Whether Git would take *path* along; False outside a repository and for what is ignored.

    Raises NewsletterError if there is a repository and Git does not say.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.resolve().parents)):
        return False
    asked = _git(root, "check-ignore", "--quiet", str(path))
    if asked is None or asked.returncode not in (0, 1):
        why = (asked.stderr.strip().splitlines() or ["no reason given"])[0] if asked else "it is not installed"
        raise NewsletterError(
            f"Git cannot be asked what it ignores: {why}", hint="let it work in this folder, then look again"
        )
    return asked.returncode == 1


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str] | None:
    """What Git answers; None if it is not there."""
    try:
        return subprocess.run(  # noqa: S603 - no shell, and no word of a stranger's
            ["git", "-C", str(root), *words],  # noqa: S607 - the git of the PATH is the user's own
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
