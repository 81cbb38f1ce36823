"""Who left, bounced or complained at the provider is heard before a tick mails anybody, without a server of ours."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import leaving_look
from newsletter.app.newsletter import Newsletter
from newsletter.app.syncing import Syncing
from newsletter.app.ticking import Ticking
from newsletter.settings.read import Settings, read_settings
from newsletter.sources.finding import Level
from newsletter.usecases.tick import Did
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace
from tests.cloud import mailgun, resend
from tests.cloud.server import FAIL, Cloud, Departed

THEN = datetime.fromisoformat(AFTER_ALL_ZONES)
SECRETS = {"NEWSLETTER_MAILGUN_API_KEY": mailgun.KEY, "NEWSLETTER_RESEND_API_KEY": resend.KEY}
COUNT = 12


def gone(what: str, number: int, *, at: datetime | None = None, ref: str = "") -> Departed:
    at = at or datetime.now(UTC) - timedelta(minutes=5)
    return Departed(what=what, to=f"reader{number}@example.org", at=at.timestamp(), ref=ref)


def provide(workplace: Workplace, provider: str) -> None:
    settings = (workplace.root / "newsletter.toml").read_text().partition("[provider]")[0]
    if "check = false" not in settings:
        settings = settings.replace("[site]\n", "[site]\ncheck = false\n")
    (workplace.root / "newsletter.toml").write_text(f"{settings}[provider]\n{provider}")


@pytest.fixture
def cloud(workplace: Workplace) -> Iterator[Cloud]:
    """A newsletter of twelve people that sends by Mailgun's stand-in, at the real time."""
    rows = "".join(f"reader{number}@example.org\n" for number in range(COUNT))
    workplace.ready(people=f"email\n{rows}")
    workplace.environment |= {"NEWSLETTER_NOW": None, **SECRETS}
    workplace.now = ""
    with Cloud({"/": mailgun.mailgun}) as server:
        provide(workplace, f'name = "mailgun"\n\n[mailgun]\ndomain = "{mailgun.DOMAIN}"\nurl = "{server.url}"\n')
        yield server


def states(root: Path) -> dict[str, str]:
    """Where everybody who is not active stands, by address."""
    with sqlite3.connect(root / "subscribers" / "newsletter.db") as database:
        found = database.execute("SELECT address, state FROM subscribers WHERE state != 'active'").fetchall()
    return dict(found)


def moves(root: Path) -> list[tuple[str, str, str]]:
    """Every departure that was kept: whose, what they became, and by what way it was heard."""
    with sqlite3.connect(root / "subscribers" / "newsletter.db") as database:
        return sorted(
            database.execute(
                "SELECT address, c.state, how FROM consent_events c JOIN subscribers s ON s.id = subscriber_id "
                "WHERE c.state IN ('unsubscribed', 'bounced', 'complained')"
            )
        )


def settings_at(workplace: Workplace, now: datetime) -> Settings:
    """The newsletter's settings at a pretended time, which only a test may have with a provider."""
    return replace(read_settings(workplace.root, {**SECRETS}), now=now)


def ticked(workplace: Workplace, now: datetime = THEN) -> Did:
    with Newsletter(settings_at(workplace, now)) as newsletter:
        return Ticking(newsletter, tell=lambda _: None).tick(threading.Event())


def test_who_left_bounced_or_complained_is_heard_once(workplace: Workplace, cloud: Cloud) -> None:
    cloud.departed = [gone("left", 0), gone("bounced", 1), gone("complained", 2), gone("full", 3), gone("left", 77)]
    said = workplace.done("sync", "--json")
    assert said.data["provider"] == "mailgun"
    assert said.data["tells"] == ["departures", "bounces", "complaints"]
    heard = {what: count for what, count in said.data["news"].items() if count and what not in ("known", "unknown")}
    assert heard == {"left": 1, "bounced": 1, "complained": 1}
    expected = {
        "reader0@example.org": "unsubscribed",
        "reader1@example.org": "bounced",
        "reader2@example.org": "complained",
    }
    assert states(workplace.root) == expected
    assert [how for _, _, how in moves(workplace.root)] == ["sync"] * 3
    again = workplace.done("sync", "--json").data["news"]
    assert again["left"] == again["bounced"] == again["complained"] == 0
    assert len(moves(workplace.root)) == 3


