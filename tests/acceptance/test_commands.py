"""Commands one by one: what they say where a week goes right is in test_week; here are the other turns."""

from __future__ import annotations

import email
import subprocess
from collections.abc import Callable
from email import policy
from pathlib import Path

import pytest

from newsletter.app.newsletter import Newsletter
from newsletter.cli.standing import MEANINGS
from newsletter.delivery.outcome import Receipt, Status
from newsletter.settings.read import read_settings
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace

OTHER = "2026-11-30-the-quiet-half-of-the-room"


def test_a_new_letter_is_for_the_next_monday_and_says_what_is_still_to_be_written(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    path = workplace.done("new", "Ein Brief für alle", now="2026-11-25T12:00:00+00:00").stdout.strip()
    assert path == "issues/2026-11-30-ein-brief-fur-alle.md"
    assert workplace.run("new", "Ein Brief für alle", now="2026-11-25T12:00:00+00:00").exit_code == 1
    said = workplace.run("approve", path)
    assert said.exit_code == 3
    for missing in (
        *("'preheader' is missing", "'reflection' is empty", "'action' is empty", "needs a line 'text: …'"),
        *("'quote' needs {by=", "'steps' is empty", "'keep-going' is empty", "'subscribe' needs {url="),
    ):
        assert missing in said.stdout


def test_a_title_in_any_script_begins_a_letter(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    assert workplace.done("new", "Новости", "--date", "2026-12-07").stdout.strip() == "issues/2026-12-07-letter.md"


def test_last_weeks_letter_copied_is_noticed(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    issues = workplace.root / "issues"
    (issues / "2026-12-07-copy.md").write_text((issues / f"{OTHER}.md").read_text())
    said = workplace.run("check", "2026-12-07-copy")
    assert said.exit_code == 3
    assert "named 2026-12-07, but the letter is sent on 2026-11-30" in said.stdout


@pytest.mark.parametrize("form", ["{id}", "{id}.md", "issues/{id}.md", "issues/{id}", "{root}/issues/{id}.md"])
def test_a_letter_is_known_by_its_id_and_by_every_path_to_it(workplace: Workplace, form: str) -> None:
    workplace.ready()
    name = form.format(id=ISSUE, root=workplace.root)
    workplace.done("check", name)
    workplace.done("plan", name, "--yes")
    (workplace.root / "issues" / f"{ISSUE}.md").unlink()
    assert workplace.done("status", name, "--json").data[0]["issue"] == ISSUE


@pytest.mark.parametrize("command", ["check", "plan", "send", "status", "render", "approve"])
def test_a_letter_that_does_not_exist_is_named_with_those_that_do(workplace: Workplace, command: str) -> None:
    workplace.ready()
    said = workplace.run(command, "2026-01-05-nothing", *(["--yes"] if command in ("plan", "send") else []))
    assert said.exit_code == 1
    assert ISSUE in said.stderr
    assert workplace.run("explain", "zoe@example.org", "2026-01-05-nothing").exit_code == 1


def test_a_letter_is_rendered_for_a_reader_in_three_forms(workplace: Workplace) -> None:
    workplace.ready()
    html = workplace.done("render", ISSUE, "--as", "zoe@example.org").stdout
    text = workplace.done("render", ISSUE, "--text", "--as", "zoe@example.org").stdout
    message = workplace.done("render", ISSUE, "--eml", "--as", "zoe@example.org").stdout
    assert html.startswith("<!DOCTYPE html>")
    assert "Dear Zoë," in html
    assert "Dear Zoë," in text
    assert "Promises on the wall" in text  # for her segment only
    parsed = email.message_from_string(message, policy=policy.default)
    assert parsed["to"].addresses[0].addr_spec == "zoe@example.org"
    anybody = workplace.done("render", ISSUE, "--text").stdout
    assert "Dear reader," in anybody
    assert "Promises on the wall" not in anybody
    assert workplace.run("render", ISSUE, "--as", "nobody@example.org").exit_code == 1


def test_a_plan_for_nobody_is_not_written(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    assert f"Next: newsletter send {ISSUE}\n" in workplace.done("approve", ISSUE).stderr
    said = workplace.run("plan", ISSUE, "--yes")
    assert said.exit_code == 3
    assert "nobody would get it" in said.stdout
    assert workplace.done("status", ISSUE, "--json").data[0]["stands"] == "approved"


def test_a_letter_whose_time_is_past_for_everyone_is_not_planned(workplace: Workplace) -> None:
    workplace.ready()
    said = workplace.run("send", ISSUE, "--yes", now="2026-11-26T12:00:00+00:00")
    assert said.exit_code == 3
    assert "its time is past for everyone" in said.stdout
    some = workplace.run("plan", ISSUE, now="2026-11-24T12:00:00+00:00")
    assert "its time is past: they would be held" in some.stderr


def test_what_is_held_is_said_with_the_way_out(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes", now="2026-11-22T12:00:00+00:00")
    late = "2026-11-25T12:00:00+00:00"
    said = workplace.done("send", ISSUE, "--yes", now=late)
    assert "window_hours" in said.stderr
    assert workplace.done("status", ISSUE, "--json", now=late).data[0]["stands"] == "some held"
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("window_hours = 36", "window_hours = 96"))
    workplace.done("send", ISSUE, "--yes", now=late)
    assert len(workplace.outbox()) == 33
    assert workplace.done("status", ISSUE, "--json", now=late).data[0]["stands"] == "done"


def test_a_correction_after_the_plan_is_not_what_readers_get_and_everybody_says_so(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    letter = workplace.root / "issues" / f"{ISSUE}.md"
    letter.write_text(letter.read_text().replace("Dear", "Hello", 1))
    assert "But revision 1 was planned" in workplace.done("approve", ISSUE).stderr
    for command in (("status", ISSUE), ("plan", ISSUE), ("send", ISSUE, "--yes")):
        assert "Revision 2 is approved, but revision 1 was planned" in workplace.done(*command).stderr


def test_doubt_has_an_exit_code_of_its_own(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    with Newsletter(read_settings(workplace.root, {"NEWSLETTER_NOW": AFTER_ALL_ZONES})) as newsletter:
        planned, ledger = SqlPlanner(newsletter.database).planned(ISSUE), SqlLedger(newsletter.database)
        assert planned is not None
        now = newsletter.clock()
        claim = ledger.claim(planned.no, now=now, not_before=now - newsletter.window, limit=1, worker="a:1:b")
        assert claim is not None
        doubtful = [Receipt(seq=each.seq, status=Status.UNKNOWN, reason="no answer") for each in claim.deliveries]
        ledger.record(claim, doubtful, digests={}, now=now)
        ledger.record(claim, [], digests={}, now=now, close=True)
    said = workplace.run("send", ISSUE, "--yes")
    assert said.exit_code == 4
    assert "1 person may have been mailed or not" in said.stderr
    assert len(workplace.outbox()) == 32
    standing = workplace.done("status", ISSUE, "--json").data[0]
    assert (standing["stands"], standing["by_status"]["unknown"]) == ("in doubt", 1)


def test_every_status_has_a_meaning_for_people() -> None:
    assert set(MEANINGS) == set(Status)


def test_nobody_who_left_is_added_again_by_hand(workplace: Workplace) -> None:
    workplace.ready()
    said = workplace.run("subscribers", "add", "LEFT@example.org", "--evidence", "asked a friend")
    assert said.exit_code == 1
    assert "is not brought back by hand" in said.stderr
    assert workplace.done("subscribers", "show", "left@example.org", "--json").data["state"] == "unsubscribed"
    assert (
        workplace.run("subscribers", "add", "new@example.org", "--timezone", "Mars/One", "--evidence", "x").exit_code
        == 1
    )
    assert workplace.run("subscribers", "add", "no address", "--evidence", "x").exit_code == 1
    workplace.done("subscribers", "add", "new@example.org", "--timezone", "Africa/Nairobi", "--evidence", "x")
    shown = workplace.done("subscribers", "show", "new@example.org", "--json").data
    assert (shown["timezone"], shown["consent"][0]["how"], shown["consent"][0]["source"]) == (
        "Africa/Nairobi",
        "add",
        "x",
    )


def test_a_column_of_the_list_does_not_overwrite_what_we_know(workplace: Workplace, tmp_path: Path) -> None:
    workplace.ready()
    listed = tmp_path / "list.csv"
    listed.write_text("email,id,frozen\nmallory@example.org,77,no\n")
    workplace.done("subscribers", "import", str(listed), "--evidence", "x")
    shown = workplace.done("subscribers", "show", "mallory@example.org", "--json").data
    assert shown["id"] != "77"
    assert shown["suppressed"] is False
    assert shown["fields"] == {"id": "77", "frozen": "no"}


def _git(root: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    for folder in (root, root / "subscribers"):
        (folder / ".gitignore").unlink()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "settings": (lambda root: (root / "newsletter.toml").write_text("["), "double quotes"),
    "theme": (lambda root: (root / "templates/letter/base.css").write_text("a:hover { color: red; }"), "client.css"),
    "segments": (lambda root: (root / "subscribers/segments.toml").write_text("a = 1\n"), "write: a ="),
    "letters": (lambda root: [path.unlink() for path in (root / "issues").glob("*.md")], "newsletter new"),
    "keys": (lambda root: (root / "subscribers/secret.key").chmod(0o644), "chmod 600"),
    "database": (lambda root: (root / "subscribers/newsletter.db").unlink(), "newsletter db upgrade"),
    "provider": (lambda root: (root / "outbox").write_text("in the way"), "outbox"),
    "privacy": (_git, "/subscribers/secret.key"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_doctor_finds_what_is_broken_and_says_how_to_mend_it(workplace: Workplace, what: str) -> None:
    workplace.ready()
    healthy = workplace.done("doctor", "--json").data
    assert {finding["what"] for finding in healthy} == {*BROKEN, "workflows", "clock", "next", "last tick"}
    assert all(finding["ok"] for finding in healthy)
    assert [finding["what"] for finding in healthy if finding["fix"]] == ["last tick"]  # a letter is due, and none came
    spoil, fix = BROKEN[what]
    spoil(workplace.root)
    said = workplace.run("doctor", "--json")
    assert said.exit_code == 1
    found = [finding for finding in said.data if not finding["ok"]]
    assert [finding["what"] for finding in found] == [what]
    assert fix in found[0]["fix"]
    assert "MEND" in workplace.run("doctor").stdout


def test_no_key_at_all_is_found_before_anything_is_sent(workplace: Workplace) -> None:
    workplace.ready()
    (workplace.root / "subscribers" / "secret.key").unlink()
    said = workplace.run("send", ISSUE, "--yes")
    assert said.exit_code == 2
    assert "no key to sign links with" in said.stderr
    assert workplace.outbox() == []


def test_an_outbox_that_is_in_the_way_is_named_also_while_settling(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    with Newsletter(read_settings(workplace.root, {"NEWSLETTER_NOW": AFTER_ALL_ZONES})) as newsletter:
        planned = SqlPlanner(newsletter.database).planned(ISSUE)
        assert planned is not None
        now = newsletter.clock()
        SqlLedger(newsletter.database).claim(
            planned.no, now=now, not_before=now - newsletter.window, limit=50, worker="elsewhere:1:dead"
        )
    (workplace.root / "outbox").write_text("in the way")
    said = workplace.run("send", ISSUE, "--yes", now="2026-11-23T20:30:00+00:00")
    assert said.exit_code == 1
    assert "the outbox cannot be used" in said.stderr
