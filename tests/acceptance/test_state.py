"""A newsletter whose database lives in Git: two machines, one truth, and nothing readable on the way."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.store.publicity import is_public
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace
from tests.cloud import mailgun
from tests.cloud.server import Cloud, Departed

BERLIN = "2026-11-23T07:01:00+00:00"


def git(*words: str | Path) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "origin.git"
    git("init", "--quiet", "--bare", path)
    return path


@pytest.fixture
def desk(workplace: Workplace, origin: Path) -> Workplace:
    """A newsletter with a key and a remote, whose state was not begun yet."""
    workplace.done("init", str(workplace.root))
    git("init", "--quiet", workplace.root)
    git("-C", workplace.root, "remote", "add", "origin", origin)
    key = workplace.run("state", "key")
    settings = workplace.root / "newsletter.toml"
    (public,) = re.findall(r"age1\w+", key.stderr)
    text = re.sub(r'(?m)^database = ".*"', 'database = "git+age"', settings.read_text())
    settings.write_text(f'{text}\n[state]\nrecipients = ["{public}"]\n')
    workplace.environment["NEWSLETTER_STATE_KEY"] = key.stdout.strip()
    return workplace


@pytest.fixture
def begun(desk: Workplace) -> Workplace:
    desk.done("state", "init")
    listed = desk.root / "subscribers" / "sample.csv"
    listed.write_text("email,timezone\n" + "".join(f"reader{n}@example.org,Europe/Berlin\n" for n in range(30)))
    desk.done("subscribers", "import", str(listed), "--evidence", "invented for a test")
    desk.done("approve", ISSUE)
    return desk


def elsewhere(desk: Workplace, name: str) -> Workplace:
    """The same newsletter on another machine, which has never seen the database."""
    root = desk.root.parent / name
    shutil.copytree(desk.root, root)
    for path in (root / "subscribers").glob("newsletter.db*"):
        path.unlink()
    return Workplace(root, environment=dict(desk.environment))


def candidates(desk: Workplace) -> int:
    return sum(desk.done("subscribers", "stats", "--json").data.values())


def test_what_one_machine_did_the_other_knows(begun: Workplace) -> None:
    other = elsewhere(begun, "other")
    begun.done("tick", now=BERLIN)
    assert len(begun.outbox()) == 30
    assert other.done("status", ISSUE, "--json").data[0]["by_status"]["accepted"] == 30
    other.done("tick", now=AFTER_ALL_ZONES)
    assert other.outbox() == []


def test_who_was_heard_to_leave_on_one_machine_is_gone_on_the_other(begun: Workplace) -> None:
    with Cloud({"/": mailgun.mailgun}) as cloud:
        cloud.departed = [Departed(what="left", to="reader3@example.org", at=time.time() - 60)]
        settings = begun.root / "newsletter.toml"
        section = f'\n[mailgun]\ndomain = "{mailgun.DOMAIN}"\nurl = "{cloud.url}"\n'
        settings.write_text(re.sub(r'(?m)^name = "outbox"', 'name = "mailgun"', settings.read_text()) + section)
        begun.environment |= {"NEWSLETTER_NOW": None, "NEWSLETTER_MAILGUN_API_KEY": mailgun.KEY}
        begun.now = ""
        other = elsewhere(begun, "other")
        begun.done("tick")
        assert other.done("subscribers", "stats", "--json", now="").data["unsubscribed"] == 1
        asked = len(cloud.calls)
        other.done("tick", now="")
        assert len(cloud.calls) == asked  # it knows when the first one asked


def test_who_is_forgotten_on_one_machine_is_in_the_file_of_another_until_a_command_runs_there(begun: Workplace) -> None:
    other = elsewhere(begun, "other")
    other.done("subscribers", "stats")
    file = other.root / "subscribers" / "newsletter.db"
    said = begun.done("subscribers", "forget", "reader7@example.org", "--yes", "--json").data
    assert any("other machines" in each["where"] for each in said["copies"])
    assert b"reader7@example.org" in file.read_bytes()
    other.done("subscribers", "stats")
    assert b"reader7@example.org" not in file.read_bytes()


def test_without_a_beginning_nothing_is_taken_for_an_empty_list(desk: Workplace) -> None:
    said = desk.run("tick")
    assert said.exit_code == 1
    assert "there is no state on the remote" in said.stderr
    desk.done("state", "init")
    said = desk.run("state", "init")
    assert said.exit_code == 1
    assert "there is a state already" in said.stderr


def test_on_the_remote_nothing_can_be_read(begun: Workplace, origin: Path) -> None:
    begun.done("tick", now=BERLIN)
    names = git("-C", origin, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    assert names
    for line in names.splitlines():
        name, kind = line.split()
        content = subprocess.run(
            ["git", "-C", str(origin), "cat-file", kind, name], capture_output=True, check=True
        ).stdout
        assert b"example.org" not in content
        assert b"SQLite" not in content
    assert "@" not in git("-C", origin, "log", "--all", "--format=%an %ae %cn %ce %B")
    assert git("-C", origin, "rev-list", "--count", "newsletter-state").strip() == "1"


def test_who_saves_meanwhile_is_not_overwritten_and_nobody_is_mailed_twice(
    begun: Workplace, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import on another machine falls between a claim and its save."""
    from newsletter.store.gitstate import GitState

    other = elsewhere(begun, "other")
    (other.root / "more.csv").write_text("email\nlate@example.org\n")
    real, meddled = GitState.save, []

    def save(self: GitState, database: Path) -> int:
        if not meddled and database.parent.parent == begun.root:
            meddled.append(1)
            other.done("subscribers", "import", str(other.root / "more.csv"), "--evidence", "came late")
        return real(self, database)

    monkeypatch.setattr(GitState, "save", save)
    begun.done("tick", now=BERLIN)
    assert meddled
    assert candidates(begun) == candidates(other) == 31
    assert len(begun.outbox()) == 31  # who came before the plan was saved is in it
    assert other.done("status", ISSUE, "--json").data[0]["by_status"]["accepted"] == 31
    assert origin.exists()


