"""One commit on a branch, swapped by whoever saw the last one; against real repositories."""

from __future__ import annotations

import errno
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from newsletter.errors import StateConflict, StateError, StateUnreachable
from newsletter.store import gitbranch, gitcommand
from newsletter.store.gitbranch import GitBranch
from newsletter.store.gitcommand import without_credentials
from tests.contract.store.remotes import make_remote

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def remote(tmp_path):
    return make_remote(tmp_path)


def number(value: int) -> dict[str, bytes]:
    return {"number": str(value).encode()}


def everything_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def increment(branch: GitBranch, times: int) -> None:
    for _ in range(times):
        while True:
            commit, files = branch.read()
            try:
                branch.swap(commit, number(int(files["number"]) + 1))
            except StateConflict:
                continue
            break


def test_what_is_put_there_comes_back(remote):
    files = {"b": bytes(range(256)) * 1000, "a": b"", "c.json": b"{}\n"}
    commit = remote.branch().swap(None, files)
    assert remote.branch().read() == (commit, files)
    assert remote.branch().head() == commit
    changed = remote.branch().swap(commit, {"a": b"1"})
    assert remote.branch().read() == (changed, {"a": b"1"})


def test_it_has_no_history(remote):
    branch, commit = remote.branch(), None
    for value in range(3):
        commit = branch.swap(commit, number(value))
    assert remote.git("rev-list", "--count", "--all").strip() == b"1"


def test_no_branch_is_not_an_empty_one(remote):
    assert remote.branch().head() is None
    assert remote.branch().read() is None
    remote.branch("other/refs/heads/state").swap(None, number(1))  # ls-remote matches the ends of names
    assert remote.branch().head() is None


def test_silence_is_not_absence(remote):
    remote.path.rename(remote.path.with_name("gone.git"))
    for action in (remote.branch().head, remote.branch().read):
        with pytest.raises(StateUnreachable, match="cannot be reached") as caught:
            action()
        assert caught.value.hint


def test_others_save_between_the_question_and_the_fetch(remote, monkeypatch):
    """Then what was named is gone, and what is there now is read."""
    branch, original = remote.branch(), GitBranch.head
    branch.swap(None, number(1))

    def head(self):
        found = original(self)
        monkeypatch.setattr(GitBranch, "head", original)
        increment(remote.branch(), 1)
        return found

    monkeypatch.setattr(GitBranch, "head", head)
    assert branch.read() == (remote.head(), number(2))


def test_what_cannot_be_fetched_is_no_missing_branch(remote):
    commit = remote.branch().swap(None, number(1))
    for path in (remote.path / "objects").glob("*/*"):
        path.unlink()
    assert remote.branch().head() == commit
    with pytest.raises(StateUnreachable, match="cannot be fetched"):
        remote.branch().read()


def test_who_saw_an_older_commit_is_refused(remote):
    branch = remote.branch()
    first = branch.swap(None, number(1))
    second = branch.swap(first, number(2))
    # A background fetch must not renew the lease.
    subprocess.run(["git", "-C", remote.checkout, "fetch", "-q", remote.path, "state:refs/remotes/x/state"], check=True)
    for stale in (None, first):
        with pytest.raises(StateConflict, match="somebody else"):
            branch.swap(stale, number(3))
    with pytest.raises(StateConflict):
        branch.delete(first)
    assert remote.head() == second
    branch.delete(second)
    assert branch.head() is None
    with pytest.raises(StateConflict):
        branch.swap(second, number(3))


