"""Mails to one person through the whole program: by a tick, in any language, and killed with -9 at every step."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from newsletter.app.answering import Answering
from newsletter.app.newsletter import Newsletter
from newsletter.audience.asking import MailKind, MailState, WishKind
from newsletter.audience.consent import Evidence
from newsletter.audience.subscriber import State
from newsletter.providers import outbox
from newsletter.settings.read import read_settings
from newsletter.store import mails, wishes
from newsletter.store.consenting import SqlConsent
from newsletter.store.subscribers import SqlPeople
from newsletter.store.wishes import SqlWishes
from tests.acceptance.messages import Entity
from tests.acceptance.workplace import Workplace

NOW = datetime.fromisoformat("2026-11-23T20:00:00+00:00")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Desk:
    """A newsletter whose clock can be turned."""

    workplace: Workplace
    url: str

    def open(self, now: datetime = NOW) -> Newsletter:
        environment = {"NEWSLETTER_NOW": now.isoformat(), "NEWSLETTER_DATABASE_URL": self.url}
        return Newsletter(read_settings(self.workplace.root, environment))

    def ask(self, address: str, kind: WishKind = WishKind.JOIN, *, now: datetime = NOW, **told: object) -> None:
        with self.open(now) as newsletter:
            SqlWishes(newsletter.database).add(kind, address, told, now=now)

    def work(self, now: datetime = NOW) -> None:
        with self.open(now) as newsletter:
            Answering(newsletter).work_once()

    def sent(self, kind: MailKind = MailKind.CONFIRM) -> list[Entity]:
        return [Entity(path.read_bytes()) for path in self.workplace.outbox(kind.value)]

    def counts(self) -> dict[MailState, int]:
        with self.open() as newsletter:
            return dict(Answering(newsletter).counts())


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Desk:
    workplace = Workplace(tmp_path / "nl", environment={"NEWSLETTER_DATABASE_URL": database_url})
    workplace.done("init", str(workplace.root))
    workplace.done("db", "upgrade")
    for letter in (workplace.root / "issues").glob("*.md"):  # of which a tick would tell that nobody approved it
        letter.unlink()
    return Desk(workplace, database_url)


def die(*_arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(owner: Any, name: str, *, after: bool) -> None:
    """Have this process die before or after the first call of a function."""
    real = getattr(owner, name)

    def last(*arguments: Any, **named: Any) -> Any:
        die(real(*arguments, **named) if after else None)

    setattr(owner, name, last)


# Where it dies; how many mails left, and what is known of the mail after everybody came back to work.
STEPS: dict[str, tuple[Callable[[], None], int, MailState]] = {
    "before the wish is answered": (partial(dying, SqlWishes, "answer", after=False), 1, MailState.SENT),
    "in the midst of answering": (partial(dying, wishes, "queue", after=True), 1, MailState.SENT),
    "after the wish was answered": (partial(dying, SqlWishes, "answer", after=True), 1, MailState.SENT),
    "in the midst of claiming": (partial(dying, mails, "_move", after=True), 1, MailState.SENT),
    "after it was claimed": (partial(dying, mails.SqlMails, "claim", after=True), 0, MailState.DOUBT),
    "before the provider did anything": (partial(dying, outbox.Outbox, "_open", after=False), 0, MailState.DOUBT),
    "while the provider had it": (partial(dying, outbox, "_publish", after=True), 1, MailState.DOUBT),
    "before it was recorded": (partial(dying, mails.SqlMails, "record", after=False), 1, MailState.DOUBT),
    "after it was recorded": (partial(dying, mails.SqlMails, "record", after=True), 1, MailState.SENT),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_nobody_gets_two_mails_and_no_wish_is_lost(desk: Desk, step: str) -> None:
    spoil, left, state = STEPS[step]
    desk.ask("ana@example.org")

    def work() -> None:
        spoil()
        desk.work()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    for minutes in (1, 20, 40):
        desk.work(NOW + timedelta(minutes=minutes))
    assert len(desk.sent()) == left
    assert desk.counts() == {state: 1}
    desk.ask("ana@example.org", now=NOW + 2 * DAY)
    desk.work(NOW + 2 * DAY)
    assert len(desk.sent()) == left + 1


def test_a_tick_asks_whoever_wants_to_join_welcomes_them_and_sends_them_a_link(desk: Desk) -> None:
    desk.ask("ana@example.org", first_name="Mallory", language="de-AT")
    desk.workplace.done("tick")
    (asked,) = desk.sent()
    assert asked.parts[0].text.startswith("The Monday Letter\n")
    assert "Bist du es?" in asked.parts[0].text
    assert "Mallory" not in asked.parts[0].text + asked.parts[1].text + asked.value("To")
    with desk.open() as newsletter:
        word = asked.parts[0].text.partition("https://letters.example.org/confirm/")[2].split()[0]
        number = newsletter.signer.read("confirm", word, now=NOW + 14 * DAY - timedelta(seconds=1))
        evidence = Evidence(at=NOW, how="page", source="the pages")
        assert SqlConsent(newsletter.database).confirm(number, evidence=evidence)
    desk.workplace.done("tick")
    (welcome,) = desk.sent(MailKind.WELCOME)
    assert "Willkommen" in welcome.parts[0].text
    desk.ask("ana@example.org", WishKind.LINK)
    desk.workplace.done("tick")
    (link,) = desk.sent(MailKind.LINK)
    with desk.open() as newsletter:
        word = link.parts[0].text.partition("https://letters.example.org/me/")[2].split()[0]
        assert newsletter.signer.read("me", word, now=NOW + timedelta(minutes=59)) == number


def test_who_never_confirms_is_forgotten(desk: Desk) -> None:
    desk.ask("ana@example.org")
    desk.work()
    desk.work(NOW + 14 * DAY)
    with desk.open() as newsletter:
        assert SqlPeople(newsletter.database).find("ana@example.org") is None
        assert SqlPeople(newsletter.database).count_by_state() == {State.ERASED: 1}


def test_a_welcome_leads_to_the_letter_of_this_week_once_it_left(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path / "nl").ready()
    desk = Desk(workplace, "")
    url = "https://letters.example.org/letters/2026-11-23-renew-your-goals/"
    for number in (1, 2):
        desk.ask(f"ana{number}@example.org")
        desk.work()
        with desk.open() as newsletter:
            person = SqlPeople(newsletter.database).find(f"ana{number}@example.org")
            assert person is not None
            evidence = Evidence(at=NOW, how="page", source="the pages")
            SqlConsent(newsletter.database).confirm(person.id, evidence=evidence)
        desk.work()
        if number == 1:
            workplace.done("tick")
    texts = sorted((mail.value("To"), url in mail.parts[0].text) for mail in desk.sent(MailKind.WELCOME))
    assert texts == [("ana1@example.org", False), ("ana2@example.org", True)]


def test_the_words_of_a_workspace_go_before_ours_and_a_mistake_in_them_is_told(desk: Desk) -> None:
    own = desk.workplace.root / "templates" / "mails" / "confirm.en.md"
    words = own.read_text()
    own.write_text(words.replace("Is it you?", "Is this yours?"))
    desk.ask("ana@example.org")
    desk.work()
    assert "Is this yours?" in desk.sent()[0].parts[0].text
    own.write_text(words.replace("{{ confirm_url }}", "https://letters.example.org/"))
    desk.ask("bea@example.org")
    said = desk.workplace.run("tick")
    assert said.exit_code == 3
    assert "templates/mails/confirm.en.md: it does not lead to confirm_url" in said.stderr
    assert "bea@" not in said.stderr + said.stdout
    own.unlink()  # and then ours is there
    desk.work(NOW + timedelta(minutes=5))
    assert len(desk.sent()) == 2


def test_the_doctor_tells_of_mails_that_wait_or_are_in_doubt(desk: Desk) -> None:
    desk.ask("ana@example.org")
    with desk.open() as newsletter:
        SqlWishes(newsletter.database).answer(now=NOW)
    assert "1 to leave with the next tick" in desk.workplace.run("doctor").stdout
