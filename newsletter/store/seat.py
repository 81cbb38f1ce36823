"""Where one command works on its copy of the state: in a file that no other command of this machine is at.

Two in one file would undo each other's work unseen: who loads puts the remote's state in the place of what the other
has claimed and not saved yet, and what is not saved is mailed twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from newsletter.errors import StoreError
from newsletter.store.failures import in_our_words

MOST = 32  # commands at work at once; whoever needs more has a loop that does not end

_ENDINGS = ("", "-journal", "-wal", "-shm")  # of the files that SQLite has for a database


@contextmanager
def seat(path: Path) -> Iterator[Path]:
    """A file of our own while the block lasts: *path*, or one beside it while another command is at that.

    Those beside it go away with the block; what a command that was killed left of them, with the next that has *path*.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, MOST + 1):
        ours = _numbered(path, number)
        with _locked(ours) as free:
            if not free:
                continue
            if number == 1:
                _sweep(path)
            try:
                yield ours
            finally:
                if number > 1:
                    _remove(ours)
            return
    hint = "wait until one of them is done, then run the same command again"
    raise StoreError(f"{MOST} commands are at work on this newsletter already", hint=hint, at=str(path))


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.name}.{number}")


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether *path* is ours, until the block ends or we are dead. SQLite knows how to lock a file on every system."""
    try:
        lock = sqlite3.connect(f"{path}.lock", timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise in_our_words(error, place=f"{path}.lock") from None
    with closing(lock):
        yield _taken(lock, at=path)


def _taken(lock: sqlite3.Connection, *, at: Path) -> bool:
    try:
        lock.execute("PRAGMA journal_mode = MEMORY").close()  # no second file beside it
        lock.execute("BEGIN EXCLUSIVE").close()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return False
        raise in_our_words(error, place=f"{at}.lock") from None
    return True


def _sweep(path: Path) -> None:
    """Remove what killed commands left beside *path*: nobody would ever forget anybody in it."""
    for number in range(2, MOST + 1):
        left = _numbered(path, number)
        if left.exists():
            with _locked(left) as free:
                if free:
                    _remove(left)


def _remove(path: Path) -> None:
    for ending in _ENDINGS:
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