def test_a_command_whose_save_comes_second_says_so_and_changes_nothing(
    begun: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.store.gitstate import GitState

    other = elsewhere(begun, "other")
    for place, name in ((begun, "one"), (other, "two")):
        (place.root / "more.csv").write_text(f"email\n{name}@example.org\n")
    real, meddled = GitState.save, []

    def save(self: GitState, database: Path) -> int:
        if not meddled:
            meddled.append(1)
            other.done("subscribers", "import", str(other.root / "more.csv"), "--evidence", "first")
        return real(self, database)

    monkeypatch.setattr(GitState, "save", save)
    words = ("subscribers", "import", str(begun.root / "more.csv"), "--evidence", "second")
    said = begun.run(*words)
    assert said.exit_code == 1
    assert "somebody else has saved the state meanwhile" in said.stderr
    assert candidates(begun) == 31
    begun.done(*words)
    assert candidates(other) == 32


def test_a_backup_put_back_brings_back_nobody_who_left(begun: Workplace, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    begun.done("state", "pull", str(backup))
    assert backup.stat().st_mode & 0o077 == 0
    (begun.root / "gone.csv").write_text("email,status\nreader1@example.org,unsubscribed\n")
    begun.done("subscribers", "import", str(begun.root / "gone.csv"), "--evidence", "asked to")
    assert begun.run("state", "push", str(backup)).exit_code == 2  # it asks first
    begun.done("state", "push", str(backup), "--yes")
    begun.done("tick", now=BERLIN)
    assert len(begun.outbox()) == 29


@pytest.mark.parametrize("made", ["before the plan", "before the send", "after the first of them"])
def test_a_backup_put_back_mails_nobody_twice(begun: Workplace, tmp_path: Path, made: str) -> None:
    """What was sent since it was made, it does not know; who would get it again, nobody can tell from it."""
    if made == "before the send":
        begun.done("plan", ISSUE, "--yes", now=BERLIN)
    if made == "after the first of them":
        (begun.root / "more.csv").write_text("email,timezone\nana@example.org,Asia/Tokyo\n")
        begun.done("subscribers", "import", str(begun.root / "more.csv"), "--evidence", "invented for a test")
        begun.done("tick", now="2026-11-22T23:01:00+00:00")
        assert len(begun.outbox()) == 1
    backup = tmp_path / "backup.db"
    begun.done("state", "pull", str(backup))
    content, other = backup.read_bytes(), elsewhere(begun, "other")
    before = other.outbox()
    begun.done("tick", now=BERLIN)
    said = begun.done("state", "push", str(backup), "--yes")
    assert f"{ISSUE} is called off" in said.stderr
    assert backup.read_bytes() == content
    other.run("tick", now=BERLIN)
    other.run("send", ISSUE, "--yes", now=AFTER_ALL_ZONES)
    assert other.outbox() == before
    (found,) = other.done("status", ISSUE, "--json").data
    assert found["stands"] == "cancelled"


def test_a_backup_that_knows_all_that_was_sent_calls_nothing_off(begun: Workplace, tmp_path: Path) -> None:
    begun.done("tick", now=BERLIN)
    backup = tmp_path / "backup.db"
    begun.done("state", "pull", str(backup))
    (begun.root / "more.csv").write_text("email\nlate@example.org\n")
    begun.done("subscribers", "import", str(begun.root / "more.csv"), "--evidence", "a slip")
    said = begun.done("state", "push", str(backup), "--yes")
    assert "called off" not in said.stderr
    assert candidates(begun) == 30
    assert begun.done("status", ISSUE, "--json").data[0]["stands"] != "cancelled"


def test_the_database_of_somebody_else_is_not_replaced(begun: Workplace, tmp_path: Path) -> None:
    """Of another newsletter, or of another program: neither pulled over, nor loaded over."""
    foreign, neighbours = tmp_path / "bookmarks.db", Workplace(tmp_path / "neighbours")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.executescript("CREATE TABLE bookmarks (url); INSERT INTO bookmarks VALUES ('mine')")
    neighbours.done("init", str(neighbours.root))
    neighbours.done("db", "upgrade")
    theirs = neighbours.root / "subscribers" / "newsletter.db"
    other = elsewhere(begun, "other")
    copied = other.root / "subscribers" / "newsletter.db"
    shutil.copy(theirs, copied)
    for path, words in ((foreign, ("state", "pull", str(foreign))), (theirs, ("state", "pull", str(theirs)))):
        content = path.read_bytes()
        said = begun.run(*words)
        assert said.exit_code == 1
        assert "something else than a copy of this newsletter" in said.stderr
        assert path.read_bytes() == content
    said = other.run("status")
    assert said.exit_code == 1
    assert "move it" in said.stderr
    assert copied.read_bytes() == theirs.read_bytes()
    said = begun.run("state", "push", str(theirs), "--yes")
    assert said.exit_code == 1
    assert "different newsletters" in said.stderr
    assert candidates(begun) == 30


def test_keys_can_be_changed_and_the_old_one_opens_nothing_more(begun: Workplace) -> None:
    key = begun.run("state", "key")
    (public,) = re.findall(r"age1\w+", key.stderr)
    begun.done("state", "rotate", "--to", public)
    said = begun.run("status")
    assert said.exit_code == 1
    assert "our key does not open the state" in said.stderr
    settings = begun.root / "newsletter.toml"
    settings.write_text(re.sub(r"age1\w+", public, settings.read_text()))
    begun.environment["NEWSLETTER_STATE_KEY"] = key.stdout.strip()
    assert candidates(begun) == 30
    said = begun.done("state", "recreate", "--yes")
    assert "garbage" in said.stderr
    assert candidates(begun) == 30


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"NEWSLETTER_STATE_KEY": None}, "NEWSLETTER_STATE_KEY: is not set"),
        ({"NEWSLETTER_STATE_KEY": "hunter2"}, "cannot be read"),
    ],
)
def test_a_key_that_is_missing_or_wrong_is_named_and_never_shown(
    begun: Workplace, change: dict[str, str | None], what: str
) -> None:
    begun.environment |= change
    said = begun.run("status")
    assert said.exit_code == 2
    assert what in said.stderr
    assert "hunter2" not in said.stderr


