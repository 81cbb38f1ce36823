"""A week, from an empty folder to a letter in every mailbox, once."""

from __future__ import annotations

import email
import json
import os
import pty
import re
import subprocess
import sys
from email import policy
from pathlib import Path

import pytest

from newsletter.rendering.edition import edition_hash
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace
from tests.unit.letters import ROOT

PLANNED = 33  # of the sample list's 40 rows: 2 are wrong, 1 is there twice, 4 may not be mailed
LEFT_AT_PLAN = {"bounced": 1, "complained": 1, "not confirmed": 1, "unsubscribed": 1}


def test_everybody_who_may_be_mailed_gets_one_letter_and_a_second_run_mails_nobody(workplace: Workplace) -> None:
    workplace.ready()
    first = workplace.done("send", ISSUE, "--yes")
    assert f"Handed to the outbox now: {PLANNED} people." in first.stderr
    before = {path.name: path.read_bytes() for path in workplace.outbox()}
    assert len(before) == PLANNED
    again = workplace.done("send", ISSUE, "--yes")
    assert "Nothing is left to send." in again.stderr
    assert {path.name: path.read_bytes() for path in workplace.outbox()} == before
    recipients = [
        email.message_from_bytes(raw, policy=policy.default)["to"].addresses[0].addr_spec for raw in before.values()
    ]
    assert len(set(recipients)) == PLANNED
    assert not {"left@example.org", "bounced@example.org", "complained@example.org", "pending@example.org"} & set(
        recipients
    )


