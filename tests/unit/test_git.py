"""What Git would carry away: asked of a real repository, and never guessed when Git does not answer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from newsletter.errors import NewsletterError
from newsletter.sources import git


def test_outside_a_repository_nothing_is_carried_away(tmp_path: Path) -> None:
    assert git.would_commit(tmp_path, tmp_path / "a") is False


def test_what_is_ignored_stays_and_what_is_not_goes(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("secret\n")
    assert git.would_commit(tmp_path, tmp_path / "secret") is False
    assert git.would_commit(tmp_path, tmp_path / "letter") is True


def test_a_repository_that_git_refuses_is_an_error_and_not_all_clear(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(NewsletterError, match="Git cannot be asked"):
        git.would_commit(tmp_path, tmp_path / "secret")


def test_the_author_is_a_name_and_never_an_address(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "config", "user.name", "Ada Example"], check=True)
    assert git.author(tmp_path) == "Ada Example"
    subprocess.run(["git", "-C", str(tmp_path), "config", "user.name", "ada@example.org"], check=True)
    assert "@" not in git.author(tmp_path)


def test_a_revision_with_a_link_that_leads_out_is_refused_in_words(tmp_path: Path) -> None:
    repository = ["git", "-C", str(tmp_path), "-c", "user.name=Ada Example", "-c", "user.email=ada@example.org"]
    subprocess.run([*repository, "init", "--quiet"], check=True)
    (tmp_path / "out").symlink_to("/etc/hostname")
    subprocess.run([*repository, "add", "out"], check=True)
    subprocess.run([*repository, "commit", "--quiet", "--message", "A link"], check=True)
    with pytest.raises(NewsletterError, match="leads out of it"), git.as_of(tmp_path, "HEAD"):
        pass