def test_another_database_has_no_state(workplace: Workplace) -> None:
    workplace.ready()
    said = workplace.run("state", "pull", "x.db")
    assert said.exit_code == 2
    assert 'database = "git+age"' in said.stderr


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves a bare repository as plain files; with a password, to those who have it."""

    password = False

    def do_GET(self) -> None:
        if self.password and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(params=[False, True], ids=["public", "private"])
def served(request: pytest.FixtureRequest, origin: Path, tmp_path: Path) -> Iterator[tuple[str, bool]]:
    work = tmp_path / "work"
    git("init", "--quiet", work)
    git("-C", work, "-c", "user.name=a", "-c", "user.email=", "commit", "--quiet", "--allow-empty", "-m", "x")
    git("-C", work, "push", "--quiet", origin, "HEAD:main")
    git("-C", origin, "update-server-info")
    handler = type("Handler", (_Server,), {"password": request.param})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://someone:token@127.0.0.1:{server.server_port}/origin.git", request.param
        server.shutdown()


def test_a_repository_that_everybody_can_read_is_refused(desk: Workplace, served: tuple[str, bool]) -> None:
    url, private = served
    assert is_public(url) is not private
    settings = desk.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[state]", f'[state]\nremote = "{url}"'))
    said = desk.run("state", "init")
    assert said.exit_code == 1
    assert ("everybody can read this repository" in said.stderr) is not private
    assert "token" not in said.stderr


def test_where_it_cannot_be_asked_a_folder_is_private(origin: Path) -> None:
    assert not is_public(str(origin))
    assert not is_public(f"file://{origin}")


def test_an_old_run_that_is_repeated_mails_nobody(begun: Workplace) -> None:
    old = elsewhere(begun, "old")
    begun.done("tick", now=BERLIN)
    assert json.loads(old.done("tick", "--json", now=BERLIN).stdout)["sent"] == {}
    assert old.outbox() == []


def meddle(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object], *, before: int = 1) -> None:
    """Do *deed* right before the state is saved for the so-manieth time."""
    from newsletter.store.gitstate import GitState

    real, saves = GitState.save, []

    def save(self: GitState, database: Path) -> int:
        saves.append(1)
        if len(saves) == before:
            deed()
        return real(self, database)

    monkeypatch.setattr(GitState, "save", save)


@pytest.mark.parametrize("before", range(1, 6))
def test_a_look_at_the_same_machine_disturbs_no_send(
    begun: Workplace, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """Somebody asks for the status in the other window: what this one has claimed must be saved all the same."""
    other = elsewhere(begun, "other")
    meddle(monkeypatch, lambda: begun.run("status"), before=before)
    begun.done("tick", now=BERLIN)
    assert len(begun.outbox()) == 30
    assert other.done("status", ISSUE, "--json").data[0]["by_status"]["accepted"] == 30
    other.done("tick", now=BERLIN)
    assert other.outbox() == []


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_letter_is_stopped_in_the_middle_of_a_send(
    begun: Workplace, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Whoever is sending saves again and again; that must not turn away whoever wants to stop it."""
    begun.done("plan", ISSUE, "--yes", now=BERLIN)
    other = elsewhere(begun, "other")
    (other.root / "more.csv").write_text("email\nlate@example.org\n")
    meddle(
        monkeypatch,
        lambda: other.done("subscribers", "import", str(other.root / "more.csv"), "--evidence", "came late"),
    )
    begun.done(word, ISSUE, "--why", "a wrong link", *(["--yes"] if word == "cancel" else []))
    other.run("tick", now=BERLIN)
    assert other.outbox() == []


