"""Whose keys open a state, and what is done about one that somebody changed, put back or took away."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from contextlib import closing

import pyrage
import pytest

from newsletter.errors import SettingsError, StateConflict, StateError, StateMissing
from newsletter.store import gitbranch, gitstate
from tests.contract.store.conftest import NOW
from tests.contract.store.remotes import OURS, RECOVERY, STRANGER, enter, make_database, make_remote, names

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def remote(tmp_path):
    remote = make_remote(tmp_path)
    remote.state().init(make_database(tmp_path / "desk.db"))
    return remote


@pytest.fixture
def desk(tmp_path):
    return tmp_path / "desk.db"


@pytest.fixture
def copy(tmp_path):
    return tmp_path / "copy.db"


def change(remote, name: str, content: bytes) -> None:
    """What somebody who may push, but has no key, can do."""
    commit, files = remote.branch().read()
    remote.branch().swap(commit, {**files, name: content})


def test_the_recovery_key_opens_it_too(remote, copy):
    remote.state(RECOVERY).load(copy)
    assert names(copy) == ["reader1", "reader2", "reader3"]


def test_any_other_key_does_not(remote, copy):
    with pytest.raises(StateError, match="our key does not open") as caught:
        remote.state(STRANGER).load(copy)
    assert caught.value.hint
    assert not copy.exists()


@pytest.mark.parametrize("name", ["state.db.age", "departures.jsonl.age"])
@pytest.mark.parametrize("where", [0, 30, 250, -1])
def test_one_changed_byte_is_found(remote, copy, name, where):
    content = bytearray(remote.branch().read()[1][name])
    content[where] ^= 1
    change(remote, name, bytes(content))
    with pytest.raises(StateError, match=r"damaged|does not open") as caught:
        remote.state().load(copy)
    assert caught.value.hint
    assert not copy.exists()


def test_an_old_database_with_a_new_journal_is_found(remote, desk, copy):
    old = remote.branch().read()[1]["state.db.age"]
    state = remote.state()
    state.load(desk)
    enter(desk, "ana")
    state.save(desk)
    change(remote, "state.db.age", old)
    with pytest.raises(StateError, match="damaged"):
        remote.state().load(copy)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 1, "generation": 99}, "damaged"),
        ({"format": 2, "generation": 1}, "another version"),
        ([], "damaged"),
        ("\x00", "damaged"),
    ],
)
def test_a_changed_description_is_found(remote, copy, content, message):
    change(remote, "meta.json", json.dumps(content).encode() if content != "\x00" else b"\x00")
    with pytest.raises(StateError, match=message):
        remote.state().load(copy)


def test_a_branch_with_something_else_is_left_alone(remote, desk):
    remote.branch().swap(remote.head(), {"README.md": b"hello"})
    state = remote.state()
    for action in (lambda: state.load(desk), lambda: state.adopt(desk, desk, now=NOW), state.recreate):
        with pytest.raises(StateError, match="something else"):
            action()
    assert remote.files() == ["README.md"]


def test_a_state_that_was_put_back_is_refused(remote, desk):
    state = remote.state()
    state.load(desk)
    _, old = remote.branch().read()
    enter(desk, "ana")
    state.save(desk)
    remote.branch().swap(remote.head(), old)
    with pytest.raises(StateError, match="went back from generation 2 to 1") as caught:
        state.load(desk)
    assert "mail people again" in caught.value.hint
    assert names(desk)[3:] == ["ana"]
    enter(desk, "ben")
    with pytest.raises(StateConflict):
        state.save(desk)


def test_after_a_rotation_only_the_new_keys_open_it(remote, desk, copy):
    state = remote.state()
    state.load(desk)
    assert state.rotate([str(STRANGER.to_public())]) == 2
    with pytest.raises(StateError, match="our key does not open"):
        remote.state().load(copy)
    assert remote.state(STRANGER).load(copy) == 2
    assert names(copy) == names(desk)
    enter(desk, "ana")  # whoever rotated goes on, for the new keys
    assert state.save(desk) == 3
    assert remote.state(STRANGER).load(copy) == 3


def test_made_anew_nothing_names_an_older_state(remote, desk, copy):
    state = remote.state()
    state.load(desk)
    enter(desk, "ana")
    before = remote.head()
    state.save(desk)
    assert state.recreate() == 3
    assert remote.git("for-each-ref", "--format=%(refname)") == b"refs/heads/state\n"
    assert before not in remote.git("rev-list", "--objects", "--all").decode()
    remote.git("reflog", "expire", "--expire=now", "--all")
    remote.git("gc", "--quiet", "--prune=now")
    assert before not in remote.git("cat-file", "--batch-all-objects", "--batch-check").decode()
    assert remote.state().load(copy) == 3
    enter(desk, "ben")
    assert state.save(desk) == 4
    assert "server" in gitstate.CANNOT_ERASE


@pytest.mark.parametrize("steps", range(4))
def test_made_anew_but_cut_short(remote, copy, monkeypatch, steps):
    """After each number of changes to the remote, the state is there, and a second call finishes."""
    done = []

    def push(self, old, new, *, places):
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(new)
        original(self, old, new, places=places)

    original = gitbranch.GitBranch._push
    monkeypatch.setattr(gitbranch.GitBranch, "_push", push)
    with pytest.raises(KeyboardInterrupt):
        remote.state().recreate()
    monkeypatch.undo()
    if steps == 2:
        with pytest.raises(StateMissing) as caught:
            remote.state().load(copy)
        assert "recreate" in caught.value.hint
        with pytest.raises(StateError, match="already"):
            remote.state().init(copy)
    else:
        remote.state().load(copy)
    remote.state().recreate()
    assert remote.git("for-each-ref", "--format=%(refname)") == b"refs/heads/state\n"
    remote.state().load(copy)
    assert names(copy) == ["reader1", "reader2", "reader3"]


def test_a_secret_key_is_never_shown(remote):
    state = remote.state()
    secret = str(OURS)
    shown = [repr(state), *map(repr, vars(state).values())]
    for recipients, identity in (([secret], secret), ([], secret), ([str(STRANGER.to_public())], secret)):
        with pytest.raises(SettingsError) as caught:
            remote.state(identity, recipients) if recipients else gitstate.GitState(
                repository=remote.checkout, remote="x", branch="state", recipients=[], identity=identity
            )
        assert caught.value.hint
        shown.append(f"{caught.value!r} {caught.value.hint}")
    with pytest.raises(SettingsError) as caught:
        remote.state("AGE-SECRET-KEY-1QQQ", [str(OURS.to_public())])
    shown.append(f"{caught.value!r} {caught.value.hint}")
    assert not any(secret[20:40] in each or "1QQQ" in each for each in shown)


def test_what_everybody_can_read_by_now_gets_nothing_more(remote, desk, monkeypatch):
    """A repository can be made public after the first state was saved there."""
    state, before = remote.state(), remote.head()
    state.load(desk)
    enter(desk, "ana")
    monkeypatch.setattr(gitstate, "is_public", lambda _: True)
    for save in (lambda: state.save(desk), state.recreate, lambda: state.rotate([str(STRANGER.to_public())])):
        with pytest.raises(StateError, match="everybody can read"):
            save()
    assert remote.head() == before
    assert remote.branch("state.spare").head() is None


def another_database() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("CREATE TABLE t (x); CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END")
        return connection.serialize()


HEAD = {"format": 1, "generation": 7, "newsletter": "00", "sha256": ""}


@pytest.mark.parametrize(
    ("database", "head", "rest"),
    [
        (b"junk", {}, b""),
        (gzip.compress(b""), {}, b""),
        (gzip.compress(b"junk" * 5000), {}, b""),
        (gzip.compress(b"x" * 5000)[:-9], {}, b""),
        (gzip.compress(another_database()), {}, b""),
        (gzip.compress(b""), {"generation": None}, b""),
        (gzip.compress(b""), {"generation": []}, b""),
        (gzip.compress(b""), {"generation": -1}, b""),
        (gzip.compress(b""), {"newsletter": None, "sha256": 1}, b""),
        (gzip.compress(b""), {}, b"\xff\n"),
        (gzip.compress(b""), {}, b'{"at": []}\n'),
        (gzip.compress(b""), {}, b'{"at": "2026-11-23T12:00:00+00:00", "what": [], "who": "00"}\n'),
        (gzip.compress(b""), {}, b"[" * 100_000 + b"\n"),
    ],
    ids=map(str, range(13)),
)
def test_whoever_knows_a_public_key_can_write_junk_and_nothing_worse(remote, copy, database, head, rest):
    """It is called damaged, and what is here already stays."""
    remote.state().load(copy)
    public = [OURS.to_public()]
    sealed = pyrage.encrypt(database, public)
    about = HEAD | {"sha256": hashlib.sha256(sealed).hexdigest()} | head
    files = {
        "state.db.age": sealed,
        "departures.jsonl.age": pyrage.encrypt(json.dumps(about).encode() + b"\n" + rest, public),
        "meta.json": json.dumps({"format": 1, "generation": about["generation"]}).encode(),
    }
    remote.branch().swap(remote.head(), files)
    state = remote.state()
    for action in (lambda: state.load(copy), lambda: state.adopt(copy, copy, now=NOW), state.recreate):
        with pytest.raises(StateError, match="damaged"):
            action()
    assert names(copy) == ["reader1", "reader2", "reader3"]


def test_what_was_encrypted_with_a_password_is_not_asked_for(remote, copy):
    change(remote, "departures.jsonl.age", pyrage.passphrase.encrypt(b"x", "hunter2"))
    with pytest.raises(StateError, match=r"damaged|does not open"):
        remote.state().load(copy)
