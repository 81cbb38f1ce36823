"""What changed for readers since the approval, or since a revision of Git; and what voids an approval in Git."""

from __future__ import annotations

import subprocess

import pytest

from tests.acceptance.workplace import ISSUE, Workplace

LETTER = f"issues/{ISSUE}.md"
THEME = "templates/letter/base.css"


class Desk:
    """A newsletter in a repository, with an approved letter."""

    def __init__(self, workplace: Workplace) -> None:
        self.run, self.done, self.root = workplace.run, workplace.done, workplace.root
        self.done("init", str(self.root))
        self.git("init", "--quiet", "--initial-branch=main")
        self.done("approve", ISSUE)
        self.commit("approved")

    def git(self, *words: str) -> str:
        named = ("-c", "user.name=somebody", "-c", "user.email=", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *named, *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, why: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", why)

    def swap(self, name: str, old: str, new: str) -> None:
        file = self.root / name
        assert old in file.read_text(), old
        file.write_text(file.read_text().replace(old, new, 1))


@pytest.fixture
def desk(workplace: Workplace) -> Desk:
    return Desk(workplace)


def test_nothing_changed_is_said(desk: Desk) -> None:
    said = desk.done("diff", ISSUE)
    assert said.stdout == ""
    assert "no difference" in said.stderr
    assert desk.done("diff", ISSUE, "--json").data == {"changed": False, "head": [], "text": [], "html": []}


def test_a_change_is_shown_as_readers_see_it(desk: Desk) -> None:
    desk.swap(LETTER, "Dear {{", "Good morning, {{")
    desk.swap(LETTER, "preheader: ", "preheader: New: ")
    said = desk.run("diff", ISSUE)
    assert said.exit_code == 3  # the front matter is broken: a colon wants quotes
    desk.swap(LETTER, "preheader: New: ", "preheader: New, ")
    said = desk.done("diff", ISSUE)
    lines = said.stdout.split("\n")
    assert lines[0] == "preheader"
    assert any(line.startswith("+New, ") for line in lines)
    assert any(line.startswith("-Dear {{ first_name") for line in lines)
    assert any(line.startswith("+Good morning, {{ first_name") for line in lines)
    assert "--html shows them" in said.stderr


def test_a_change_of_the_theme_shows_in_the_html_alone(desk: Desk) -> None:
    desk.swap(THEME, "line-height: 1.65", "line-height: 1.7")
    plain = desk.done("diff", ISSUE)
    assert plain.stdout == ""
    assert "The HTML differs in" in plain.stderr
    shown = desk.done("diff", ISSUE, "--html").stdout
    # Each of the eight blocks stands in a cell of its own.
    assert sum("line-height:1.7" in line.replace(" ", "") for line in shown.split("\n") if line.startswith("+")) == 8


def test_a_change_that_readers_cannot_see_is_none(desk: Desk) -> None:
    desk.swap(LETTER, "---\n\n:::", "---\n\n\n\n:::")
    desk.swap(THEME, "{", "{ /* a remark */")
    assert "no difference" in desk.done("diff", ISSUE).stderr


def test_a_letter_is_compared_with_what_it_was_in_git(desk: Desk) -> None:
    desk.swap(LETTER, "title: ", "title: Now, ")
    desk.commit("a title")
    desk.swap(LETTER, "title: Now, ", "title: Then, ")
    found = desk.done("diff", ISSUE, "--rev", "HEAD", "--json").data
    assert [(row["what"], row["before"][:5], row["after"][:6]) for row in found["head"]] == [
        ("title", "Now, ", "Then, ")
    ]
    assert desk.done("diff", ISSUE, "--rev", "HEAD~1", "--json").data["head"][0]["after"].startswith("Then, ")


@pytest.mark.parametrize("revision", ["nowhere", "--output=somewhere", "HEAD:newsletter.toml", ""])
def test_a_revision_that_is_none_is_refused(desk: Desk, revision: str) -> None:
    said = desk.run("diff", ISSUE, "--rev", revision)
    assert said.exit_code == 1
    assert "knows no revision" in said.stderr
    assert not (desk.root / "somewhere").exists()


def test_a_letter_that_was_not_there_then_is_named(desk: Desk) -> None:
    desk.git("rm", "--quiet", "--cached", LETTER)
    desk.git("commit", "--quiet", "--message", "gone")
    said = desk.run("diff", ISSUE, "--rev", "HEAD")
    assert said.exit_code == 1
    assert f"no letter '{ISSUE}'" in said.stderr


def test_amending_shows_what_changed_and_asks(desk: Desk) -> None:
    desk.swap(LETTER, "Dear {{", "Good morning, {{")
    refused = desk.run("approve", ISSUE, "--amend")
    assert refused.exit_code == 2
    assert "+Good morning, " in refused.stdout
    assert "revision = 1" in (desk.root / f"issues/{ISSUE}.approval.toml").read_text()
    amended = desk.done("approve", ISSUE, "--amend", "--yes")
    assert "+Good morning, " in amended.stdout
    assert "revision = 2" in (desk.root / f"issues/{ISSUE}.approval.toml").read_text()


def test_only_what_was_approved_can_be_amended(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    said = workplace.run("approve", ISSUE, "--amend", "--yes")
    assert said.exit_code == 3
    assert "nobody has approved this letter yet" in said.stderr


def test_a_rebase_and_a_merge_void_no_approval(desk: Desk) -> None:
    desk.git("checkout", "--quiet", "-b", "letter", "HEAD")
    desk.swap(LETTER, "Dear {{", "Good morning, {{")
    desk.done("approve", ISSUE)
    desk.commit("the letter, approved")
    desk.git("checkout", "--quiet", "main")
    desk.swap("issues/2026-11-30-the-quiet-half-of-the-room.md", "title: ", "title: Now, ")
    desk.commit("another letter")
    desk.git("checkout", "--quiet", "letter")
    desk.git("rebase", "--quiet", "main")
    assert "nothing wrong" in desk.done("check", ISSUE).stderr
    desk.git("checkout", "--quiet", "main")
    desk.git("merge", "--quiet", "--no-ff", "--message", "merged", "letter")
    assert "nothing wrong" in desk.done("check", ISSUE).stderr
    assert "no difference" in desk.done("diff", ISSUE).stderr


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (LETTER, "Dear {{", "Good morning, {{"),
        (THEME, "line-height: 1.65", "line-height: 1.7"),
        ("templates/letter/blocks.html.j2", "<p", '<p class="other"'),
        ("newsletter.toml", 'tagline = "', 'tagline = "Now: '),
    ],
)
def test_every_change_that_readers_see_is_found_by_the_check_that_a_pull_request_runs(
    desk: Desk, name: str, old: str, new: str
) -> None:
    assert "nothing wrong" in desk.done("check", ISSUE).stderr
    desk.swap(name, old, new)
    said = desk.run("check", ISSUE)
    assert said.exit_code == 3
    assert "this is not what was approved as revision 1" in said.stdout


@pytest.mark.parametrize("name", [LETTER, "requirements.lock"])
def test_a_change_that_keeps_the_letter_from_being_planned_fails_there_too(desk: Desk, name: str) -> None:
    (desk.root / "requirements.lock").write_text("jinja2==3.1.6\n")
    desk.done("approve", ISSUE)
    (desk.root / name).write_text((desk.root / name).read_text() + "\n")
    said = desk.run("check", ISSUE)
    assert said.exit_code == 3
    assert f"changed since it was approved, though readers see no difference: {name}" in said.stdout
    desk.done("db", "upgrade")
    assert f"changed since it was approved: {name}" in desk.run("plan", ISSUE, "--yes").stderr
