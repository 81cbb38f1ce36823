"""What files look like from outside: enough to see that one was saved, without opening any."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

Look = tuple[int, int, int] | None  # when it was changed, its size, and which file it is; None if there is none


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
