"""The database as a state in Git: loaded, saved, in use meanwhile, and by several at once."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest

from newsletter.audience.subscriber import State
from newsletter.errors import StateConflict, StateError, StateMissing, StateUnreachable
from newsletter.store import sealed
from newsletter.store.schema import upgrade
from newsletter.store.subscribers import SqlPeople
from tests.contract.store.conftest import NOW, evidence
from tests.contract.store.remotes import enter, make_database, make_remote, names, opened

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def remote(tmp_path):
    return make_remote(tmp_path)


@pytest.fixture
def desk(tmp_path):
    """A database on somebody's desk, with three people."""
    return make_database(tmp_path / "desk.db")


@pytest.fixture
def runner(tmp_path) -> Path:
    """Where a machine that remembers nothing wants its database."""
    return tmp_path / "runner" / "newsletter.db"


def test_what_is_saved_is_loaded(remote, desk, runner):
    remote.state().init(desk)
    state = remote.state()
    assert state.load(runner) == 1
    assert names(runner) == ["reader1", "reader2", "reader3"]
    enter(runner, "ana")
    assert state.save(runner) == 2
    enter(runner, "ben")
    assert state.save(runner) == 3
    assert remote.state().load(desk) == 3
    assert names(desk) == ["reader1", "reader2", "reader3", "ana", "ben"]


def test_only_this_user_may_read_what_is_loaded(remote, desk, runner):
    remote.state().init(desk)
    desk.chmod(0o644)
    for path in (runner, desk):
        remote.state().load(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_did_not_change_is_not_pushed(remote, desk, runner):
    state = remote.state()
    state.init(desk)
    head = remote.head()
    assert state.save(desk) == 1
    loading = remote.state()
    assert loading.load(runner) == 1
    for _ in range(2):
        with opened(runner) as database:
            assert SqlPeople(database).find("reader1@example.org")
        assert loading.save(runner) == 1
    assert remote.head() == head
    enter(runner, "ana")
    loading.save(runner)
    assert remote.head() != head


def test_no_state_is_no_empty_list(remote, desk, runner):
    with pytest.raises(StateMissing, match="no state") as caught:
        remote.state().load(runner)
    assert "init" in caught.value.hint
    assert not runner.exists()
    with pytest.raises(StateError, match="nothing was loaded"):
        remote.state().save(desk)
    with pytest.raises(StateMissing):
        remote.state().adopt(desk, runner, now=NOW)


def test_a_remote_that_is_not_there_is_no_missing_state(remote, desk, runner):
    state = remote.state()
    state.init(desk)
    enter(desk, "ana")
    away = remote.path.rename(remote.path.with_name("away.git"))
    for action in (lambda: state.load(runner), lambda: state.save(desk), lambda: remote.state().init(desk)):
        with pytest.raises(StateUnreachable) as caught:
            action()
        assert caught.value.hint
    away.rename(remote.path)
    assert state.save(desk) == 2


def test_a_second_beginning_is_refused(remote, desk):
    remote.state().init(desk)
    head = remote.head()
    with pytest.raises(StateError, match="already") as caught:
        remote.state().init(desk)
    assert "forget" in caught.value.hint
    assert remote.head() == head


def test_who_was_not_first_must_load_again(remote, desk, runner):
    first, second = remote.state(), remote.state()
    first.init(desk)
    second.load(runner)
    enter(desk, "ana")
    first.save(desk)
    enter(runner, "ben")
    with pytest.raises(StateConflict) as caught:
        second.save(runner)
    assert "load" in caught.value.hint
    second.load(runner)
    assert names(runner)[3:] == ["ana"]
    enter(runner, "ben")
    second.save(runner)
    first.load(desk)
    assert names(desk)[3:] == ["ana", "ben"]


def test_four_at_once_lose_nobody(remote, desk, tmp_path):
    remote.state().init(desk)

    def add(writer: int) -> None:
        state, path = remote.state(), tmp_path / f"{writer}.db"
        for each in range(6):
            while True:
                state.load(path)
                enter(path, f"w{writer}n{each}")
                try:
                    state.save(path)
                except StateConflict:
                    continue
                break

    writers = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert remote.state().load(desk) == 25
    assert len(set(names(desk))) == len(names(desk)) == 27


def test_two_newsletters_do_not_share_a_state(remote, desk, tmp_path):
    state = remote.state()
    state.init(desk)
    other = tmp_path / "other.db"
    with opened(other) as database:
        upgrade(database)
    with pytest.raises(StateError, match="different newsletters"):
        state.save(other)
    assert state.save(desk) == 1


def test_a_state_that_is_too_large_is_refused_with_the_way_out(remote, desk, monkeypatch):
    state = remote.state()
    state.init(desk)
    enter(desk, *(f"more{n}" for n in range(50)))
    monkeypatch.setattr(sealed, "MOST_BYTES", 3000)
    with pytest.raises(StateError, match="too large") as caught:
        state.save(desk)
    assert "PostgreSQL" in caught.value.hint
    monkeypatch.undo()
    assert state.save(desk) == 2


def test_an_answer_that_was_lost_is_found_at_the_next_save(remote, desk):
    state = remote.state()
    state.init(desk)
    away = remote.path.with_name("away.git")
    remote.hook("post-receive", f"mv {remote.path} {away}; kill -9 $PPID")
    enter(desk, "ana")
    with pytest.raises(StateUnreachable):
        state.save(desk)
    away.rename(remote.path)
    remote.unhook()
    assert state.save(desk) == 2  # it had arrived, and nothing changed since
    enter(desk, "ben")
    assert state.save(desk) == 3


def test_an_answer_that_was_lost_is_no_conflict_with_what_came_after(remote, desk, runner):
    state = remote.state()
    state.init(desk)
    away = remote.path.with_name("away.git")
    remote.hook("post-receive", f"mv {remote.path} {away}; kill -9 $PPID")
    enter(desk, "ana")
    with pytest.raises(StateUnreachable):
        state.save(desk)
    away.rename(remote.path)
    remote.unhook()
    enter(desk, "ben")
    assert state.save(desk) == 3
    remote.state().load(runner)
    assert names(runner)[3:] == ["ana", "ben"]


def test_nobody_is_named_on_the_remote(remote, desk):
    state = remote.state()
    state.init(desk)
    with opened(desk) as database:
        people = SqlPeople(database)
        found = people.find("reader1@example.org")
        people.move(found.id, State.UNSUBSCRIBED, evidence=evidence(how="one-click"))
        people.suppress("reader2@example.org", reason="asked by reader2@example.org", now=NOW)
    state.save(desk)
    state.recreate()
    # What is encrypted has any bytes, so that one @ in it says nothing; an address would.
    address = rb"reader|example|one-click|[\w.+-]{2,}@[\w-]{2,}\.\w{2,}|SQLite|\"what\""
    log = ("log", "-p", "--all", "--format=fuller")
    assert b"newsletter <>" in remote.git(*log)
    assert not re.search(address, remote.git(*log))
    assert b"@" not in remote.git(*log, "--", ".", ":!*.age").replace(b"@@ -0,0 +1 @@", b"")
    objects = remote.git("cat-file", "--batch-all-objects", "--batch-check").decode().splitlines()
    assert len(objects) > 10
    for each in objects:
        name, kind, _ = each.split()
        content = remote.git("cat-file", kind, name)
        assert not re.search(address, content)
        if kind != "tree" and not content.startswith(b"age-encryption.org/v1\n"):
            assert b"@" not in content
