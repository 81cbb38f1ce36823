"""Pause, cancel, correct, reconcile, resolve, proof and watching, as a person types them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app.dispatch import Dispatch
from newsletter.app.newsletter import Newsletter
from newsletter.delivery.outcome import Receipt, Status
from newsletter.delivery.plan import PlannedIssue
from newsletter.settings.read import read_settings
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.usecases.canary import Verdict
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace
from tests.cloud.resend import KEY, resend
from tests.cloud.server import DROP, Cloud

ROOT = Path(__file__).resolve().parents[2]


def standing(workplace: Workplace) -> dict[str, object]:
    """What status says of the letter, as data."""
    (found,) = workplace.run("status", ISSUE, "--json").data
    return {"stands": found["stands"], **{name: count for name, count in found["by_status"].items() if count}}


def leave_in_doubt(workplace: Workplace, count: int) -> None:
    """As after a provider that did not answer."""
    with Newsletter(read_settings(workplace.root, {"NEWSLETTER_NOW": AFTER_ALL_ZONES})) as newsletter:
        planned, ledger = SqlPlanner(newsletter.database).planned(ISSUE), SqlLedger(newsletter.database)
        assert planned is not None
        now = newsletter.clock()
        while count:
            claim = ledger.claim(planned.no, now=now, not_before=now - newsletter.window, limit=count, worker="a:1:b")
            assert claim is not None
            doubtful = [Receipt(seq=each.seq, status=Status.UNKNOWN, reason="no answer") for each in claim.deliveries]
            ledger.record(claim, doubtful, digests={}, now=now, close=True)
            count -= len(doubtful)


@pytest.fixture
def planned(workplace: Workplace) -> Workplace:
    """A letter whose plan is written."""
    workplace.ready().done("plan", ISSUE, "--yes")
    return workplace


def test_a_paused_letter_is_not_sent_and_goes_on_when_resumed(planned: Workplace) -> None:
    planned.done("pause", ISSUE, "--why", "wrong link")
    said = planned.run("send", ISSUE, "--yes")
    assert said.exit_code == 3
    assert "it is paused: wrong link" in said.stderr
    assert standing(planned) == {"stands": "paused", "planned": 33}
    planned.done("resume", ISSUE)
    planned.done("send", ISSUE, "--yes")
    assert standing(planned) == {"stands": "done", "accepted": 33}


def test_a_cancelled_letter_is_called_off_for_good(planned: Workplace) -> None:
    refused = planned.run("cancel", ISSUE)
    assert refused.exit_code == 2
    planned.done("cancel", ISSUE, "--yes", "--why", "the talk was moved")
    assert standing(planned) == {"stands": "cancelled", "cancelled": 33}
    for word in ("resume", "pause", "correct"):
        assert planned.run(word, ISSUE).exit_code != 0, word
    assert "Cancelled: the talk was moved" in planned.run("send", ISSUE, "--yes").stderr
    assert planned.outbox() == []


def test_a_correction_reaches_those_who_have_not_got_it(planned: Workplace) -> None:
    early = "2026-11-23T05:00:00+00:00"  # past eight in the far east only
    planned.done("send", ISSUE, "--yes", now=early)
    before = planned.outbox()
    assert 0 < len(before) < 33
    planned.done("pause", ISSUE)
    letter = planned.root / "issues" / f"{ISSUE}.md"
    letter.write_text(letter.read_text().replace("Renew your goals", "Renew your Goals"))
    assert planned.run("correct", ISSUE).exit_code == 3  # nobody approved it
    planned.done("approve", ISSUE)
    said = planned.done("correct", ISSUE, "--why", "a typo")
    assert "from here on revision 2 is sent" in said.stderr
    planned.done("resume", ISSUE)
    planned.done("send", ISSUE, "--yes")
    texts = {path: path.read_text() for path in planned.outbox()}
    assert len(texts) == 33
    assert not [path for path in before if "Renew your Goals" in texts[path]]
    assert all("Renew your Goals" in text for path, text in texts.items() if path not in before)


def test_a_correction_cannot_change_who_gets_it_or_when(planned: Workplace) -> None:
    letter = planned.root / "issues" / f"{ISSUE}.md"
    letter.write_text(re.sub(r"^send: .*$", "send: 2026-11-23 09:00", letter.read_text(), flags=re.MULTILINE))
    planned.done("approve", ISSUE)
    said = planned.run("correct", ISSUE)
    assert said.exit_code == 3
    assert "another send:" in said.stderr


def test_the_outbox_settles_doubts_by_looking(planned: Workplace) -> None:
    leave_in_doubt(planned, 5)
    assert standing(planned)["unknown"] == 5
    said = planned.done("reconcile", ISSUE)
    assert "5 people: certainly not sent" in said.stderr
    assert "Nobody is in doubt" in said.stderr
    planned.done("send", ISSUE, "--yes")
    assert standing(planned) == {"stands": "done", "accepted": 33}
    assert len(planned.outbox()) == 33


def test_a_persons_word_settles_what_nobody_can_find_out(planned: Workplace) -> None:
    leave_in_doubt(planned, 3)
    listed = planned.done("resolve", ISSUE)
    assert len(re.findall(r"…@example\.org", listed.stdout)) == 3
    assert not re.search(r"\w{2,}@example", listed.stdout)
    people = [each["person"] for each in planned.done("resolve", ISSUE, "--json").data]
    assert planned.run("resolve", ISSUE, "sent", "--yes").exit_code == 2  # without a why
    planned.done("resolve", ISSUE, "sent", "--person", str(people[0]), "--why", "in the log", "--yes")
    planned.done("resolve", ISSUE, "not-sent", "--why", "the server was off", "--yes")
    assert standing(planned) == {"stands": "under way", "accepted": 1, "planned": 32}
    planned.done("send", ISSUE, "--yes")
    assert len(planned.outbox()) == 32
    assert "Nobody is in doubt" in planned.done("resolve", ISSUE).stderr


def test_a_message_can_be_shown_again_and_says_whether_it_is_the_same(planned: Workplace) -> None:
    planned.done("send", ISSUE, "--yes")
    rows = planned.done("subscribers", "export").stdout.splitlines()[1:]
    sent = {path.read_bytes() for path in planned.outbox()}
    for address in [row.split(",")[0] for row in rows][:8]:
        said = planned.run("explain", address, ISSUE, "--message")
        if said.exit_code == 0:
            assert said.stdout.encode().replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n") in sent
            assert "byte for byte" in said.stderr
            break
    else:
        raise AssertionError("nobody got one")
    other = planned.root / "other.csv"
    other.write_text(f"email,first_name,name\n{address},Somebody,Somebody Else\n")
    planned.done("subscribers", "import", str(other), "--evidence", "invented for a test")
    assert "changed since" in planned.done("explain", address, ISSUE, "--message").stderr


@pytest.fixture
def cloud(workplace: Workplace) -> Iterator[Cloud]:
    """A newsletter that sends by Resend's stand-in, at the real time."""
    workplace.ready()
    workplace.environment |= {"NEWSLETTER_NOW": None, "NEWSLETTER_RESEND_API_KEY": KEY}
    workplace.now = ""
    with Cloud({"/": resend}) as server:
        settings = (workplace.root / "newsletter.toml").read_text().partition("[provider]")[0]
        settings = settings.replace("[site]\n", "[site]\ncheck = false\n")
        provider = f'[provider]\nname = "resend"\n\n[resend]\nurl = "{server.url}"\n'
        (workplace.root / "newsletter.toml").write_text(settings + provider)
        yield server


