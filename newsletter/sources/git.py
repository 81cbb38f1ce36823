"""What Git knows: who is at the desk."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path


def author(root: Path) -> str:
    """The name of whoever works in *root*: Git's user.name, else the account's. Never an address."""
    try:
        asked = subprocess.run(  # noqa: S603 - fixed words only
            ["git", "-C", str(root), "config", "user.name"],  # noqa: S607 - the git of the PATH is the user's own
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
        name = asked.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        name = ""
    return name if name and "@" not in name else getpass.getuser()
