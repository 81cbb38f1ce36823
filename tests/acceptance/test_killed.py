"""A sender is killed with -9 at random moments, again and again: nobody is left out, nobody gets two.

The senders are forked, so that they start in milliseconds and nearly all of the time that can be killed is
time spent sending; a few are real commands, started and killed from outside.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from newsletter.app.dispatch import Dispatch
from newsletter.app.newsletter import Newsletter
from newsletter.app.sending import Sending
from newsletter.providers.outbox import Outbox
from newsletter.rendering.edition import read_edition
from newsletter.settings.read import read_settings
from newsletter.store.editions import SqlEditions
from newsletter.store.ledger import SqlLedger
from newsletter.store.planner import SqlPlanner
from newsletter.usecases.fill import filler
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace

KILLS = {"sqlite": 200, "postgresql": 60}
ROOT = Path(__file__).resolve().parents[2]


def people(count: int) -> str:
    """A list of so many people in five zones."""
    zones = ("Pacific/Auckland", "Asia/Tokyo", "Europe/Berlin", "America/Chicago", "")
    return "email,timezone\n" + "".join(f"reader{n}@example.org,{zones[n % len(zones)]}\n" for n in range(count))


def open_newsletter(workplace: Workplace, url: str) -> Newsletter:
    """The newsletter, as a command would open it."""
    environment = {"NEWSLETTER_NOW": AFTER_ALL_ZONES, "NEWSLETTER_DATABASE_URL": url}
    return Newsletter(read_settings(workplace.root, environment))


def send(workplace: Workplace, url: str) -> None:
    """Send what is due, in a process of its own."""
    with open_newsletter(workplace, url) as newsletter:
        dispatch = Dispatch(newsletter)
        dispatch.send(dispatch.planned(ISSUE), watch=lambda _more: None, tell=print, stop=threading.Event())


def killed_after(seconds: float, workplace: Workplace, url: str) -> bool:
    """Whether a sender was still at work when it was killed."""
    process = multiprocessing.get_context("fork").Process(target=send, args=(workplace, url))
    process.start()
    time.sleep(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def everyone_has_exactly_one(workplace: Workplace, url: str, *, count: int) -> None:
    """Assert it of the outbox and of the ledger, and that the two agree."""
    messages = workplace.outbox()
    assert not [path.name for path in messages if path.suffix != ".eml"]
    recipients = [re.search(rb"^To: (\S+)\r$", path.read_bytes(), re.MULTILINE) for path in messages]
    addresses = sorted(found[1].decode() for found in recipients if found)
    assert addresses == sorted(f"reader{n}@example.org" for n in range(count))
    with open_newsletter(workplace, url) as newsletter:
        (standing,) = Sending(newsletter).status(ISSUE)
        assert standing.tally is not None
        assert standing.tally.adds_up
        assert {status.value: number for status, number in standing.tally.by_status.items() if number} == {
            "accepted": count
        }


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_at_random_moments_everyone_gets_exactly_one(workplace: Workplace, database_url: str) -> None:
    kind = database_url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]
    count = 12 * KILLS[kind]
    workplace.environment["NEWSLETTER_DATABASE_URL"] = database_url
    workplace.ready(people=people(count)).done("plan", ISSUE, "--yes")
    moment = random.Random(20261123)
    kills = 0
    deadline = time.monotonic() + 240
    while kills < KILLS[kind] and time.monotonic() < deadline:
        kills += killed_after(moment.uniform(0.005, 0.12), workplace, database_url)
        if len(workplace.outbox()) >= count:
            break
    assert kills >= KILLS[kind] * 0.9, f"only {kills} kills hit a sender at work"
    send(workplace, database_url)
    everyone_has_exactly_one(workplace, database_url, count=count)


def test_a_command_killed_from_outside_is_taken_up_by_the_next(workplace: Workplace) -> None:
    count = 1500
    workplace.ready(people=people(count)).done("plan", ISSUE, "--yes")
    command = [sys.executable, "-m", "newsletter", "--config", str(workplace.root), "send", ISSUE, "--yes"]
    environment = {**os.environ, "NEWSLETTER_NOW": AFTER_ALL_ZONES, "PYTHONPATH": str(ROOT)}
    environment.pop("NEWSLETTER_DATABASE_URL", None)
    seen: list[int] = []
    for target in (100, 400, 900):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(workplace.outbox()) < target:
            time.sleep(0.005)
        process.kill()
        process.wait()
        seen.append(len(workplace.outbox()))
    assert seen == sorted(seen)
    assert seen[-1] < count, "the last sender was killed too late to prove anything"
    last = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert f"{count:,}" in last.stdout
    everyone_has_exactly_one(workplace, f"sqlite:///{workplace.root / 'subscribers' / 'newsletter.db'}", count=count)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_two_senders_at_once_share_the_work_and_never_a_reader(workplace: Workplace, database_url: str) -> None:
    count = 1000
    workplace.environment["NEWSLETTER_DATABASE_URL"] = database_url
    workplace.ready(people=people(count)).done("plan", ISSUE, "--yes")
    context = multiprocessing.get_context("fork")
    senders = [context.Process(target=send, args=(workplace, database_url)) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(120)
    assert [sender.exitcode for sender in senders] == [0, 0]
    everyone_has_exactly_one(workplace, database_url, count=count)


def hand_over_and_die(newsletter: Newsletter) -> int:
    """How many messages a sender on another machine wrote before it died without recording a single receipt."""
    now, database = newsletter.clock(), newsletter.database
    planned = SqlPlanner(database).planned(ISSUE)
    assert planned is not None
    edition = read_edition(SqlEditions(database).get(planned.edition_hash))
    fill = filler(edition, newsletter.links_for(edition.identity))
    ledger, outbox = SqlLedger(database), Outbox(newsletter.settings.root / "outbox")
    written = 0
    while claim := ledger.claim(
        planned.no, now=now, not_before=now - newsletter.window, limit=50, worker="elsewhere:1:dead"
    ):
        written += len(list(outbox.send(fill.batch(planned, claim)[0])))
    return written


def test_a_resumed_batch_repeats_its_bytes(workplace: Workplace) -> None:
    """What was claimed once keeps its instant: the same Date, the same Message-ID, the same everything."""
    workplace.ready(people=people(40)).done("plan", ISSUE, "--yes")
    url = f"sqlite:///{workplace.root / 'subscribers' / 'newsletter.db'}"
    with open_newsletter(workplace, url) as newsletter:
        hand_over_and_die(newsletter)
    written = {path.name: path.read_bytes() for path in workplace.outbox()}
    assert len(written) == 40
    journal = workplace.root / "outbox" / ISSUE / ".written"
    for path in workplace.outbox()[::2]:  # as if it had died before it came to these
        path.unlink()
        journal.write_text(journal.read_text().replace(f"{path.stem}\n", ""))
    workplace.done("send", ISSUE, "--yes", now="2026-11-23T20:30:00+00:00")
    assert {path.name: path.read_bytes() for path in workplace.outbox()} == written
    everyone_has_exactly_one(workplace, url, count=40)


def test_messages_that_somebody_took_away_to_mail_them_are_not_written_again(workplace: Workplace) -> None:
    workplace.ready(people=people(40)).done("plan", ISSUE, "--yes")
    url = f"sqlite:///{workplace.root / 'subscribers' / 'newsletter.db'}"
    with open_newsletter(workplace, url) as newsletter:
        written = hand_over_and_die(newsletter)
    for path in workplace.outbox():
        path.unlink()
    workplace.done("send", ISSUE, "--yes", now="2026-11-23T20:30:00+00:00")
    assert workplace.outbox() == []
    (standing,) = workplace.done("status", ISSUE, "--json").data
    assert standing["by_status"]["accepted"] == written == 40
