"""The database as the state on a branch of a private Git remote, for machines that forget their disk.

Load, work, save before anything leaves, save what became of it. Who else saves at the same time is found out,
never overwritten; who left is never forgotten, however old the database is that is saved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, NoResultFound

from newsletter.errors import StateError, StateMissing, StateUnreachable
from newsletter.store import sealed, snapshot
from newsletter.store.db import Database, connect
from newsletter.store.departures import apply, fingerprint, known
from newsletter.store.failures import in_our_words
from newsletter.store.gitbranch import GitBranch
from newsletter.store.publicity import is_public
from newsletter.store.schema import upgrade
from newsletter.store.sealed import Keys, State
from newsletter.store.since import call_off

# What `recreate` cannot do, for whoever has promised somebody to forget them.
CANNOT_ERASE = (
    "Older states may still be on the server until it collects its garbage, in its backups, and wherever somebody "
    "fetched them; whoever has a key of that time can read them. To be rid of them delete the repository of the "
    "state, or ask its host to purge it, make it anew, and destroy the old keys."
)

# What SQLite says of another program's database, of what is none, and of one that is damaged.
_OTHERS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the remote has, as far as we know."""

    commit: str
    state: State  # its database is let go when the rest is only remembered
    digest: bytes  # of the database's content

    def without_content(self) -> _Seen:
        """The same, without what may be tens of megabytes."""
        return replace(self, state=replace(self.state, database=b""))


