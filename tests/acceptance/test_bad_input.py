"""Whatever is wrong with what it is given: an error that says where, what and what next, and nothing half-done."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest

from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace
from tests.conftest import OWN_MOUNTS

ROOT = Path(__file__).resolve().parents[2]
LETTER = f"issues/{ISSUE}.md"
Spoil = Callable[[Path], None]


def text(spoiled: Callable[[str], str]) -> Spoil:
    """Spoils a letter by changing its text."""
    return lambda path: path.write_text(spoiled(path.read_text())) and None


def folder(path: Path) -> None:
    """Puts a folder where the letter was."""
    path.unlink()
    path.with_suffix("").mkdir()


LETTERS: dict[str, tuple[Spoil, int, str, str]] = {
    # what is wrong: (how, exit code, the place, what is said)
    "empty": (text(lambda _: ""), 3, f"{LETTER}:1:", "the file is empty"),
    "no front matter": (text(lambda _: "# Hello\n"), 3, f"{LETTER}:1:", "there is no front matter"),
    "wrong YAML": (text(lambda old: old.replace("title:", "title: 'a", 1)), 3, f"{LETTER}:", "is not YAML"),
    "unclosed fence": (text(lambda old: old.rstrip().removesuffix(":::")), 3, f"{LETTER}:", "is never closed"),
    "unknown field": (
        text(lambda old: old.replace("{{ first_name", "{{ frist_name", 1)),
        3,
        f"{LETTER}:",
        "did you mean 'first_name'?",
    ),
    "reaching out": (
        text(lambda old: old.replace("Dear", "{{ ''.__class__ }}", 1)),
        3,
        f"{LETTER}:",
        "uses attributes",
    ),
    "five megabytes": (text(lambda old: old + "x" * 5_000_000), 3, f"{LETTER}:", "a letter may have"),
    "Latin-1": (
        lambda path: path.write_bytes(path.read_text().replace("Dear", "D\xe9ar").encode("latin-1", "ignore")) and None,
        1,
        f"{LETTER}:",
        "is not UTF-8",
    ),
    "a folder": (folder, 1, f"issues/{ISSUE}:", "a folder without an index.md"),
    "not there": (lambda path: path.unlink(), 1, "issues:", "no letter"),
}


@pytest.mark.parametrize("wrong", LETTERS)
def test_a_letter_that_cannot_be_used(workplace: Workplace, wrong: str) -> None:
    spoil, exit_code, place, what = LETTERS[wrong]
    workplace.done("init", str(workplace.root))
    spoil(workplace.root / LETTER)
    for command in ("check", "approve", "render"):
        said = workplace.run(command, ISSUE)
        assert said.exit_code == exit_code, said.stderr
        assert "Traceback" not in said.stderr
        assert "bug:" not in said.stderr
        if command == "check":
            assert place in said.stdout + said.stderr
            assert what in said.stdout + said.stderr
    assert not (workplace.root / "issues" / f"{ISSUE}.approval.toml").exists()
    assert not list((workplace.root / "issues").glob("*.edition"))


@pytest.mark.parametrize(
    "harmless",
    [lambda raw: b"\xef\xbb\xbf" + raw, lambda raw: raw.replace(b"\n", b"\r\n")],
    ids=["byte order mark", "Windows line ends"],
)
def test_what_editors_on_other_systems_do_changes_nothing(
    workplace: Workplace, harmless: Callable[[bytes], bytes]
) -> None:
    workplace.done("init", str(workplace.root))
    before = workplace.done("approve", ISSUE, "--json").data["edition"]
    path = workplace.root / LETTER
    path.write_bytes(harmless(path.read_bytes()))
    assert workplace.done("approve", ISSUE, "--json").data["edition"] == before


def test_a_letter_outside_the_newsletter_is_not_read(workplace: Workplace, tmp_path: Path) -> None:
    workplace.done("init", str(workplace.root))
    outside = tmp_path / "2026-11-23-outside.md"
    outside.write_text("secret")
    for name in (str(outside), "../../2026-11-23-outside", "../2026-11-23-outside.md"):
        said = workplace.run("check", name)
        assert said.exit_code == 1
        assert "no letter" in said.stderr
    (workplace.root / "issues" / "2026-12-07-linked.md").symlink_to(outside)
    said = workplace.run("check", "2026-12-07-linked")
    assert said.exit_code == 1
    assert "links are not followed" in said.stderr


def many(count: int, *, broken: int | None = None) -> str:
    """A list of people with a quotation mark that is never closed on row *broken* (row 1 is the header)."""
    rows = ["email,name", *(f'reader{n}@example.org,"Reader {n}"' for n in range(2, count + 1))]
    if broken:
        rows[broken - 1] = f'reader{broken}@example.org,"Reader {broken}'
    return "\n".join(rows) + "\n"


def test_a_broken_quotation_mark_is_found_where_it_is_and_the_rows_before_it_are_kept(
    workplace: Workplace, tmp_path: Path
) -> None:
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    listed = tmp_path / "list.csv"
    listed.write_text(many(20_000, broken=7312))
    said = workplace.run("subscribers", "import", str(listed), "--evidence", "a test")
    assert said.exit_code == 1
    assert "7,312" in said.stderr
    assert "quotation mark" in said.stderr
    assert str(listed) in said.stderr
    assert "@" not in said.stderr.replace(str(listed), "")
    listed.write_text(many(20_000))
    counts = workplace.done("subscribers", "import", str(listed), "--evidence", "a test", "--json").data
    assert counts["added"] + counts["unchanged"] == 19_999
    assert not counts["rejected"]


def test_one_person_in_two_spellings_is_one_person(workplace: Workplace, tmp_path: Path) -> None:
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    listed = tmp_path / "list.csv"
    listed.write_text("email\nzoe@example.org\nZOE@Example.ORG\nZoe@example.org\n")
    counts = workplace.done("subscribers", "import", str(listed), "--evidence", "a test", "--json").data
    assert (counts["added"], counts["unchanged"]) == (1, 2)


LISTS = {
    "empty": ("", "column"),
    "no addresses": ("name,city\nZoë,Berlin\n", "email"),
    "a letter instead": ("# Hello\n\nDear reader,\n", "email"),
}


@pytest.mark.parametrize("wrong", LISTS)
def test_a_list_that_cannot_be_used(workplace: Workplace, tmp_path: Path, wrong: str) -> None:
    content, what = LISTS[wrong]
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    listed = tmp_path / "list.csv"
    listed.write_text(content)
    said = workplace.run("subscribers", "import", str(listed), "--evidence", "a test")
    assert said.exit_code == 1
    assert what in said.stderr
    assert str(listed) in said.stderr


@pytest.mark.parametrize("kind", ["latin-1", "a folder"])
def test_a_list_that_cannot_be_read(workplace: Workplace, tmp_path: Path, kind: str) -> None:
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    listed = tmp_path / "list.csv"
    if kind == "a folder":
        listed.mkdir()
    else:
        listed.write_bytes("email,name\na@example.org,A\nb@example.org,Zo\xeb\n".encode("latin-1"))
    said = workplace.run("subscribers", "import", str(listed), "--evidence", "a test")
    assert said.exit_code in (1, 2)
    assert str(listed) in said.stderr.replace("\n", "")
    if kind == "latin-1":
        assert f"{listed}:3" in said.stderr
        assert "UTF-8" in said.stderr


def test_a_database_that_is_not_there_yet(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    said = workplace.run("subscribers", "stats")
    assert said.exit_code == 1
    assert "newsletter db upgrade" in said.stderr
    assert not (workplace.root / "subscribers" / "newsletter.db").exists()


def test_a_database_that_somebody_else_is_writing_to(workplace: Workplace) -> None:
    workplace.ready()
    path = workplace.root / "subscribers" / "newsletter.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        said = workplace.run("plan", ISSUE, "--yes")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert said.exit_code == 1
    assert str(path) in said.stderr
    assert "busy" in said.stderr or "writing" in said.stderr
    workplace.done("plan", ISSUE, "--yes")


def test_a_database_that_is_no_database(workplace: Workplace) -> None:
    workplace.ready()
    path = workplace.root / "subscribers" / "newsletter.db"
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    said = workplace.run("status")
    assert said.exit_code == 1
    assert str(path) in said.stderr
    assert "Traceback" not in said.stderr


SMALL_DISK = """
set -e
mkdir -p {mount}
mount -t tmpfs -o size={size} tmpfs {mount}
cd {root}
{before}
{python} -m newsletter --config {home} send {issue} --yes || echo "exit $?" >&2
{after}
{python} -m newsletter --config {home} send {issue} --yes
find {mount} -name '*.eml' | wc -l
find {mount} -name '.*part' | wc -l
"""


@pytest.mark.needs("mount")
@pytest.mark.parametrize("full", ["outbox", "database"])
def test_a_full_disk_stops_the_send_and_room_lets_it_go_on(workplace: Workplace, full: str) -> None:
    """On a real file system with little room, in a mount namespace of the test's own."""
    count = 400
    rows = "email\n" + "".join(f"reader{n}@example.org\n" for n in range(count))
    workplace.ready(people=rows).done("plan", ISSUE, "--yes")
    home = workplace.root
    if full == "outbox":
        mount, size, before = home / "outbox", "4m", ""
        after = f"mount -o remount,size=100m {mount}"
    else:
        mount, size = home / "subscribers", "3m"
        keep = home.parent / "kept"
        before = f"cp -r {keep}/. {mount}; dd if=/dev/zero of={mount}/filler bs=4k 2>/dev/null || true"
        after = f"rm {mount}/filler"
        (home / "subscribers").rename(keep)
        mount.mkdir()
    root, python = quote(str(ROOT)), quote(sys.executable)
    script = SMALL_DISK.format(
        mount=mount, size=size, root=root, before=before, after=after, python=python, home=home, issue=ISSUE
    )
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "NEWSLETTER_NOW": AFTER_ALL_ZONES, "LANG": "C.UTF-8"}
    ran = subprocess.run(
        [*OWN_MOUNTS, "sh", "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "exit 1" in ran.stderr
    assert "disk" in ran.stderr.lower() or "space" in ran.stderr.lower()
    assert "Traceback" not in ran.stderr
    if full == "outbox":
        assert ran.stdout.split()[-2:] == [str(count), "0"]
    else:
        assert len(workplace.outbox()) == count


SETTINGS = {
    "not TOML": ('name = "a', "newsletter.toml", "double quotes"),
    "unknown section": ("[newsleter]\n", "newsletter.toml", "did you mean 'newsletter'?"),
    "unknown key": ('[site]\nurll = "https://example.org"\n', "newsletter.toml [site]", "did you mean 'url'?"),
    "missing": ("[newsletter]\n", "newsletter.toml [newsletter]", "What the newsletter is called."),
    "no zone": (
        '[newsletter]\nname = "A"\ntimezone = "Europe/Berlinn"\n',
        "newsletter.toml [newsletter] timezone",
        "Europe/Berlin",
    ),
}


@pytest.mark.parametrize("wrong", SETTINGS)
def test_wrong_settings_are_named(workplace: Workplace, wrong: str) -> None:
    content, place, what = SETTINGS[wrong]
    workplace.root.mkdir()
    (workplace.root / "newsletter.toml").write_text(content)
    said = workplace.run("check")
    assert said.exit_code == 2
    assert f"error: {place}" in said.stderr
    assert what in said.stderr


def test_a_folder_that_is_no_newsletter(workplace: Workplace) -> None:
    workplace.root.mkdir()
    said = workplace.run("status")
    assert said.exit_code == 2
    assert "newsletter init" in said.stderr
    assert list(workplace.root.iterdir()) == []


def test_an_unknown_command_is_answered_with_the_nearest(workplace: Workplace) -> None:
    said = workplace.run("chekc")
    assert said.exit_code == 2
    assert "check" in said.stderr