def test_four_writers_at_once_lose_nothing(remote):
    remote.branch().swap(None, number(0))
    writers = [threading.Thread(target=increment, args=(remote.branch(), 20)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert remote.branch().read()[1] == number(80)


@pytest.fixture
def same_second(monkeypatch):
    """All commits are made at one moment, as those of two busy writers are."""
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-11-23T12:00:00Z")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-23T12:00:00Z")


def two_put_the_same(remote) -> int:
    """How many of two writers who saw the same commit and put equal files there are told that they were first."""
    seen, first = remote.branch().swap(None, number(0)), 0
    for _ in range(2):
        try:
            remote.branch().swap(seen, number(1))
        except StateConflict:
            continue
        first += 1
    return first


def test_of_two_equal_commits_one_is_first(remote, same_second):
    assert two_put_the_same(remote) == 1


def test_without_the_nonce_both_would_believe_to_be_first(remote, same_second, monkeypatch):
    """What the nonce is for, in case somebody finds it superfluous."""
    monkeypatch.setattr(gitbranch, "_message", lambda: "state")
    assert two_put_the_same(remote) == 2


def test_what_a_hook_refuses_is_told_with_its_reason(remote):
    commit = remote.branch().swap(None, number(1))
    remote.hook("pre-receive", "echo 'branch protected, ask ana@example.org'; exit 1")
    with pytest.raises(StateError, match="branch protected") as caught:
        remote.branch().swap(commit, number(2))
    assert type(caught.value) is StateError
    assert "ana@" not in str(caught.value)
    assert "state" in caught.value.hint
    assert remote.head() == commit


def test_an_answer_lost_after_it_arrived_does_not_matter(remote):
    commit = remote.branch().swap(None, number(1))
    remote.hook("post-receive", "kill -9 $PPID")
    changed = remote.branch().swap(commit, number(2))
    assert remote.head() == changed


def test_a_remote_that_hangs_after_it_arrived_does_not_matter(remote, monkeypatch):
    monkeypatch.setattr(gitcommand, "REMOTE_S", 1.5)
    commit = remote.branch().swap(None, number(1))
    remote.hook("post-receive", "sleep 60")
    changed = remote.branch().swap(commit, number(2))
    assert remote.head() == changed


def test_a_remote_that_hangs_before_has_not_got_it(remote, monkeypatch):
    monkeypatch.setattr(gitcommand, "REMOTE_S", 1.5)
    branch = remote.branch()
    commit = branch.swap(None, number(1))
    remote.hook("pre-receive", f"echo $$ > {remote.path}/asleep; sleep 60")
    with pytest.raises(StateUnreachable, match="not saved: no answer in time") as caught:
        branch.swap(commit, number(2))
    assert "not known" in caught.value.hint
    assert branch.unconfirmed
    assert remote.head() == commit
    # Nothing of ours goes on in the background, to arrive later.
    number_of_hook = int((remote.path / "asleep").read_text())
    assert not psutil.pid_exists(number_of_hook) or psutil.Process(number_of_hook).status() == psutil.STATUS_ZOMBIE


def test_a_remote_that_falls_silent_may_have_got_it(remote):
    branch = remote.branch()
    commit = branch.swap(None, number(1))
    away = remote.path.with_name("away.git")
    remote.hook("post-receive", f"mv {remote.path} {away}; kill -9 $PPID")
    with pytest.raises(StateUnreachable, match="fell silent"):
        branch.swap(commit, number(2))
    away.rename(remote.path)
    assert remote.head() == branch.unconfirmed


def test_nothing_is_left_in_the_checkout(remote, tmp_path):
    checkout = remote.checkout
    subprocess.run(["git", "-C", checkout, "remote", "add", "origin", remote.path], check=True)
    (checkout / ".git/hooks").mkdir(exist_ok=True)
    hook = checkout / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    before = everything_in(checkout)
    branch = GitBranch(repository=checkout, remote="origin", branch="state")
    commit = branch.swap(None, number(1))
    branch.read()
    branch.swap(commit, number(2))
    assert everything_in(checkout) == before


def test_a_shallow_clone_is_enough_and_stays_as_it_is(remote, tmp_path):
    """As a runner has it: one commit of the repository in which the state has a branch too."""
    commit = "git -c user.name=a -c user.email= commit -q --allow-empty -m"
    for command in (f"{commit} 1", f"{commit} 2", f"git push -q {remote.path} HEAD:refs/heads/main"):
        subprocess.run(command.split(), cwd=remote.checkout, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", "-b", "main", f"file://{remote.path}", clone], check=True)
    before = everything_in(clone)
    branch = GitBranch(repository=clone, remote="origin", branch="state")
    seen = branch.swap(None, number(1))
    increment(remote.branch(), 1)
    assert branch.read()[1] == number(2)
    with pytest.raises(StateConflict):
        branch.swap(seen, number(3))
    assert everything_in(clone) == before


def test_the_repository_of_a_hook_that_runs_us_is_left_alone(remote, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_TRACE_CURL", str(tmp_path / "trace"))
    remote.branch().swap(None, number(1))
    assert remote.branch().read()[1] == number(1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkout", "remote.git"]


def test_no_repository(tmp_path):
    branch = GitBranch(repository=tmp_path, remote=str(tmp_path / "r"), branch="state")
    with pytest.raises(StateError, match="no Git repository") as caught:
        branch.swap(None, number(1))
    assert caught.value.hint


def test_no_git(remote, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StateError, match="cannot be started") as caught:
        remote.branch().head()
    assert "install" in caught.value.hint


def test_credentials_are_never_shown(remote):
    secret = "https://someone:hunter2@127.0.0.1:1/state.git?token=hunter2"
    branch = GitBranch(repository=remote.checkout, remote=secret, branch="state")
    with pytest.raises(StateUnreachable) as caught:
        branch.head()
    shown = f"{caught.value} {caught.value.hint} {branch!r}"
    assert "hunter2" not in shown
    assert "someone" not in shown
    assert "127.0.0.1" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a:b@host/x y", "https://host/x y"),
        ("fatal: 'ssh://git@host/x'", "fatal: 'ssh://host/x'"),
        ("git@host:x/y.git", "…host:x/y.git"),
        ("https://host/x?key=1 https://host/y#z", "https://host/x https://host/y"),
        ("ask ana.b+c@example.org now", "ask …example.org now"),
        ("https://us%40er:p%2Fw:@host/x", "https://host/x"),
        ("plain words", "plain words"),
    ],
)
def test_what_is_left_of_a_text_with_credentials(text, shown):
    assert without_credentials(text) == shown


def test_what_git_starts_does_not_know_our_secrets(remote, monkeypatch):
    """A helper for credentials, ssh, and here the hooks of a remote that is a folder: they get what Git gets."""
    for name in ("NEWSLETTER_STATE_KEY", "NEWSLETTER_SECRET_KEYS", "NEWSLETTER_DKIM_KEY", "NEWSLETTER_DATABASE_URL"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    remote.hook("pre-receive", f"env > {remote.path}/environment")
    remote.branch().swap(None, number(1))
    told = (remote.path / "environment").read_text()
    assert "hunter2" not in told
    assert "SSH_AUTH_SOCK=/run/agent" in told


@pytest.mark.parametrize("name", ["with : a colon", 'with "quotes"', "with \\ and ; é"])
def test_a_checkout_may_lie_anywhere(remote, tmp_path, name):
    checkout = tmp_path / name
    subprocess.run(["git", "clone", "-q", remote.path, checkout], check=True, capture_output=True)
    branch = GitBranch(repository=checkout, remote="origin", branch="state")
    branch.swap(None, number(1))
    assert branch.read()[1] == number(1)


LIKED = {
    "push.pushOption": "x",  # which a remote without them refuses
    "push.negotiate": "true",
    "push.useForceIfIncludes": "true",
    "push.default": "nothing",
    "fetch.prune": "true",
    "fetch.writeCommitGraph": "true",
    "fetch.fsckObjects": "true",
    "commit.gpgSign": "true",
    "user.useConfigOnly": "true",
    "core.autocrlf": "true",
    "color.ui": "always",
    "log.showSignature": "true",
    "transfer.hideRefs": "refs/heads",
    "i18n.commitEncoding": "latin1",
}


def test_what_somebody_likes_of_git_changes_nothing(remote):
    for name, value in LIKED.items():
        subprocess.run(["git", "-C", remote.checkout, "config", name, value], check=True)
    files = {"a": b"one\r\ntwo\n", "b": bytes(range(256))}
    commit = remote.branch().swap(None, files)
    assert remote.branch().swap(commit, {**files, "c": b"3"}) == remote.head()
    assert remote.branch().read()[1] == {**files, "c": b"3"}
    with pytest.raises(StateConflict):
        remote.branch().swap(commit, files)
    assert remote.git("log", "-1", "--format=%an <%ae> %G?%n%B", "state").startswith(b"newsletter <> N\nstate ")


@pytest.mark.parametrize("ours", ["sha1", "sha256"])
def test_a_repository_with_longer_names(tmp_path, ours):
    made = make_remote(tmp_path, hashes="sha256")
    checkout = made.checkout
    if ours == "sha1":
        checkout = tmp_path / "other"
        subprocess.run(["git", "init", "-q", checkout], check=True)
    branch = GitBranch(repository=checkout, remote=str(made.path), branch="state")
    if ours == "sha256":
        commit = branch.swap(None, number(1))
        assert branch.read() == (commit, number(1))
        assert len(commit) == 64
    else:
        with pytest.raises(StateError, match="hash algorithm"):
            branch.swap(None, number(1))


def test_names_that_are_no_text_are_no_bug_of_ours(remote):
    blob = remote.git("hash-object", "-w", "--stdin", data=b"x").strip()
    tree = remote.git("mktree", "-z", data=b"100644 blob " + blob + b"\tcaf\xe9\0").decode().strip()
    commit = remote.git("-c", "user.name=a", "-c", "user.email=", "commit-tree", tree, "-m", "x").decode().strip()
    remote.git("update-ref", "refs/heads/state", commit)
    assert list(remote.branch().read()[1].values()) == [b"x"]


def test_no_room_for_temporary_files(remote, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(StateError, match="No space left") as caught:
        remote.branch().swap(None, number(1))
    assert "temporary" in caught.value.hint


def test_a_file_that_cannot_be_read_is_no_empty_one(remote, monkeypatch):
    """As where Git takes too long, on a machine with other work."""
    remote.branch().swap(None, number(1))
    real = gitbranch.git

    def late(repository, *words, **more):
        if words[:2] == ("cat-file", "blob"):
            return gitcommand.Answer(code=-1, out=b"", said="no answer in time", late=True)
        return real(repository, *words, **more)

    monkeypatch.setattr(gitbranch, "git", late)
    with pytest.raises(StateUnreachable, match="no answer in time"):
        remote.branch().read()