def test_nobody_in_particular_has_no_credentials(
    served: tuple[str, bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where they stand in the environment, or in the repository that our temporary files happen to lie in."""
    url, private = served
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"http.{url.rpartition('@')[2].join(['http://', ''])}.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Authorization: Basic c29tZW9uZTp0b2tlbg==")
    around = tmp_path / "around"
    git("init", "--quiet", around)
    git("-C", around, "config", "url.file:///nowhere.insteadOf", "http://127.0.0.1")
    monkeypatch.setattr(tempfile, "tempdir", str(around))
    assert is_public(url) is not private


def test_a_public_repository_under_another_name_is_refused(
    desk: Workplace, served: tuple[str, bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, private = served
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{url.removesuffix("origin.git")}"]\n\tinsteadOf = "ours:"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    toml = desk.root / "newsletter.toml"
    toml.write_text(toml.read_text().replace("[state]", '[state]\nremote = "ours:origin.git"'))
    said = desk.run("state", "init")
    assert said.exit_code == 1
    assert ("everybody can read this repository" in said.stderr) is not private


def test_a_plan_is_not_lost_where_somebody_saves_before_its_first_claim(
    begun: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number would be another letter's by then."""
    other = elsewhere(begun, "other")
    (other.root / "more.csv").write_text("email\nlate@example.org\n")
    meddle(
        monkeypatch,
        lambda: other.done("subscribers", "import", str(other.root / "more.csv"), "--evidence", "came late"),
    )
    begun.done("send", ISSUE, "--yes", now=BERLIN)
    assert len(begun.outbox()) == 31
    assert other.done("status", ISSUE, "--json").data[0]["by_status"]["accepted"] == 31
