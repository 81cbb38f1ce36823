"""What Git knows: who is at the desk, what it would carry away, and what was there before."""

from __future__ import annotations

import getpass
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import NewsletterError, NotFound


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


def _git(root: Path, *words: str, patience_s: float = 5) -> subprocess.CompletedProcess[str] | None:
    """What Git answers; None if it is not there."""
    try:
        return subprocess.run(  # noqa: S603 - no shell, and no word of a stranger's
            ["git", "-C", str(root), *words],  # noqa: S607 - the git of the PATH is the user's own
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


@contextmanager
def as_of(root: Path, revision: str) -> Iterator[Path]:
    """A folder with what *root* was at *revision*, for as long as it is needed.

    Raises NotFound if there is no such revision, or no repository, and NewsletterError if it has links that lead out.
    """
    known = _git(root, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if known is None or known.returncode != 0:
        raise NotFound(f"Git knows no revision {revision!r}", at=str(root), hint="see: git log --oneline")
    with tempfile.TemporaryDirectory(prefix="newsletter-") as folder:
        packed = Path(folder) / "all.tar"
        made = _git(root, "archive", "--format=tar", f"--output={packed}", known.stdout.strip(), patience_s=60)
        if made is None or made.returncode != 0:
            raise NewsletterError("Git does not give the files of that revision", at=revision)
        place = Path(folder) / "files"
        try:
            with tarfile.open(packed) as archive:
                archive.extractall(place, filter="data")
        except tarfile.FilterError as error:
            raise NewsletterError(
                f"that revision has a link that leads out of it: {error.tarinfo.name}",
                at=revision,
                hint="compare with a revision in which it is a file",
            ) from error
        yield place
