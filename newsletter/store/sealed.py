"""The state as files that may lie with strangers: what is encrypted, what is not, and how it holds together.

On the branch lie state.db.age (gzip inside), departures.jsonl.age and meta.json. Without a key, a reader learns
how large they are and how often they change. By hand: `age -d -i KEY state.db.age | gunzip > copy.db`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyrage  # type: ignore[import-untyped]

from newsletter.errors import SettingsError, StateError
from newsletter.store.journal import Departure, read_lines, write_lines

# What a host takes in one file without complaint (GitHub warns from 50 MiB), and what one waits for at each save.
MOST_BYTES = 40 * 1024 * 1024

_FORMAT = 1
_DATABASE, _JOURNAL, _META = "state.db.age", "departures.jsonl.age", "meta.json"
_SQLITE = b"SQLite format 3\0"  # how each of its files begins
_NOT_OURS = (KeyError, TypeError, ValueError, RecursionError, EOFError, OSError, zlib.error)  # of what we never wrote
_LEVEL = 1  # of gzip: half of what it holds is random anyway, so that 6 takes twice as long for one per cent


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one commit holds."""

    generation: int  # counts from 1
    newsletter: str  # the fingerprint of its database
    journal: frozenset[Departure]
    database: bytes


class Keys:
    """The public keys that can read what we save, and our own secret one, which nothing here ever shows."""

    def __init__(self, recipients: Sequence[str], identity: str) -> None:
        """Raises SettingsError if one of them is no key of age, or if we could not read what we save."""
        try:
            self._identity = pyrage.x25519.Identity.from_str(identity.strip())
        except pyrage.IdentityError:
            hint = "it is one line that begins with AGE-SECRET-KEY-1; make one with: newsletter state key"
            raise SettingsError("the secret key of the state cannot be read", hint=hint, at="state") from None
        self._recipients = _read(recipients)
        if str(self._identity.to_public()) not in {str(each) for each in self._recipients}:
            hint = "add the public key that belongs to the secret one to the recipients"
            raise SettingsError("what is saved could not be loaded again with our own key", hint=hint, at="state")

    def seal_for(self, recipients: Sequence[str]) -> None:
        """From now on let others read what we save, be we among them or not."""
        self._recipients = _read(recipients)

    def seal(self, content: bytes) -> bytes:
        """*content*, encrypted for all recipients."""
        sealed: bytes = pyrage.encrypt(content, self._recipients)
        return sealed

    def unseal(self, content: bytes, *, at: str) -> bytes:
        """What was encrypted. Raises StateError if it was for others, or is not what was written."""
        try:
            opened: bytes = pyrage.decrypt(content, [self._identity])
        except pyrage.DecryptError as problem:
            if "No matching keys" in str(problem):
                hint = "use the secret key that belongs to one of the recipients it was saved for"
                raise StateError("our key does not open the state", hint=hint, at=at) from None
            raise damaged(at) from None
        return opened


def write(state: State, keys: Keys, *, at: str) -> Mapping[str, bytes]:
    """The files that hold *state*. Raises StateError if they become too large to be kept in Git."""
    database = keys.seal(gzip.compress(state.database, _LEVEL, mtime=0))
    if len(database) > MOST_BYTES:
        size, most = len(database) / 1024**2, MOST_BYTES / 1024**2
        hint = "keep the newsletter in PostgreSQL: set NEWSLETTER_DATABASE_URL"
        raise StateError(f"the state has grown too large for Git ({size:.1f} of {most:.1f} MiB)", hint=hint, at=at)
    # In here the rest is bound together: nobody without a key can pair an old database with a new journal.
    about = {
        "format": _FORMAT,
        "generation": state.generation,
        "newsletter": state.newsletter,
        "sha256": hashlib.sha256(database).hexdigest(),
    }
    journal = f"{json.dumps(about)}\n{write_lines(state.journal)}"
    meta = {"format": _FORMAT, "generation": state.generation}
    return {
        _DATABASE: database,
        _JOURNAL: keys.seal(journal.encode()),
        _META: f"{json.dumps(meta)}\n".encode(),
    }


def read(files: Mapping[str, bytes], keys: Keys, *, at: str) -> State:
    """The state in *files*. Raises StateError for everything that is not as `write` wrote it."""
    if set(files) != {_DATABASE, _JOURNAL, _META}:
        hint = "check the name of the branch: this program makes one of its own for the state"
        raise StateError("the branch holds something else than a state", hint=hint, at=at)
    try:
        meta = _object(files[_META])
    except _NOT_OURS:
        raise damaged(at) from None
    if meta.get("format") != _FORMAT:
        hint = "update the program; it must not write what it does not understand"
        raise StateError("the state was saved by another version of this program", hint=hint, at=at)
    head, _, lines = keys.unseal(files[_JOURNAL], at=at).partition(b"\n")
    try:
        about = _object(head)
        if about["sha256"] != hashlib.sha256(files[_DATABASE]).hexdigest() or about["generation"] != meta["generation"]:
            raise damaged(at)
        state = State(
            generation=int(about["generation"]),
            newsletter=str(about["newsletter"]),
            journal=read_lines(lines.decode()),
            database=gzip.decompress(keys.unseal(files[_DATABASE], at=at)),
        )
    except _NOT_OURS:
        raise damaged(at) from None
    if state.generation < 1 or not state.database.startswith(_SQLITE):
        raise damaged(at)
    return state


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - as the text that is no JSON at all
    return found


def _read(recipients: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    try:
        keys = [pyrage.x25519.Recipient.from_str(each.strip()) for each in recipients]
    except pyrage.RecipientError:
        hint = "each begins with age1; a secret key does not belong there"
        raise SettingsError("a recipient of the state is no public key of age", hint=hint, at="state") from None
    if not keys:
        hint = "name your own public key and one kept offline"
        raise SettingsError("the state has no recipients", hint=hint, at="state")
    return keys


def damaged(at: str) -> StateError:
    """What to say of a state that is not as `write` wrote it."""
    hint = "look at who can push there; how to put a good one back: docs/operations.md, the state in Git"
    return StateError("the state is damaged, or somebody changed it by hand", hint=hint, at=at)
