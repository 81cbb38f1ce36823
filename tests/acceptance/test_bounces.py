"""Addresses that do not work: what send, events and the canary make of them, and what is told of it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.app.dispatch import Dispatch
from newsletter.app.hearing import Hearing
from newsletter.app.newsletter import Newsletter
from newsletter.delivery.message import delivery_ref
from newsletter.delivery.news import Kind, News
from newsletter.delivery.plan import PlannedIssue
from newsletter.errors import LetterHalted
from newsletter.settings.read import read_settings
from newsletter.store.chronicle import SqlChronicle
from tests.acceptance.test_state import desk, elsewhere, origin  # noqa: F401 - fixtures
from tests.acceptance.workplace import AFTER_ALL_ZONES, ISSUE, Workplace
from tests.cloud.resend import KEY, resend
from tests.cloud.server import Cloud
from tests.cloud.smtp import Script, Server

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"


def a_letter(workplace: Workplace, name: str) -> str:
    """An approved letter that is due now."""
    letter = (workplace.root / "issues" / f"{ISSUE}.md").read_text()
    text = re.sub(r"^send: .*$", f"send: {TODAY} 00:00 UTC", letter, flags=re.MULTILINE)
    (workplace.root / "issues" / f"{TODAY}-{name}.md").write_text(text)
    workplace.done("approve", f"{TODAY}-{name}")
    return f"{TODAY}-{name}"


def real_time(workplace: Workplace, *, people: int, provider: str) -> None:
    """So many people, carried by *provider*, now."""
    workplace.ready(people="email\n" + "".join(f"reader{n}@example.org\n" for n in range(people)))
    workplace.environment |= {"NEWSLETTER_NOW": None, "NEWSLETTER_RESEND_API_KEY": KEY}
    settings = (workplace.root / "newsletter.toml").read_text().partition("[provider]")[0]
    (workplace.root / "newsletter.toml").write_text(settings.replace("[site]\n", "[site]\ncheck = false\n") + provider)


@pytest.fixture
def cloud(workplace: Workplace) -> Iterator[Cloud]:
    """Five people, carried by Resend's stand-in."""
    with Cloud({"/": resend}) as server:
        real_time(workplace, people=5, provider=f'[provider]\nname = "resend"\n\n[resend]\nurl = "{server.url}"\n')
        yield server


def told(workplace: Workplace, reader: int, issue: str = "") -> dict[str, Any]:
    found: dict[str, Any] = workplace.done(
        "explain", f"reader{reader}@example.org", *filter(None, [issue]), "--json"
    ).data
    return found


def counted(workplace: Workplace, issue: str) -> tuple[dict[str, int], dict[str, int]]:
    """Its people by what became of their letter, and those whom it was not planned for by why."""
    (found,) = workplace.done("status", issue, "--json").data
    assert sum(found["by_status"].values()) + sum(found["excluded"].values()) == found["candidates"]
    return {name: count for name, count in found["by_status"].items() if count}, found["excluded"]


def event(kind: str, ref: str, **bounce: str) -> str:
    data = {"email_id": "x", "tags": {"ref": ref}} | ({"bounce": bounce} if bounce else {})
    return json.dumps({"type": f"email.{kind}", "created_at": datetime.now(UTC).isoformat(), "data": data})


def test_events_by_hand_let_people_be_gone(workplace: Workplace, cloud: Cloud) -> None:
    events = workplace.root / "events.jsonl"
    for letter in range(3):
        issue = a_letter(workplace, f"tea-{letter}")
        workplace.done("send", issue, "--yes")
        refs = {each.to.partition("@")[0]: each.ref for each in cloud.accepted}
        cloud.accepted.clear()
        lines = [event("bounced", refs["reader2"], type="Transient", subType="MailboxFull", message="552 5.2.2 full")]
        if letter == 0:
            lines += [
                event("bounced", refs["reader0"], type="Permanent", message="550 5.1.1 no such user"),
                event("complained", refs["reader1"]),
                event("bounced", refs["reader3"], type="Transient", subType="General", message="out of office"),
                event("delivered", refs["reader4"]),
            ]
        events.write_text("\n".join(lines))
        said = workplace.done("reconcile", issue, "--events", str(events))
        assert ("not mailed any more" in said.stderr) is (letter != 1)
        again = workplace.done("reconcile", issue, "--events", str(events), "--json").data
        assert again["found"] == {}
        assert again["heard"] | {"known": 0} == dict.fromkeys(again["heard"], 0)
    first = {"accepted": 1, "bounced": 2, "complained": 1, "delivered": 1}
    assert counted(workplace, f"{TODAY}-tea-0") == (first, {})
    third = {"accepted": 2, "bounced": 1}, {"bounced": 1, "complained": 1}
    assert counted(workplace, f"{TODAY}-tea-2") == third
    assert told(workplace, 0)["because"] == "550 5.1.1 no such user"
    full = told(workplace, 2)
    assert (full["state"], full["because"]) == ("bounced", "3 of the last 5 letters came back: 552 5.2.2 full")
    for letter in full["letters"]:
        steps = {step["what"] for step in letter["steps"]}
        assert {"bounced: 552 5.2.2 full", "counts as a soft bounce: 552 5.2.2 full"} < steps
    text = workplace.done("explain", "reader2@example.org", f"{TODAY}-tea-2").stdout
    assert "counts as a soft bounce: 552 5.2.2 full" in text
    assert "is bounced since" in text
    assert told(workplace, 3)["state"] == "active"


