"""Thursday's draft as a pull request, and what a pull request is told: the real steps, on real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.app.founding import found
from tests.leaks import leaks_in
from tests.workflows.conftest import ROOT, Desk, publish
from tests.workflows.steps import REPOSITORY, Event, Ran, Runner

DRAFTS = {"NEWSLETTER_DRAFT": "on"}
FRONT_DOOR = f'#!/bin/sh\nexec "{sys.executable}" -P -m newsletter "$@"\n'
AT = {"PYTHONPATH": str(ROOT), "NEWSLETTER_NOW": "2026-12-17T09:00:00+00:00", "LC_ALL": "C.UTF-8"}
THURSDAY = Event(name="schedule")
MONDAY = "2026-12-21"
ISSUE = "2026-11-30-the-quiet-half-of-the-room"
Make = Callable[..., Runner]


class Repository:
    """A newsletter of one's own, at home on a bare remote."""

    def __init__(self, folder: Path) -> None:
        self.work, self.origin = folder / "letters", folder / "origin.git"
        found(self.work)
        (self.work / "nl").write_text(FRONT_DOOR)
        for path in (self.work / "issues").glob(f"{MONDAY}-*"):
            path.unlink()  # so that there is something to assemble
        publish(self.work, self.origin)

    def git(self, *words: str) -> str:
        named = ("-c", "user.name=somebody", "-c", "user.email=")
        place = ["git", "-C", str(self.work), *named, *words]
        return subprocess.run(place, check=True, capture_output=True, text=True).stdout.strip()

    def propose(self, branch: str, changes: dict[str, tuple[str, str]]) -> Event:
        """A branch in which texts are replaced, as the pull request that it becomes."""
        base = self.git("rev-parse", "main")
        self.git("checkout", "--quiet", "-b", branch, "main")
        for name, (old, new) in changes.items():
            path = self.work / name
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new, 1))
        self.git("commit", "--quiet", "--all", "--message", "a change")
        self.git("push", "--quiet", str(self.origin), branch)
        head = {"repo": {"full_name": REPOSITORY}}
        return Event(
            name="pull_request", ref_name=branch, payload={"pull_request": {"base": {"sha": base}, "head": head}}
        )

    def shown(self, branch: str, name: str) -> str:
        place = ["git", "-C", str(self.origin), "show", f"{branch}:{name}"]
        return subprocess.run(place, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def draft(repository: Repository, runner: Make, **more: object) -> Ran:
    ran = runner(repository.origin, **{"variables": DRAFTS, "environment": AT, **more}).run("draft.yml", THURSDAY)
    assert leaks_in(ran.log) == []
    return ran


def branches(repository: Repository) -> list[str]:
    said = subprocess.run(
        ["git", "-C", str(repository.origin), "branch", "--format=%(refname:short)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return sorted(said.stdout.split())


def test_on_thursday_mondays_draft_is_proposed(repository: Repository, runner: Make, desk: Desk) -> None:
    assert draft(repository, runner).results == {"draft": "success"}
    (pull,) = desk.pulls
    assert (pull["head"], pull["base"]) == (f"draft/{MONDAY}", "main")
    assert branches(repository) == [f"draft/{MONDAY}", "main"]
    named = subprocess.run(
        ["git", "-C", str(repository.origin), "diff", "--name-only", "main", f"draft/{MONDAY}"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    (path,) = named
    assert path.startswith(f"issues/{MONDAY}-")
    letter = repository.shown(f"draft/{MONDAY}", path)
    assert letter.count("\n::: ") >= 6
    title = letter.split('title: "')[1].split('"')[0]
    assert pull["title"] == f"Draft for {MONDAY}: {title}"
    assert "| action | " in pull["body"]
    assert f"newsletter approve {Path(path).stem}" in pull["body"]
    assert "no `@`" not in pull["body"]
    assert "@" not in pull["body"]


def test_a_draft_that_somebody_writes_on_is_left_alone(repository: Repository, runner: Make, desk: Desk) -> None:
    draft(repository, runner)
    before = repository.git("ls-remote", str(repository.origin), f"refs/heads/draft/{MONDAY}")
    ran = draft(repository, runner)
    assert ran.results == {"draft": "success"}
    assert "left as it is" in ran.log
    assert repository.git("ls-remote", str(repository.origin), f"refs/heads/draft/{MONDAY}") == before
    assert len(desk.pulls) == 1


def test_a_pull_request_that_could_not_be_opened_is_opened_the_next_time(
    repository: Repository, runner: Make, desk: Desk, tmp_path: Path
) -> None:
    gh = tmp_path / "programs" / "gh"
    kept = gh.read_text()
    gh.write_text("#!/bin/sh\nexit 1\n")
    assert draft(repository, runner).results == {"draft": "failure"}
    assert branches(repository) == [f"draft/{MONDAY}", "main"]
    gh.write_text(kept)
    assert draft(repository, runner).results == {"draft": "success"}
    assert len(desk.pulls) == 1


def test_a_week_that_has_a_letter_gets_no_draft(repository: Repository, runner: Make, desk: Desk) -> None:
    there = repository.work / "issues" / f"{MONDAY}-written.md"
    shutil.copy(repository.work / "issues" / f"{ISSUE}.md", there)
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "written")
    repository.git("push", "--quiet", str(repository.origin), "main")
    ran = draft(repository, runner)
    assert ran.results == {"draft": "success"}
    assert "there is a letter" in ran.log
    assert branches(repository) == ["main"]
    assert desk.pulls == []


@pytest.mark.parametrize("variables", [{}, {"NEWSLETTER_DRAFT": "off"}])
def test_nothing_is_drafted_until_it_is_switched_on(repository: Repository, runner: Make, variables: object) -> None:
    assert draft(repository, runner, variables=variables).results == {"draft": "skipped"}


def review(repository: Repository, runner: Make, event: Event, **more: object) -> tuple[Ran, list[Path]]:
    machine = runner(repository.origin, **{"variables": {}, "environment": AT, **more})
    ran = machine.run("check.yml", event)
    assert leaks_in(ran.log + ran.summary) == []
    return ran, machine.artifacts


def test_a_pull_request_shows_what_readers_would_see_change(repository: Repository, runner: Make) -> None:
    event = repository.propose("letter", {f"issues/{ISSUE}.md": ("Draw the table", "Draw ``the whole`` table")})
    ran, artifacts = review(repository, runner, event)
    assert ran.results == {"letters": "success", "recipients": "skipped"}
    assert f"### {ISSUE}" in ran.summary
    assert "+Draw the whole table" in ran.summary
    assert "-Draw the table" in ran.summary
    assert ran.summary.count("### ") == 1
    names = {path.name for path in artifacts}
    assert {f"{ISSUE}.html", f"{ISSUE}.txt"} <= names
    if shutil.which("chromium"):
        assert {f"{ISSUE}-phone.png", f"{ISSUE}-desktop.png", f"{ISSUE}-dark.png"} <= names


def test_a_mistake_is_shown_beside_its_line_and_fails(repository: Repository, runner: Make) -> None:
    event = repository.propose("letter", {f"issues/{ISSUE}.md": ("Draw the table", "TODO: draw the table")})
    ran, _ = review(repository, runner, event)
    assert ran.results["letters"] == "failure"
    assert f"::error file=issues/{ISSUE}.md,line=" in ran.log
    assert "1 error" in ran.summary


def test_a_change_of_the_theme_shows_every_letter(repository: Repository, runner: Make) -> None:
    few = [f"issues/{ISSUE}.md", *(str(path) for path in Path("issues/series").glob("*/01-*.md"))]
    for path in (repository.work / "issues").rglob("*.md"):
        if "library" not in path.parts and str(path.relative_to(repository.work)) not in few:
            path.unlink()  # two letters show it as well as twelve
    repository.git("commit", "--quiet", "--all", "--message", "few letters")
    event = repository.propose("look", {"templates/letter/base.css": ("line-height: 1.65", "line-height: 1.7")})
    ran, artifacts = review(repository, runner, event)
    issues = repository.work / "issues"
    parts = [f"{path.parent.name}.{path.stem.partition('-')[2]}" for path in (issues / "series").glob("*/*.md")]
    letters = sorted([*(path.stem for path in issues.glob("*.md")), *parts])
    assert parts
    assert [line[4:] for line in ran.summary.split("\n") if line.startswith("### ")] == letters
    assert "The HTML differs in" in ran.summary
    assert len([path for path in artifacts if path.suffix == ".html"]) == len(letters)


def test_a_new_letter_is_called_new(repository: Repository, runner: Make) -> None:
    shutil.copy(repository.work / "issues" / f"{ISSUE}.md", repository.work / "issues" / f"{MONDAY}-new.md")
    repository.git("add", "--all")
    event = repository.propose("letter", {f"issues/{MONDAY}-new.md": ("send: 2026-11-30", f"send: {MONDAY}")})
    ran, _ = review(repository, runner, event)
    assert f"### {MONDAY}-new" in ran.summary
    assert "Not compared with what it was: " in ran.summary
    assert "no letter '" in ran.summary


def test_a_letter_that_was_broken_before_is_not_called_new(repository: Repository, runner: Make) -> None:
    name = f"issues/{ISSUE}.md"
    repository.propose("broken", {name: ("Draw the table", "{{ nobody_knows }} draw the table")})
    repository.git("checkout", "--quiet", "-B", "main", "broken")
    event = repository.propose("mended", {name: ("{{ nobody_knows }} draw the table", "Draw the whole table")})
    ran, _ = review(repository, runner, event)
    assert "Not compared with what it was: " in ran.summary
    assert "no letter '" not in ran.summary


def test_a_letter_that_is_quoted_gives_the_runner_no_orders(repository: Repository, runner: Make) -> None:
    order = "::warning::an order of the letter's own"
    event = repository.propose("letter", {f"issues/{ISSUE}.md": ("title: ", f'title: "\\n{order}\\n"\nother: ')})
    ran, _ = review(repository, runner, event)
    lines = ran.log.splitlines()
    stopped = [line.removeprefix("::stop-commands::") for line in lines if line.startswith("::stop-commands::")]
    assert len(stopped) == 1
    before = lines[: lines.index(f"::stop-commands::{stopped[0]}")]
    assert not any(line.startswith(order) for line in before)
    assert f"::{stopped[0]}::" in lines


def test_who_would_get_it_is_counted_by_the_program_of_the_main_branch(
    repository: Repository, runner: Make, tmp_path: Path
) -> None:
    list_of_people = f"sqlite:///{tmp_path}/people.db"
    environment = {"NEWSLETTER_DATABASE_URL": list_of_people, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    for words in (
        ("db", "upgrade"),
        ("subscribers", "import", "subscribers/sample.csv", "--evidence", "invented for a test"),
    ):
        done = subprocess.run(["./nl", *words], cwd=repository.work, env=environment, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
    event = repository.propose("letter", {"nl": ("exec", "echo mine; exit 1; exec")})
    ran, _ = review(
        repository,
        runner,
        event,
        variables={"NEWSLETTER_SEND": "on"},
        secrets={"NEWSLETTER_DATABASE_URL": list_of_people},
    )
    assert ran.results == {"letters": "failure", "recipients": "success"}
    assert "| everyone | 33 |" in ran.summary


def test_a_fork_gets_no_numbers_and_nothing_secret(repository: Repository, runner: Make) -> None:
    event = repository.propose("letter", {f"issues/{ISSUE}.md": ("Draw the table", "Draw a table")})
    event.payload["pull_request"]["head"]["repo"]["full_name"] = "stranger/letters"
    ran, _ = review(repository, runner, event, variables={"NEWSLETTER_SEND": "on"})
    assert ran.results == {"letters": "success", "recipients": "skipped"}
