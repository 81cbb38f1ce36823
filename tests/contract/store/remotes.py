"""A real Git remote, a checkout beside it, and newsletters whose state is kept there."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyrage

from newsletter.store.db import Database, connect
from newsletter.store.gitbranch import GitBranch
from newsletter.store.gitstate import GitState
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from tests.contract.store.conftest import NOW, entry, evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OURS, RECOVERY, STRANGER = (pyrage.x25519.Identity.generate() for _ in range(3))


@dataclass(frozen=True)
class Remote:
    """A bare repository, and the checkout of somebody who may push to it."""

    path: Path
    checkout: Path

    def branch(self, name: str = "state") -> GitBranch:
        return GitBranch(repository=self.checkout, remote=str(self.path), branch=name)

    def state(self, identity=OURS, recipients: Sequence[object] | None = None) -> GitState:
        return GitState(
            repository=self.checkout,
            remote=str(self.path),
            branch="state",
            recipients=[str(each) for each in recipients or (identity.to_public(), RECOVERY.to_public())],
            identity=str(identity),
        )

    def git(self, *words: str, data: bytes | None = None) -> bytes:
        done = subprocess.run(["git", "-C", self.path, *words], input=data, capture_output=True, check=True)
        return done.stdout

    def head(self, branch: str = "state") -> str:
        return self.git("rev-parse", branch).decode().strip()

    def files(self) -> list[str]:
        return self.git("ls-tree", "--name-only", "state").decode().split()

    def hook(self, name: str, script: str) -> None:
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def unhook(self) -> None:
        shutil.rmtree(self.path / "hooks")


def make_remote(folder: Path, *, hashes: str = "sha1") -> Remote:
    remote = Remote(folder / "remote.git", folder / "checkout")
    for words in (["--bare", remote.path], [remote.checkout]):
        subprocess.run(["git", "init", "--quiet", f"--object-format={hashes}", *words], check=True)
    remote.git("config", "receive.fsckObjects", "true")  # as hosts do
    return remote


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "newsletter.db"
        database = connect(f"sqlite:///{path}")
        upgrade(database)
        database.close()
        return path.read_bytes()


def make_database(path: Path, *, people: int = 3) -> Path:
    """A database that is ready for use, of one newsletter always, with reader1@example.org and so on."""
    path.write_bytes(_empty_database())
    enter(path, *(f"reader{n}" for n in range(1, people + 1)))
    return path


def enter(path: Path, *names: str) -> None:
    with opened(path) as database:
        SqlPeople(database).enter([entry(name) for name in names], evidence=evidence(), now=NOW)


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    database = connect(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()


def names(path: Path) -> list[str]:
    """Who is on the list, as SQLite itself reads the file."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT address FROM subscribers ORDER BY id").fetchall()
    return [address.partition("@")[0] for (address,) in rows]


def run(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        return connection.execute(statement, values).fetchall()