def test_what_servers_say_at_once_is_heard_when_the_send_is_over(workplace: Workplace) -> None:
    said = {"reader0@example.org": "550 5.1.1 no such user", "reader1@example.org": "554 5.7.1 not from you"}
    script = Script(replies=lambda step, to: said.get(to, "") if step == "RCPT" else "")
    with Server(script) as server:
        smtp = f'[provider]\nname = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\n'
        real_time(workplace, people=60, provider=smtp)
        for letter in range(3):
            sent = workplace.done("send", a_letter(workplace, f"tea-{letter}"), "--yes")
            assert ("Not mailed any more, as their address does not work: 1." in sent.stderr) is (letter != 1)
    assert len(server.mails) == 3 * 58
    none, policy = told(workplace, 0), told(workplace, 1)
    assert (none["state"], none["because"]) == ("bounced", "5.1.1 no such address")
    assert [letter["status"] for letter in none["letters"]] == [None, None, "refused"]
    assert (policy["state"], policy["because"]) == ("bounced", "3 of the last 5 letters came back: 5.7.1 by policy")
    assert counted(workplace, f"{TODAY}-tea-2") == ({"accepted": 58, "refused": 1}, {"bounced": 1})


@pytest.mark.parametrize("people", [60, 6])  # enough for the letter to halt itself, or not
def test_where_nearly_all_are_refused_the_mistake_is_ours_and_nobody_is_gone(workplace: Workplace, people: int) -> None:
    script = Script(replies=lambda step, _to: "550 5.1.1 unknown" if step == "RCPT" else "")
    with Server(script) as server:
        smtp = f'[provider]\nname = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\n'
        real_time(workplace, people=people, provider=smtp)
        sent = workplace.run("send", a_letter(workplace, "tea"), "--yes")
    assert ("halted" in sent.stderr) is (people == 60)
    assert workplace.done("subscribers", "stats", "--json").data["active"] == people


class Wait(threading.Event):
    """Nobody asks to stop; while the canary waits, this happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__()
        self._happens = happens
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout
        if timeout > 1:  # the canary's, and not a lane's
            self.waits += 1
            assert self.waits == 1, "the canary goes on waiting"
            self._happens()
        return False


def bounce(newsletter: Newsletter, issue: PlannedIssue, seqs: range) -> None:
    """News of the first, as from a mailbox."""
    news = [
        News(
            kind=Kind.HARD,
            at=newsletter.clock(),
            how="inbox",
            reason="5.1.1 no such address",
            ref=delivery_ref(issue.no, seq, secret=issue.secret),
        )
        for seq in seqs
    ]
    assert newsletter.durably(lambda: Hearing(newsletter).hear(news)).bounced == len(seqs)


@pytest.mark.parametrize("in_git", [False, pytest.param(True, marks=pytest.mark.needs("git"))])
def test_bounces_that_come_while_the_canary_waits_halt_the_letter(
    in_git: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place: Workplace = request.getfixturevalue("desk" if in_git else "workplace")
    if in_git:
        place.done("state", "init")
    else:
        place.done("init", str(place.root))
        place.done("db", "upgrade")
    settings = place.root / "newsletter.toml"
    settings.write_text(settings.read_text() + "\n[canary]\npeople = 10\n")
    (place.root / "list.csv").write_text("email\n" + "".join(f"reader{n}@example.org\n" for n in range(100)))
    place.done("subscribers", "import", str(place.root / "list.csv"), "--evidence", "invented for a test")
    place.done("approve", ISSUE)
    place.done("plan", ISSUE, "--yes")
    other = elsewhere(place, "other") if in_git else place
    monkeypatch.setattr(SqlChronicle, "hears", lambda _self: True)

    def happens() -> None:
        with at(other) as newsletter:
            bounce(newsletter, Dispatch(newsletter).planned(ISSUE), range(1, 4))

    with at(place) as newsletter:
        dispatch, stop = Dispatch(newsletter), Wait(happens)
        with pytest.raises(LetterHalted, match="too many of the first"):
            dispatch.send(dispatch.planned(ISSUE), watch=lambda _: None, tell=lambda _: None, stop=stop)
    (found,) = place.done("status", ISSUE, "--json").data
    assert found["stands"] == "paused"
    assert {name: count for name, count in found["by_status"].items() if count} == {
        "accepted": 7,
        "bounced": 3,
        "planned": 90,
    }
    assert place.done("subscribers", "stats", "--json").data["bounced"] == 3


def at(place: Workplace) -> Newsletter:
    """Its newsletter, once all zones are past eight."""
    environment = {name: value for name, value in place.environment.items() if value}
    return Newsletter(read_settings(place.root, environment | {"NEWSLETTER_NOW": AFTER_ALL_ZONES}))