def test_a_proof_is_the_very_message_marked_and_counts_for_nothing(workplace: Workplace, cloud: Cloud) -> None:
    said = workplace.done("proof", ISSUE, "--to", "me@example.org")
    assert 'Handed to the resend: "[Proof] ' in said.stderr
    workplace.done("proof", ISSUE, "--to", "me@example.org")
    first, second = cloud.accepted
    assert first.to == "me@example.org"
    assert first.subject.startswith("[Proof] ")
    assert first.headers["Message-ID"] != second.headers["Message-ID"]
    assert "/leave/example" in first.html
    assert workplace.run("status", "--json").data[-1]["stands"] in ("approved", "draft")


def test_a_pretended_time_never_meets_real_people(workplace: Workplace, cloud: Cloud) -> None:
    workplace.environment["NEWSLETTER_NOW"] = AFTER_ALL_ZONES
    said = workplace.run("proof", ISSUE, "--to", "me@example.org")
    assert said.exit_code == 2
    assert cloud.accepted == []


def test_the_doctor_asks_the_provider(workplace: Workplace, cloud: Cloud) -> None:
    assert "letters.example.org" in workplace.run("doctor").stdout
    workplace.environment["NEWSLETTER_RESEND_API_KEY"] = "re_wrong_key_123456"
    said = workplace.run("doctor")
    assert said.exit_code == 1
    assert "NEWSLETTER_RESEND_API_KEY" in said.stdout
    assert "re_wrong_key" not in said.stdout + said.stderr
    workplace.environment["NEWSLETTER_RESEND_API_KEY"] = None
    assert "is not set" in workplace.run("doctor").stdout