class GitState:
    """The state of one newsletter as one process sees it; for one thread at a time."""

    def __init__(self, *, repository: Path, remote: str, branch: str, recipients: Sequence[str], identity: str) -> None:
        """*remote* is a name in the checkout *repository*, or a URL; *branch* belongs to the state alone.

        *recipients* are age's public keys, our own among them and better another one that is kept offline;
        *identity* is our secret key. Raises SettingsError if one of them is none.
        """
        self._keys = Keys(recipients, identity)
        self._branch = GitBranch(repository=repository, remote=remote, branch=branch)
        # Where `recreate` keeps the state while the branch is gone.
        self._spare = GitBranch(repository=repository, remote=remote, branch=f"{branch}.spare")
        self._place = self._branch.place
        self._seen: _Seen | None = None
        self._private = False  # as far as we asked
        self._newest = 0  # the highest generation ever seen
        self._sent: dict[str, _Seen] = {}  # what may have arrived although no answer came

    def __repr__(self) -> str:
        return f"GitState({self._place!r})"

    def init(self, database: Path) -> None:
        """Make the branch, with this database. Raises StateError if there is one already."""
        if self._branch.head() or self._spare.head():
            hint = "load it; a second beginning would forget who was mailed and who left"
            raise StateError("there is a state already", hint=hint, at=self._place)
        self._write(database, before=None)

    def load(self, into: Path) -> int:
        """Let the SQLite file *into* hold the state, with all departures in it; its generation, from 1.

        Raises StateMissing if there is no branch, StateUnreachable if the remote does not say, and StateError
        if what it has cannot be trusted. The file may be open, also elsewhere; nobody sees half of it. What is in it
        goes, so it must be a copy of this newsletter's, or nothing.
        """
        seen = self._fetch()
        _refuse_other(into, seen.state.newsletter)
        snapshot.put(seen.state.database, into)
        self._merge(into, seen.state)
        self._seen = seen.without_content()
        return seen.state.generation

    def save(self, database: Path) -> int:
        """Put *database* in the place of the state we last saw, unless nothing changed; its generation.

        Those who had left are made to be gone from *database* first, however old it is. Raises StateConflict if
        another state was saved meanwhile: load it, do again what was done, save.
        """
        seen = self._arrived()
        # Before, not after: an older database that was put in the place of ours would bring people back.
        self._merge(database, seen.state)
        return self._write(database, before=seen)

    def adopt(self, older: Path, into: Path, *, now: datetime) -> tuple[int, list[str]]:
        """Put the database in the file *older*, as from a backup, in the place of the state, and *into* another file.

        Its generation, and the letters that were called off in it: more of them was sent since than it knows. Those
        who left since stay gone.
        """
        content, seen = snapshot.take(older), self._fetch()
        if _newsletter_of(content) != seen.state.newsletter:
            raise _other_newsletter(at=str(older))
        _refuse_other(into, seen.state.newsletter)
        snapshot.put(content, into)
        with _opened(into) as database, snapshot.within(seen.state.database) as newer:
            upgrade(database)
            letters = call_off(database, newer, now=now)
        self._seen = seen.without_content()
        return self.save(into), letters

    def rotate(self, recipients: Sequence[str]) -> int:
        """Encrypt the state for *recipients*, who alone can load it from now on; its generation.

        What was saved before stays readable with the keys of that time, wherever it is kept: see CANNOT_ERASE.
        """
        seen = self._fetch()
        self._keys.seal_for(recipients)
        return self._push(seen.state, before=seen)

    def recreate(self) -> int:
        """Take the branch away and make it anew, so that nothing on the remote names an older state.

        What it cannot do says CANNOT_ERASE. If it is cut short, the state is on the branch or beside it, under
        the name that `load` tells; called again, it goes on from there. The generation.
        """
        self._refuse_public()
        spare = self._spare.read()
        if spare and self._branch.head() is None:
            commit, files = spare
        else:
            seen = self._fetch()
            files = self._seal(replace(seen.state, generation=seen.state.generation + 1))
            commit = self._spare.swap(spare and spare[0], files)
            self._branch.delete(seen.commit)
        self._seen = self._see(self._branch.swap(None, files), files).without_content()
        self._spare.delete(commit)
        return self._seen.state.generation

    def _fetch(self) -> _Seen:
        """What the remote has now."""
        found = self._branch.read()
        if found is None:
            hint = "is this the right remote and branch? only a newsletter that never had a state makes one, with init"
            if self._spare.head():
                hint = f"recreate was cut short; run it again, it goes on from the branch {self._spare.branch}"
            raise StateMissing("there is no state on the remote", hint=hint, at=self._place)
        return self._see(*found)

    def _see(self, commit: str, files: Mapping[str, bytes]) -> _Seen:
        state = sealed.read(files, self._keys, at=self._place)
        if state.generation < self._newest:
            message = f"the remote went back from generation {self._newest} to {state.generation}"
            hint = "somebody put an old state there: sending from it would mail people again; put the newer one back"
            raise StateError(message, hint=hint, at=self._place)
        if _newsletter_of(state.database) != state.newsletter:
            raise sealed.damaged(self._place)
        self._newest = state.generation
        return _Seen(commit=commit, state=state, digest=snapshot.digest(state.database))

    def _arrived(self) -> _Seen:
        """What we last saw on the remote, or what we sent since and have no answer about, if it has arrived."""
        if self._seen is None:
            raise StateError("nothing was loaded, so nothing can be saved", hint="load the state first", at=self._place)
        if self._sent:
            found = self._branch.head()
            if found in self._sent:
                self._seen = self._sent[found]
                self._newest = self._seen.state.generation
                self._sent.clear()
        return self._seen

    def _merge(self, path: Path, state: State) -> None:
        """Let those who left be gone from the database at *path*, which must be the newsletter's."""
        with _opened(path) as database:
            with database.reading() as connection:
                ours = fingerprint(connection) == state.newsletter
                news = state.journal - known(connection)
            if not ours:
                raise _other_newsletter(at=str(path))
            if news:
                with database.writing() as connection:
                    apply(connection, news)

    def _write(self, path: Path, *, before: _Seen | None) -> int:
        """Push the database at *path*, unless *before* is the same; the generation."""
        content = snapshot.take(path)
        with _opened(path) as database, database.reading() as connection:
            name, journal = fingerprint(connection), known(connection)
        if before is not None:
            journal |= before.state.journal
            if (snapshot.digest(content), journal) == (before.digest, before.state.journal):
                return before.state.generation
        return self._push(State(generation=0, newsletter=name, journal=journal, database=content), before=before)

    def _push(self, state: State, *, before: _Seen | None) -> int:
        """Push *state* as the generation that follows *before*, and remember it; the generation."""
        self._refuse_public()
        state = replace(state, generation=before.state.generation + 1 if before else 1)
        files = self._seal(state)
        sent = _Seen(commit="", state=state, digest=snapshot.digest(state.database)).without_content()
        try:
            commit = self._branch.swap(before.commit if before else None, files)
        except StateUnreachable:
            lost = self._branch.unconfirmed
            self._sent[lost] = replace(sent, commit=lost)
            raise
        self._seen, self._newest = replace(sent, commit=commit), state.generation
        self._sent.clear()
        return state.generation

    def _refuse_public(self) -> None:
        """Raise StateError if everybody can read the remote: what is public once can never be taken back."""
        if not self._private and is_public(self._branch.url(push=True)):
            hint = "keep the state in a private repository of its own ([state] remote), or in a PostgreSQL"
            raise StateError("everybody can read this repository", hint=hint, at=self._place)
        self._private = True

    def _seal(self, state: State) -> Mapping[str, bytes]:
        return sealed.write(state, self._keys, at=self._place)


def _newsletter_of(kept: bytes | Path) -> str | None:
    """The fingerprint of the newsletter whose database it is; None if it is another program's, or no database."""
    try:
        with snapshot.within(kept) as connection:
            return fingerprint(connection)
    except NoResultFound:
        return None
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in _OTHERS:
            return None
        raise in_our_words(error, place=str(kept) if isinstance(kept, Path) else "") from None


def _refuse_other(path: Path, newsletter: str) -> None:
    """Raise StateError if there is something at *path* that is no copy of that newsletter's database."""
    if path.exists() and path.stat().st_size and _newsletter_of(path) != newsletter:
        hint = "move it away, or name another file: what is in this one would be gone"
        raise StateError("this file holds something else than a copy of this newsletter", hint=hint, at=str(path))


def _other_newsletter(*, at: str) -> StateError:
    hint = "check the path, and the remote and branch of the state"
    return StateError("the database and the state belong to different newsletters", hint=hint, at=at)


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    database = connect(URL.create("sqlite", database=str(path)).render_as_string())
    try:
        yield database
    finally:
        database.close()