def test_it_says_in_words_what_it_heard_and_no_address(workplace: Workplace, cloud: Cloud) -> None:
    cloud.departed = [gone("left", 0), gone("bounced", 1)]
    assert "changed" in workplace.done("sync", "--dry-run").stderr
    assert states(workplace.root) == {}
    said = workplace.done("sync")
    assert "left" in said.stdout
    assert "@" not in said.stdout + said.stderr
    cloud.departed = []
    assert "mailgun has nothing new" in workplace.done("sync").stderr


def test_a_provider_that_knows_nothing_says_so(workplace: Workplace) -> None:
    workplace.ready()
    said = workplace.run("sync")
    assert said.exit_code == 1
    assert "outbox cannot be asked who left or bounced" in said.stderr


def sync_in_a_process(workplace: Workplace) -> None:
    with Newsletter(read_settings(workplace.root, {**SECRETS})) as newsletter:
        Syncing(newsletter).sync(stop=threading.Event())


def test_killed_in_the_middle_again_and_again_it_loses_nobody(workplace: Workplace, cloud: Cloud) -> None:
    cloud.departed = [gone(("left", "bounced", "complained")[number % 3], number) for number in range(COUNT)]
    cloud.page, cloud.delay_s = 1, 0.02
    dice = random.Random(7)
    killed = 0
    for _ in range(12):
        process = multiprocessing.get_context("fork").Process(target=sync_in_a_process, args=(workplace,))
        process.start()
        process.join(dice.uniform(0.02, 0.6))
        killed += process.is_alive()
        process.kill()
        process.join()
    assert killed
    workplace.done("sync")
    assert len(states(workplace.root)) == COUNT
    kept = moves(workplace.root)
    assert len(kept) == COUNT  # each once, of those killed between the journal and the commit by the journal's word
    assert {how for _, _, how in kept} <= {"sync", "journal"}


def test_who_left_at_the_provider_is_not_mailed_by_the_tick_that_hears_it(workplace: Workplace, cloud: Cloud) -> None:
    cloud.departed = [gone("left", 0, at=THEN), gone("bounced", 1, at=THEN)]
    did = ticked(workplace)
    assert did.problems == ()
    assert did.heard == {"left": 1, "bounced": 1}
    assert did.sent == {ISSUE: COUNT - 2}
    assert sorted(each.to for each in cloud.accepted) == sorted(f"reader{n}@example.org" for n in range(2, COUNT))


def test_who_left_after_the_plan_is_not_mailed_either(workplace: Workplace, cloud: Cloud) -> None:
    with Newsletter(settings_at(workplace, THEN - timedelta(hours=30))) as newsletter:
        Ticking(newsletter, tell=lambda _: None).tick(threading.Event())
    before = {each.to for each in cloud.accepted}
    cloud.departed = [gone("complained", number, at=THEN) for number in range(COUNT)]
    ticked(workplace)
    assert {each.to for each in cloud.accepted} == before


def test_a_sync_that_fails_is_told_and_keeps_no_letter_back(workplace: Workplace, cloud: Cloud) -> None:
    cloud.question_faults.append(FAIL)
    did = ticked(workplace)
    assert did.sent == {ISSUE: COUNT}
    (problem,) = did.problems
    assert problem.startswith("sync: Mailgun")
    assert did.exit_code == 5