def test_the_numbers_add_up_to_everyone(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    (standing,) = workplace.done("status", ISSUE, "--json").data
    assert standing["excluded"] == LEFT_AT_PLAN
    assert sum(standing["by_status"].values()) + sum(standing["excluded"].values()) == standing["candidates"]
    workplace.done("send", ISSUE, "--yes")
    (standing,) = workplace.done("status", ISSUE, "--json").data
    assert {name: count for name, count in standing["by_status"].items() if count} == {"accepted": PLANNED}


def test_each_zone_is_mailed_at_its_own_eight_oclock(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes", now="2026-11-22T12:00:00+00:00")
    mailed = []
    for now in (
        "2026-11-22T17:59:59+00:00",
        "2026-11-22T18:00:00+00:00",
        "2026-11-22T19:00:00+00:00",
        "2026-11-23T07:00:00+00:00",
    ):
        workplace.done("send", ISSUE, "--yes", now=now)
        mailed.append(len(workplace.outbox()))
    # Nobody early; then Kiritimati (UTC+14); then Auckland; by seven UTC everybody from there to Berlin.
    assert mailed[:3] == [0, 1, 2]
    assert PLANNED > mailed[3] > 20


def test_whoever_leaves_between_plan_and_send_gets_nothing(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    goodbye = workplace.root / "left.csv"
    goodbye.write_text("email,status\nZOE@example.org,unsubscribed\n")
    workplace.done("subscribers", "import", str(goodbye), "--evidence", "they wrote to us")
    workplace.done("send", ISSUE, "--yes")
    assert len(workplace.outbox()) == PLANNED - 1
    assert not any(b"zoe@example.org" in path.read_bytes() for path in workplace.outbox())
    story = workplace.done("explain", "zoe@example.org", "--json").data
    assert story["letters"][0]["status"] == "suppressed"
    assert story["letters"][0]["reason"] == "unsubscribed"


def test_whoever_joins_after_the_plan_waits_for_the_next_letter(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    workplace.done("subscribers", "add", "new@example.org", "--evidence", "asked at the door")
    workplace.done("send", ISSUE, "--yes")
    assert len(workplace.outbox()) == PLANNED


def test_a_letter_is_held_when_its_time_is_long_past_and_not_sent_late(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes", now="2026-11-22T12:00:00+00:00")
    workplace.done("send", ISSUE, "--yes", now="2026-11-25T12:00:00+00:00")
    assert workplace.outbox() == []
    (standing,) = workplace.done("status", ISSUE, "--json", now="2026-11-25T12:00:00+00:00").data
    assert standing["by_status"]["held"] == PLANNED


def test_a_draft_cannot_be_sent(workplace: Workplace) -> None:
    workplace.ready()
    said = workplace.run("send", "2026-11-30-the-quiet-half-of-the-room", "--yes")
    assert said.exit_code == 3
    assert "nobody has approved this letter yet" in said.stderr
    assert "newsletter approve 2026-11-30-the-quiet-half-of-the-room" in said.stderr


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (f"issues/{ISSUE}.md", "Dear", "Hello"),
        ("templates/letter/base.css", "{", "{ "),
        ("newsletter.toml", "1 Example Street", "2 Example Street"),
        ("subscribers/segments.toml", '"workplace" }', '"office" }'),
    ],
)
def test_a_change_after_the_approval_voids_it_and_is_named(workplace: Workplace, file: str, old: str, new: str) -> None:
    workplace.ready()
    path = workplace.root / file
    path.write_text(path.read_text().replace(old, new, 1))
    said = workplace.run("plan", ISSUE, "--yes")
    assert said.exit_code == 3
    assert file in said.stderr
    assert f"newsletter approve {ISSUE}" in said.stderr


def test_a_setting_that_readers_do_not_see_voids_nothing(workplace: Workplace) -> None:
    workplace.ready()
    path = workplace.root / "newsletter.toml"
    path.write_text(path.read_text().replace("window_hours = 36", "window_hours = 24"))
    workplace.done("plan", ISSUE, "--yes")


def test_an_edition_that_was_tampered_with_is_refused(workplace: Workplace) -> None:
    workplace.ready()
    path = workplace.root / "issues" / f"{ISSUE}.edition" / "edition.json"
    path.write_text(path.read_text().replace("kitchen shelf", "kitchen self"))
    said = workplace.run("plan", ISSUE, "--yes")
    assert said.exit_code == 3
    assert "not the one that was approved" in said.stderr


def test_approving_twice_changes_nothing_and_a_change_makes_a_new_revision(workplace: Workplace) -> None:
    workplace.ready()
    approval = workplace.root / "issues" / f"{ISSUE}.approval.toml"
    before = approval.read_bytes()
    assert "already" in workplace.done("approve", ISSUE, now="2026-11-24T00:00:00+00:00").stderr
    assert approval.read_bytes() == before
    letter = workplace.root / "issues" / f"{ISSUE}.md"
    letter.write_text(letter.read_text().replace("Dear", "Hello", 1))
    assert workplace.done("approve", ISSUE, "--json").data["revision"] == 2


def test_what_is_planned_is_sent_whatever_happens_to_the_files(workplace: Workplace) -> None:
    workplace.ready().done("plan", ISSUE, "--yes")
    (workplace.root / "issues" / f"{ISSUE}.md").unlink()
    (workplace.root / "templates" / "letter" / "base.css").write_text("")
    workplace.done("send", ISSUE, "--yes")
    assert len(workplace.outbox()) == PLANNED


def test_without_a_terminal_nothing_is_done_unasked(workplace: Workplace) -> None:
    workplace.ready()
    said = workplace.run("send", ISSUE)
    assert said.exit_code == 2
    assert "add --yes" in said.stderr
    assert "would go to 33 people" in said.stderr
    assert workplace.outbox() == []
    (standing,) = workplace.done("status", ISSUE, "--json").data
    assert standing["planned_at"] is None
    assert standing["stands"] == "approved"


def test_a_field_that_somebody_lacks_needs_a_fallback_before_anything_is_planned(workplace: Workplace) -> None:
    workplace.ready()
    letter = workplace.root / "issues" / f"{ISSUE}.md"
    letter.write_text(letter.read_text().replace('first_name | default("reader")', "first_name", 1))
    checked = workplace.run("check", ISSUE)
    assert checked.exit_code == 3
    assert "1 reader has no 'first_name'" in checked.stdout
    assert "default('friend')" in checked.stdout
    workplace.done("approve", ISSUE)  # approval depends on nobody's data; the gate before the plan does
    said = workplace.run("plan", ISSUE, "--yes")
    assert said.exit_code == 3
    assert "has no 'first_name'" in said.stdout


def test_explain_tells_the_whole_story(workplace: Workplace) -> None:
    workplace.ready().done("send", ISSUE, "--yes")
    story = workplace.done("explain", "ADA@example.org", ISSUE, "--json").data["letters"][0]
    assert [step["what"] for step in story["steps"]] == ["due", "planned", "claimed", "accepted"]
    assert (workplace.root / "outbox" / ISSUE / story["provider_id"]).is_file()
    excluded = workplace.done("explain", "left@example.org", "--json").data["letters"][0]
    assert (excluded["status"], excluded["reason"]) == (None, "unsubscribed")


def test_what_is_exported_can_be_imported_and_is_the_same(workplace: Workplace) -> None:
    workplace.ready()
    exported = workplace.done("subscribers", "export").stdout
    other = Workplace(workplace.root.parent / "other").ready(people=exported)
    assert other.done("subscribers", "export").stdout == exported
    assert other.done("subscribers", "stats", "--json").data == workplace.done("subscribers", "stats", "--json").data


def test_an_import_again_changes_nothing_and_brings_nobody_back(workplace: Workplace) -> None:
    workplace.ready()
    before = workplace.done("subscribers", "export").stdout
    listed = workplace.root / "subscribers" / "sample.csv"
    listed.write_text(listed.read_text().replace("unsubscribed", "active"))
    counts = workplace.done("subscribers", "import", str(listed), "--evidence", "again", "--json").data
    assert (counts["added"], counts["refreshed"], counts["departed"]) == (0, 0, 0)
    assert counts["kept_away"] == 1  # the other two left the same way as before
    assert workplace.done("subscribers", "export").stdout == before


def test_no_address_and_no_secret_in_anything_said_or_written_beside_the_list(workplace: Workplace) -> None:
    workplace.ready()
    said = [
        workplace.done("send", ISSUE, "--yes"),
        workplace.done("status"),
        workplace.done("doctor"),
        workplace.done("explain", "zoe@example.org"),
    ]
    secret = (workplace.root / "subscribers" / "secret.key").read_text().strip()
    talk = "".join(each.stdout + each.stderr for each in said)
    for path in (workplace.root / "issues").rglob("*"):
        if path.is_file():
            talk += path.read_text()
    assert "zoe@" not in talk
    assert secret not in talk
    assert (workplace.root / "subscribers" / "secret.key").stat().st_mode & 0o077 == 0


def test_a_new_newsletter_in_a_repository_offers_git_nothing_private(workplace: Workplace) -> None:
    workplace.ready().done("send", ISSUE, "--yes")
    git = ("git", "-C", str(workplace.root))
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    listed = subprocess.run([*git, "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    assert {path for path in listed if path.startswith("subscribers/")} == {
        "subscribers/.gitignore",
        "subscribers/sample.csv",
        "subscribers/segments.toml",
    }
    assert not [path for path in listed if path.startswith("outbox/")]
    assert f"issues/{ISSUE}.approval.toml" in listed
    assert workplace.done("doctor").exit_code == 0


def test_readers_may_leave_by_mail_where_there_is_no_server(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace('mode = "own"', 'mode = "mailto"'))
    workplace.ready().done("send", ISSUE, "--yes")
    message = email.message_from_bytes(workplace.outbox()[0].read_bytes(), policy=policy.default)
    header = message["list-unsubscribe"]
    assert re.fullmatch(r"<mailto:leave@letters\.example\.org\?subject=leave%20[\w-]{22}>", header)
    assert message["list-unsubscribe-post"] is None
    for part in message.iter_parts():
        assert header.strip("<>") in part.get_content()


@pytest.mark.parametrize("answer", ["n", "y"])
def test_at_a_terminal_it_asks_and_shows_how_it_gets_on(workplace: Workplace, answer: str) -> None:
    """Through a real pseudo-terminal, since what is shown and asked there is shown and asked nowhere else."""
    workplace.ready()
    command = [sys.executable, "-m", "newsletter", "--config", str(workplace.root), "send", ISSUE]
    environment = {**os.environ, "NEWSLETTER_NOW": AFTER_ALL_ZONES, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment, close_fds=True
    )
    os.close(follower)
    shown = b""
    asked = False
    while True:
        try:
            more = os.read(leader, 4096)
        except OSError:  # how a pseudo-terminal on Linux says that the other side is gone
            break
        if not more:
            break
        shown += more
        if not asked and b"[y/N]" in shown:
            asked = True
            os.write(leader, f"{answer}\n".encode())
    os.close(leader)
    assert process.wait(60) == 0
    assert asked
    text = shown.decode()
    assert f"Plan {ISSUE} for {PLANNED} people?" in text
    assert len(workplace.outbox()) == (PLANNED if answer == "y" else 0)
    assert ("sending" in text) == (answer == "y")


def forged(workplace: Workplace, **changes: object) -> None:
    """Puts another edition in the place of the approved one, with an approval that fits it."""
    path = workplace.root / "issues" / f"{ISSUE}.edition" / "edition.json"
    approval = workplace.root / "issues" / f"{ISSUE}.approval.toml"
    old = path.read_text()
    new = json.dumps(json.loads(old) | changes, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    path.write_text(new)
    approval.write_text(approval.read_text().replace(edition_hash(old.encode()), edition_hash(new.encode())))


def test_a_hand_made_edition_is_found_by_check_though_its_hash_fits(workplace: Workplace) -> None:
    workplace.ready()
    forged(workplace, title="Another title")
    said = workplace.run("check", ISSUE)
    assert said.exit_code == 3
    assert "this is not what was approved as revision 1" in said.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"issue_id": "2026-11-30-the-quiet-half-of-the-room"},
        {"issue_id": f"../issues/{ISSUE}"},
        {
            "identity": {
                "name": "Bank",
                "address": "ceo@bank.example",
                "reply_to": "",
                "newsletter": "Bank",
                "list_id": "a.b",
                "leave_mode": "own",
                "leave_mailto": "",
            }
        },
        {"audience": {"name": "everyone", "rule": {"is": "tags", "values": ["workplace"]}}},
    ],
    ids=["another letter", "a path", "another sender", "other readers"],
)
def test_an_edition_that_was_not_made_from_its_letter_is_not_planned(
    workplace: Workplace, change: dict[str, object]
) -> None:
    workplace.ready()
    forged(workplace, **change)
    said = workplace.run("send", ISSUE, "--yes")
    assert said.exit_code == 3
    assert workplace.outbox() == []


def test_a_letter_that_has_gone_out_may_look_different_by_now(workplace: Workplace) -> None:
    workplace.ready()
    path = workplace.root / "templates" / "letter" / "base.css"
    path.write_text(path.read_text().replace("580", "560"))
    assert workplace.run("check", ISSUE).exit_code == 3
    assert workplace.run("check", ISSUE, now="2026-12-24T12:00:00+00:00").exit_code == 0


def test_no_link_is_followed_in_reading_or_in_writing(workplace: Workplace, tmp_path: Path) -> None:
    workplace.ready()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (workplace.root / "templates" / "letter" / "key.j2").symlink_to(workplace.root / "subscribers" / "secret.key")
    said = workplace.run("render", ISSUE)
    assert said.exit_code == 1
    assert "links are not followed" in said.stderr
    (workplace.root / "templates" / "letter" / "key.j2").unlink()
    other = "2026-11-30-the-quiet-half-of-the-room"
    (workplace.root / "issues" / f"{other}.edition").symlink_to(elsewhere)
    assert workplace.run("approve", other).exit_code == 1
    assert list(elsewhere.iterdir()) == []


def test_messages_are_for_their_owner_alone(workplace: Workplace) -> None:
    workplace.ready().done("send", ISSUE, "--yes")
    for path in [workplace.root / "outbox", *(workplace.root / "outbox").rglob("*.eml"), workplace.outbox()[0].parent]:
        assert path.stat().st_mode & 0o077 == 0, path
