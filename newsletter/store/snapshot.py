"""All of an SQLite database as bytes, and back, while others have it open. Nothing of it is left on a disk.

Through SQLite's databases in memory: a process that is killed in the middle leaves no copy behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, StaticPool, create_engine

from newsletter.errors import StoreError
from newsletter.store.failures import in_our_words

_BUSY_S = 30
_SHARED_MEMORY = (3, 36)  # sqlite.org/releaselog/3_36_0.html: memdb databases that several connections see


def take(path: Path) -> bytes:
    """The database as of one moment, whoever is writing; without what was deleted from it."""
    if not path.exists():
        raise StoreError("there is no database", hint="load the state, or run: newsletter db upgrade", at=str(path))
    if sqlite3.sqlite_version_info < _SHARED_MEMORY:  # each connection would see an empty database of its own
        hint = "use a Python with a newer SQLite, or keep the newsletter in PostgreSQL"
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old to be saved in Git", hint=hint)
    name = f"file:/newsletter-{os.urandom(8).hex()}?vfs=memdb"
    with _worded(path), _connection(f"{path.absolute().as_uri()}?mode=rw") as source, _connection(name) as copy:
        source.execute("PRAGMA temp_store = MEMORY")
        source.execute("VACUUM INTO ?", (name,))
        return copy.serialize()


def put(content: bytes, path: Path) -> None:
    """Let the file at *path* hold *content*, in one transaction; only this user may read it.

    Through SQLite and not by replacing the file: who has it open would go on with a file that is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Empty, if it is new: then SQLite does away with the journal of a file that was there before.
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    with _worded(path), _connection(":memory:") as source, _connection(f"{path.absolute().as_uri()}?mode=rw") as target:
        source.deserialize(content)
        source.execute("PRAGMA schema_version").close()  # complains if this is no database
        # It would wait for ever for somebody who writes.
        give_up = time.monotonic() + _BUSY_S
        source.backup(target, pages=-1, progress=lambda status, *_: _not_after(give_up, status), sleep=0.05)


@contextlib.contextmanager
def within(kept: bytes | Path) -> Iterator[Connection]:
    """A connection to read what is in a database: all of it as bytes, or the file at a path."""

    def connect() -> sqlite3.Connection:
        if isinstance(kept, Path):
            return sqlite3.connect(f"{kept.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S)
        memory = sqlite3.connect(":memory:")
        memory.deserialize(kept)
        return memory

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def digest(content: bytes) -> bytes:
    """Equal for equal contents: without the counters of SQLite's header (sqlite.org/fileformat2.html, 1.3)."""
    hashed = hashlib.sha256(content[:18])
    hashed.update(content[20:24])  # 18, 19: the kind of journal; 24-27: changes counted
    hashed.update(content[28:40])  # 40-43: the schema cookie, one more after each VACUUM
    hashed.update(content[44:92])  # 92-99: the version that wrote it, and when
    hashed.update(memoryview(content)[100:])
    return hashed.digest()


def _not_after(moment: float, status: int) -> None:
    if status != sqlite3.SQLITE_DONE and time.monotonic() > moment:
        problem = sqlite3.OperationalError("busy")
        problem.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise problem


@contextlib.contextmanager
def _connection(uri: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)) as connection:
        yield connection


@contextlib.contextmanager
def _worded(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise in_our_words(error, place=str(path)) from None
