"""Which files a letter was made from, and what they look like from outside: enough to see that one was saved."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from newsletter.sources.files import Workspace

Look = tuple[int, int, int] | None  # when it was changed, its size, and which file it is; None if there is none


class NotingWorkspace(Workspace):
    """A workspace that notes what is read of it, also what is not there, and how it looked just before."""

    def __init__(self, root: Path) -> None:
        """Work below *root*, with nothing noted yet."""
        super().__init__(root)
        self.names: set[str] = set()
        self.looks: dict[str, Look] = {}

    def forget(self) -> None:
        """Begin a new page of notes."""
        self.names, self.looks = set(), {}

    def theme(self, name: str) -> dict[str, str]:
        """As of every workspace; the folder as a whole is noted, since a file may be added to it."""
        self.note(f"templates/{name}")
        return super().theme(name)

    def optional(self, name: str) -> str | None:
        """As of every workspace."""
        self.note(name)
        return super().optional(name)

    def read_bytes(self, path: Path, *, limit: int | None = None) -> bytes:
        """As of every workspace; every text is read by this, too."""
        self.note(self.relative(path))
        return super().read_bytes(path, limit=limit)

    def binary(self, name: str, *, limit: int) -> bytes:
        """As of every workspace."""
        self.note(name)
        return super().binary(name, limit=limit)

    def note(self, name: str) -> None:
        """Note the file or folder *name*, as it looks now or did when it was noted first."""
        self.names.add(name)
        self.looks = look_at(self.root, [name]) | self.looks


def look_at(root: Path, names: Iterable[str]) -> dict[str, Look]:
    """How each of *names* below *root* looks now; of a folder, how all that lies in it looks.

    A file saved under another name and moved into place is seen by its number.
    """
    seen: dict[str, Look] = {}
    for name in names:
        path = root / name
        seen[name] = _look(path)
        if path.is_dir():
            seen |= {f"{name}/{each}": _look(path / each) for each in _inside(path)}
    return seen


def _inside(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - many times a second, and names are all that is wanted
    except OSError:  # gone since
        return []


def _look(file: Path) -> Look:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