def test_with_nothing_new_it_is_one_small_call_every_few_minutes(workplace: Workplace, cloud: Cloud) -> None:
    ticked(workplace)
    cloud.calls.clear()
    for minutes in range(1, 11):
        did = ticked(workplace, THEN + timedelta(minutes=minutes))
        assert did.idle
    assert [call.path.partition("?")[0] for call in cloud.calls] == [f"/v3/{mailgun.DOMAIN}/events"] * 2


def test_a_key_that_may_not_read_is_told_once_a_day(workplace: Workplace, cloud: Cloud) -> None:
    with Cloud({"/": resend.resend}) as other:
        provide(workplace, f'name = "resend"\n\n[resend]\nurl = "{other.url}"\n')
        ticked(workplace, THEN + timedelta(days=9))
        told = []
        for hours in range(48):
            other.question_answers.append(resend.error(401, "restricted_api_key", "this key may only send"))
            told += ticked(workplace, THEN + timedelta(days=10, hours=hours)).problems
            other.question_answers.clear()
    assert len(told) == 2
    assert "full access" in told[0]


def test_every_account_has_a_bookmark_of_its_own(workplace: Workplace, cloud: Cloud) -> None:
    cloud.departed = [gone("left", 0)]
    workplace.done("sync")
    with Cloud({"/": resend.resend}) as other:
        other.departed = [gone("bounced", 1, at=THEN - timedelta(days=300))]
        provide(workplace, f'name = "resend"\n\n[resend]\nurl = "{other.url}"\n')
        assert workplace.done("sync", "--json").data["news"]["bounced"] == 1


def test_a_letter_that_leaves_it_to_the_provider_goes_by_that_provider_only(workplace: Workplace, cloud: Cloud) -> None:
    path = workplace.root / "newsletter.toml"
    path.write_text(path.read_text().replace('mode = "own"', 'mode = "provider"'))
    workplace.done("approve", ISSUE)
    assert "no way to leave" in ticked(workplace).problems[0]
    assert cloud.accepted == []
    cloud.writes_leave = True
    assert ticked(workplace).sent == {ISSUE: COUNT}
    for mail in cloud.accepted:
        assert {"List-Unsubscribe", "List-Unsubscribe-Post"}.isdisjoint(mail.headers)
        assert 'href="%unsubscribe_url%"' in mail.html
        assert "%unsubscribe_url%" in mail.text
        assert "/leave/" not in mail.html + mail.text


def test_a_provider_that_writes_no_way_to_leave_is_refused(workplace: Workplace, cloud: Cloud) -> None:
    path = workplace.root / "newsletter.toml"
    path.write_text(path.read_text().replace('mode = "own"', 'mode = "provider"'))
    workplace.done("approve", ISSUE)
    workplace.done("plan", ISSUE, "--yes")
    with Cloud({"/": resend.resend}) as other:
        provide(workplace, f'name = "resend"\n\n[resend]\nurl = "{other.url}"\n')
        said = workplace.run("sync")
        assert said.exit_code == 2
        assert "Resend does so for its own broadcasts only" in said.stderr
        assert "mailgun" in said.stderr
        path.write_text(path.read_text().replace('mode = "provider"', 'mode = "own"'))  # the plan is as it was
        (problem,) = ticked(workplace).problems
        assert "which resend does not" in problem
        assert other.sends == []


def test_leaving_by_mail_is_too_little_for_many(
    workplace: Workplace, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workplace.root / "newsletter.toml"
    path.write_text(path.read_text().replace('mode = "own"', 'mode = "mailto"'))
    with Newsletter(settings_at(workplace, THEN)) as newsletter:
        assert list(leaving_look.examine(newsletter)) == []
        monkeypatch.setattr(leaving_look, "ONE_CLICK_FROM", COUNT)
        (found,) = leaving_look.examine(newsletter)
    assert found.level is Level.ERROR
    assert "12 people" in found.detail
    path.write_text(path.read_text().replace('mode = "mailto"', 'mode = "own"'))
    with Newsletter(settings_at(workplace, THEN)) as newsletter:
        assert list(leaving_look.examine(newsletter)) == []
