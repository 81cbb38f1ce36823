"""Mailgun: the contract, its search, and every error that it documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from newsletter.delivery.outcome import Event, Status
from newsletter.errors import ProviderBusy, ProviderRefused, QuotaReached
from newsletter.providers.mailgun import ERRORS, KEPT_FOR, TRUSTED_AFTER, Mailgun, Meaning
from tests.cloud.mailgun import DOMAIN, KEY, mailgun
from tests.cloud.server import DROP, Cloud, Reply
from tests.contract.providers.clouds import CloudWorld, never, nowhere
from tests.contract.providers.contract import ProviderContract, kept, leads_to
from tests.contract.providers.letters import AT, batch_of, crowd, letter_filler, reader


@pytest.fixture
def world() -> Iterator[CloudWorld]:
    with Cloud({"/": mailgun}) as cloud:
        yield CloudWorld(cloud)


@pytest.fixture
def make(world: CloudWorld) -> Callable[..., Mailgun]:
    def made(
        *,
        stop: Callable[[], bool] = never,
        key: str = KEY,
        url: str = "",
        domain: str = DOMAIN,
        now: datetime = AT,
        sandbox: bool = False,
    ) -> Mailgun:
        return Mailgun(
            url=url or world.cloud.url,
            domain=domain,
            api_key=key,
            sandbox=sandbox,
            stop=stop,
            clock=lambda: now,
            call_s=1,
        )

    return made


@pytest.fixture
def make_locked_out(make: Callable[..., Mailgun]) -> Callable[..., Mailgun]:
    return lambda: make(key="key-wrong-123456789")


@pytest.fixture
def make_nowhere(make: Callable[..., Mailgun]) -> Callable[..., Mailgun]:
    return lambda: make(url=nowhere())


class TestMailgun(ProviderContract):
    secrets = (KEY, "key-wrong-123456789")
    held_names = ("%recipient.h0%",)


SAYS = {
    r"not a valid address": "to parameter is not a valid address. please check documentation",
    r"Too many recipients": "Too many recipients, max is 1000",
    r"recipient-variables": "'recipient-variables' parameter is not a valid JSON",
    r"limit exceeded": "Domain x is not allowed to send: recipient limit exceeded",
    r"not allowed to send": "Domain x is not allowed to send: disabled",
    r"try again after": "Domain x is not allowed to send: requests, try again after Mon, 23 Nov 2026 09:00:00 GMT",
    "": "what it says",
}


@pytest.mark.parametrize("meaning", ERRORS, ids=lambda each: f"{each.status} {each.says}")
def test_every_documented_error_leads_to_its_class(make, world, meaning: Meaning) -> None:
    world.cloud.answers.append(Reply(meaning.status, {"message": SAYS[meaning.says]}))
    leads_to(make(), meaning.raised)
    assert world.accepted() == []


def test_slow_down_says_until_when(make, world) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    says = f"Domain {DOMAIN} is not allowed to send: recipient limit exceeded, try again after {until}"
    world.cloud.answers.append(Reply(429, {"message": says}))
    with pytest.raises(ProviderBusy) as caught:
        kept(make().send(crowd(1)))
    assert caught.value.wait is not None
    assert timedelta(minutes=9) < caught.value.wait <= timedelta(minutes=10)


def test_an_address_that_is_not_complete_is_no_success(make, world) -> None:
    world.cloud.answers.append(Reply(200, {"message": "Mailgun Magnificent API"}))
    with pytest.raises(ProviderRefused, match="not complete"):
        kept(make().send(crowd(1)))


def test_the_wrong_region_is_named(make) -> None:
    with pytest.raises(ProviderRefused) as caught:
        kept(make(domain="elsewhere.example.org").send(crowd(1)))
    assert "region" in caught.value.hint


def test_an_address_that_two_rows_have_is_two_calls(make, world) -> None:
    batch = batch_of(reader(1, name="Ada"), reader(2, name="Ben", address="reader1@example.org"), reader(3))
    assert {each.status for each in kept(make().send(batch)).values()} == {Status.ACCEPTED}
    assert sorted(each.subject for each in world.accepted()) == ["Hello Ada", "Hello Ada", "Hello Ben"]
    assert world.calls() == 2


def test_a_letter_that_looks_like_a_placeholder_is_refused_before_anything_leaves(make, world) -> None:
    trap = letter_filler(letter="::: text\nWrite %recipient.name% and see.\n:::\n")
    with pytest.raises(ProviderRefused, match="placeholder"):
        kept(make().send(batch_of(reader(1), with_filler=trap)))
    assert world.calls() == 0


def test_the_sandbox_has_nothing_delivered(make, world) -> None:
    kept(make(sandbox=True).send(crowd(1)))
    assert b"o%3Atestmode=yes" in world.cloud.sends[0].body
    kept(make().send(crowd(1)))
    assert b"testmode" not in world.cloud.sends[1].body


def test_only_what_is_personal_travels_for_each_reader(make, world) -> None:
    """At most 1.15 times the letter once and the values of all."""
    kept(make().send(crowd(1)))
    kept(make().send(crowd(501)))
    one, many = (len(call.body) for call in world.cloud.sends)
    batch = crowd(501)
    values = sum(len(json.dumps(dict(row.values))) + len(row.address) * 2 + len(row.name) for row in batch.rows)
    assert many - one < values * 3  # form encoding and all
    assert (many - one) / 500 < one / 10


@pytest.mark.parametrize(
    ("age", "others"),
    [
        (timedelta(minutes=1), None),
        (TRUSTED_AFTER, Status.PLANNED),
        (KEPT_FOR - timedelta(minutes=1), Status.PLANNED),
        (KEPT_FOR, None),
    ],
)
def test_the_search_settles_what_it_can(make, world, age: timedelta, others: Status | None) -> None:
    world.fails(DROP)
    left = crowd(7)
    assert {each.status for each in kept(make().send(left)).values()} == {Status.UNKNOWN}
    asked = crowd(9)  # of whom the last two were never handed over
    found = kept(make(now=AT + age).settle(asked))
    assert {seq for seq, each in found.items() if each.status is Status.ACCEPTED} == set(range(1, 8))
    assert {each.status for seq, each in found.items() if seq > 7} == ({others} if others else set())


def test_a_search_that_fails_says_nothing(make) -> None:
    with pytest.raises(ProviderRefused):
        list(make(key="wrong", now=AT + timedelta(hours=1)).settle(crowd(2)))


def test_its_events_are_read(make) -> None:
    def event(kind: str, **more: object) -> dict[str, object]:
        inner = {"event": kind, "user-variables": {"ref": "1-abc"}, "message": {"headers": {"message-id": "m@x"}}}
        return {"signature": {}, "event-data": inner | more}

    lines = [
        event("accepted"),
        event("delivered"),
        event("failed", severity="permanent", reason="bounce"),
        event("failed", severity="temporary"),
        event("opened"),
        {"event": "complained", "user-variables": {"ref": "1-abc"}},
    ]
    found = list(make().read_events("\n".join(map(json.dumps, lines)).encode()))
    assert [(each.status, each.reason) for each in found] == [
        (Status.ACCEPTED, ""),
        (Status.DELIVERED, ""),
        (Status.BOUNCED, "bounce"),
        (Status.COMPLAINED, ""),
    ]
    assert found[0] == Event(ref="1-abc", status=Status.ACCEPTED, provider_id="m@x")


def test_a_young_account_is_left_alone(make, world) -> None:
    world.cloud.answers.append(Reply(420, {"message": "limit of 100 an hour"}))
    leads_to(make(), QuotaReached)
