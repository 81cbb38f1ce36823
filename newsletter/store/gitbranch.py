"""A branch of a Git remote that holds a few files as one commit without parents, changed by compare-and-swap.

Only plumbing is used: no work tree, no index, no merge, and no ref of the checkout is read or moved. What is
fetched or made lives in a folder of its own that goes away with each call, so that no checkout grows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import StateConflict, StateError, StateUnreachable
from newsletter.store.gitcommand import Answer, git, without_credentials

_TRIES = 5  # to fetch the commit that the remote has just named, while others save new ones

_REACH = "look at the network, the name of the remote and what it lets this user do, then try again"
_ROOM = "look whether the disk for temporary files is full"
_LOOK = "it is not known whether this was saved; load again before anything is sent"


class GitBranch:
    """The branch *branch* of *remote* (a name in the *repository*, or a URL)."""

    def __init__(self, *, repository: Path, remote: str, branch: str) -> None:
        self._repository = repository
        self._remote = remote
        self.branch = branch
        self.ref = f"refs/heads/{branch}"
        self.place = f"{without_credentials(remote)} {branch}"
        self.unconfirmed = ""  # the last commit that was pushed without an answer: it may have arrived, or still arrive

    def __repr__(self) -> str:
        return f"GitBranch({self.place!r})"

    def head(self) -> str | None:
        """The commit that the remote has for the branch, or None if it has no such branch.

        Raises StateUnreachable if it does not say, so that silence is never taken for absence.
        """
        answer = self._git("ls-remote", "--refs", "--", self.url(), self.ref, remote=True)
        if answer.code:
            message = f"the remote of the state cannot be reached: {answer.said}"
            raise StateUnreachable(message, hint=_REACH, at=self.place)
        found = [line.split("\t") for line in answer.text.splitlines()]
        return next((commit for commit, name in found if name == self.ref), None)

    def read(self) -> tuple[str, Mapping[str, bytes]] | None:
        """The commit on the remote and its files, or None if there is no such branch."""
        url, said = self.url(), "others keep saving"
        quietly = ("--quiet", "--no-tags", "--no-write-fetch-head")
        with self._objects() as places:
            for _ in range(_TRIES):
                commit = self.head()
                if commit is None:
                    return None
                fetched = self._git("fetch", *quietly, "--", url, self.ref, places=places, remote=True)
                if fetched.code:
                    said = fetched.said
                    break
                if not self._git("cat-file", "-e", f"{commit}^{{commit}}", places=places).code:
                    return commit, self._files(commit, places)
        raise StateUnreachable(f"what the remote has cannot be fetched: {said}", hint=_REACH, at=self.place)

    def swap(self, old: str | None, files: Mapping[str, bytes]) -> str:
        """Put *files* in the place of the commit *old* (None: of nothing); the new commit.

        Raises StateConflict if the remote has another one by now, StateUnreachable if it is not known
        whether they arrived, and StateError if the remote does not want them.
        """
        with self._objects() as places:
            new = self._commit(files, places)
            self._push(old, new, places=places)
        return new

    def delete(self, old: str) -> None:
        """Take the branch away, if it still names *old*."""
        self._push(old, "", places={})

    def _push(self, old: str | None, new: str, *, places: Mapping[str, str]) -> None:
        # With its value written out: a lease without one trusts whatever was fetched last, by anybody.
        lease = f"--force-with-lease={self.ref}:{old or ''}"
        answer = self._git(
            *("push", "--porcelain", "--no-recurse-submodules", lease, "--", self.url(push=True)),
            f"{new}:{self.ref}",
            places=places,
            remote=True,
        )
        if answer.code:
            self._find_out(answer, old=old, new=new)

    def _find_out(self, answer: Answer, *, old: str | None, new: str) -> None:
        """Return if our commit is there whatever the answer was; else raise what happened."""
        try:
            found = self.head()
        except StateUnreachable:
            self.unconfirmed = new
            raise StateUnreachable(f"the remote fell silent: {answer.said}", hint=_LOOK, at=self.place) from None
        if found == (new or None):
            return
        verdict = next((line for line in answer.text.splitlines() if line.startswith("!")), "")
        if found != old or "stale info" in verdict or "cannot lock ref" in verdict or "failed to update ref" in verdict:
            raise StateConflict(
                "somebody else has saved the state meanwhile",
                hint="load it again and repeat what was done since; nothing of theirs was overwritten",
                at=self.place,
            )
        if "[remote rejected]" in verdict or "[rejected]" in verdict:
            reason = without_credentials(verdict.rpartition("(")[2].rstrip(")"))
            message = f"the remote refuses the state: {reason} ({answer.said})"
            hint = f"let this user push to the branch {self.branch} and replace what is on it"
            raise StateError(message, hint=hint, at=self.place)
        self.unconfirmed = new
        raise StateUnreachable(f"the state was not saved: {answer.said}", hint=_LOOK, at=self.place)

    def _git(
        self, *words: str, data: bytes = b"", places: Mapping[str, str] | None = None, remote: bool = False
    ) -> Answer:
        return git(self._repository, *words, data=data, places=places, remote=remote)

    def _commit(self, files: Mapping[str, bytes], places: Mapping[str, str]) -> str:
        blobs = {name: self._make("hash-object", "-w", "--stdin", data=files[name], places=places) for name in files}
        tree = "".join(f"100644 blob {blob}\t{name}\n" for name, blob in sorted(blobs.items()))
        tree_id = self._make("mktree", data=tree.encode(), places=places)
        return self._make("commit-tree", tree_id, "-m", _message(), places=places)

    def _make(self, *words: str, data: bytes = b"", places: Mapping[str, str]) -> str:
        answer = self._git(*words, data=data, places=places)
        if answer.code:
            raise StateError(f"Git cannot keep an object: {answer.said}", hint=_ROOM, at=self.place)
        return answer.text

    def _files(self, commit: str, places: Mapping[str, str]) -> Mapping[str, bytes]:
        listing = self._content("ls-tree", "-z", commit, places=places)
        entries = [line.split(b"\t") for line in listing.split(b"\0") if line]
        return {
            name.decode(errors="replace"): self._content("cat-file", "blob", about.split()[2].decode(), places=places)
            for about, name in entries
            if about.split()[1] == b"blob"
        }

    def _content(self, *words: str, places: Mapping[str, str]) -> bytes:
        answer = self._git(*words, places=places)
        if answer.code:
            raise StateUnreachable(f"what the remote has cannot be read: {answer.said}", hint=_REACH, at=self.place)
        return answer.out

    def url(self, *, push: bool = False) -> str:
        """The URL behind the remote's name: pushing by name would move the checkout's remote-tracking ref."""
        asked = self._git("remote", "get-url", *(["--push"] if push else []), "--", self._remote)
        if asked.code:  # a URL; somebody may have settings by which it means another
            asked = self._git("ls-remote", "--get-url", "--", self._remote)
        return asked.text.splitlines()[0] if asked.text else self._remote

    @contextmanager
    def _objects(self) -> Iterator[Mapping[str, str]]:
        """Where Git keeps the objects of one call; those of the checkout can be read, not added to."""
        asked = self._git("rev-parse", "--path-format=absolute", "--git-path", "objects")
        if asked.code:
            hint = "the state needs a checkout of the repository it belongs to (and git 2.31 or newer)"
            raise StateError(f"this is no Git repository: {asked.said}", hint=hint, at=str(self._repository))
        with _folder(at=self.place) as folder:
            yield {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": asked.text}


@contextmanager
def _folder(*, at: str) -> Iterator[str]:
    """An empty folder that goes away. Raises StateError if there is no room for one."""
    try:
        made = tempfile.TemporaryDirectory(prefix="newsletter-")
    except OSError as problem:
        raise StateError(f"there is no room to work: {problem.strerror}", hint=_ROOM, at=at) from None
    with made as folder:
        yield folder


def _message() -> str:
    """A commit message with a nonce. Two writers with equal files must never make the same commit:

    Git calls the second push up to date, does not look at its lease, and both believe they were first.
    """
    return f"state {os.urandom(16).hex()}"