def test_nothing_that_is_printed_holds_a_secret_or_an_address(workplace: Workplace, cloud: Cloud) -> None:
    for fault in (DROP, "500", ""):
        cloud.faults.extend([fault] if fault else [])
        for verbose in ([], ["-v"]):
            said = workplace.run(*verbose, "proof", ISSUE, "--to", "somebody.private@example.org")
            for text in (said.stdout, said.stderr):
                assert "somebody.private" not in text
                assert KEY not in text
    workplace.environment["NEWSLETTER_RESEND_API_KEY"] = "re_another_wrong_key"
    said = workplace.run("-v", "proof", ISSUE, "--to", "somebody.private@example.org")
    assert said.exit_code == 1
    assert "somebody.private" not in said.stderr + said.stdout
    assert "re_another_wrong_key" not in said.stderr + said.stdout


def test_asked_to_stop_a_send_leaves_cleanly_and_the_next_goes_on(workplace: Workplace) -> None:
    people = "email\n" + "".join(f"reader{n}@example.org\n" for n in range(4000))
    workplace.ready(people=people).done("plan", ISSUE, "--yes")
    command = [sys.executable, "-m", "newsletter", "--config", str(workplace.root), "send", ISSUE, "--yes"]
    environment = {**os.environ, "NEWSLETTER_NOW": AFTER_ALL_ZONES, "PYTHONPATH": str(ROOT)}
    environment.pop("NEWSLETTER_DATABASE_URL", None)
    for number in (signal.SIGINT, signal.SIGTERM):
        before = len(workplace.outbox())
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while len(workplace.outbox()) < before + 120:
            assert process.poll() is None
            time.sleep(0.01)
        asked = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
        assert time.monotonic() - asked < 7
        assert process.returncode == 0, stderr
        assert "Stopped as you asked" in stderr
        found = standing(workplace)
        assert "unknown" not in found
        assert "claimed" not in found
        assert found["accepted"] == len(workplace.outbox()) < 4000
    workplace.done("send", ISSUE, "--yes")
    assert standing(workplace) == {"stands": "done", "accepted": 4000}


def test_watching_ends_when_nothing_is_left(planned: Workplace) -> None:
    planned.done("send", ISSUE, "--yes")
    said = planned.done("status", ISSUE, "--watch", "--json")
    assert json.loads(said.stdout)[0]["stands"] == "done"


def test_a_long_letter_goes_to_a_few_first_and_says_what_that_proves(workplace: Workplace) -> None:
    people = "email\n" + "".join(f"reader{n}@example.org\n" for n in range(400))
    settings = workplace.root / "newsletter.toml"
    workplace.done("init", str(workplace.root))
    settings.write_text(settings.read_text() + "\n[canary]\npeople = 40\n")
    workplace.ready(people=people).done("plan", ISSUE, "--yes")
    said = workplace.done("send", ISSUE, "--yes")
    assert "The canary is inactive" in said.stderr
    assert standing(workplace) == {"stands": "done", "accepted": 400}


def test_a_letter_whose_first_are_refused_halts_itself(workplace: Workplace, cloud: Cloud) -> None:
    people = "email\n" + "".join(f"reader{n}@{'refused.' if n % 7 == 0 else ''}example.org\n" for n in range(400))
    (workplace.root / "list.csv").write_text(people)
    workplace.done("subscribers", "import", str(workplace.root / "list.csv"), "--evidence", "invented for a test")
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text() + "\n[canary]\npeople = 40\n")
    letter = workplace.root / "issues" / f"{ISSUE}.md"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    text = re.sub(r"^send: .*$", f"send: {today} 00:00 UTC", letter.read_text(), flags=re.MULTILINE)
    (workplace.root / "issues" / f"{today}-now.md").write_text(text)
    workplace.done("approve", f"{today}-now")
    workplace.done("plan", f"{today}-now", "--yes")
    said = workplace.run("send", f"{today}-now", "--yes")
    assert said.exit_code == 3, said.stderr
    assert "halted" in said.stderr
    assert len(cloud.accepted) <= 40
    (found,) = workplace.run("status", f"{today}-now", "--json").data
    assert found["stands"] == "paused"
    assert found["by_status"]["planned"] >= 360


def test_a_letter_that_is_paused_while_the_canary_waits_does_not_go_on(
    planned: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter([(Verdict.WAITING, timedelta(0)), (Verdict.NONE, timedelta(0))])

    def canary(dispatch: Dispatch, issue: PlannedIssue) -> tuple[Verdict, timedelta]:
        verdict = next(said)
        if verdict[0] is Verdict.WAITING:
            dispatch.controls.pause(issue.no, by="somebody", why="a wrong link", now=dispatch._newsletter.clock())
        return verdict

    monkeypatch.setattr(Dispatch, "_canary", canary)
    done = planned.run("send", ISSUE, "--yes")
    assert done.exit_code == 3
    assert "it is paused: a wrong link" in done.stderr
