"""Resend: the contract, its keys, and every error that it documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderBusy, ProviderRefused, QuotaReached
from newsletter.providers import resend as module
from newsletter.providers.resend import ERRORS, Resend
from tests.cloud.resend import KEY, error, resend
from tests.cloud.server import DROP, HALF, Cloud, Reply
from tests.contract.providers.clouds import CloudWorld, never, nowhere
from tests.contract.providers.contract import CloudContract, kept, leads_to, same_call_sends_once
from tests.contract.providers.letters import batch_of, crowd, reader
from tests.contract.providers.recorded import cases, means, reads


@pytest.fixture
def world() -> Iterator[CloudWorld]:
    with Cloud({"/": resend}) as cloud:
        yield CloudWorld(cloud)


@pytest.fixture
def make(world: CloudWorld) -> Callable[..., Resend]:
    def made(*, stop: Callable[[], bool] = never, key: str = KEY) -> Resend:
        return Resend(url=world.cloud.url, api_key=key, stop=stop, call_s=1)

    return made


@pytest.fixture
def make_locked_out(make: Callable[..., Resend]) -> Callable[..., Resend]:
    return lambda: make(key="re_a_wrong_key_1234")


@pytest.fixture
def make_nowhere() -> Callable[..., Resend]:
    return lambda: Resend(url=nowhere(), api_key=KEY, stop=never)


class TestResend(CloudContract):
    secrets = (KEY, "re_a_wrong_key_1234")


def test_the_same_call_sends_once(make, world) -> None:
    same_call_sends_once(make(), world, crowd(5))


@pytest.mark.parametrize("fault", [DROP, HALF])
def test_a_call_without_an_answer_is_settled_by_repeating_it(make, world, fault) -> None:
    world.fails(fault)
    batch = crowd(5)
    assert {each.status for each in kept(make().send(batch)).values()} == {Status.UNKNOWN}
    assert {each.status for each in kept(make().send(batch)).values()} == {Status.ACCEPTED}
    assert len(world.accepted()) == 5


def test_a_call_that_is_still_running_is_asked_for_again(make, world) -> None:
    busy = error(409, "concurrent_idempotent_requests", "still running", **{"Retry-After": "0"})
    world.cloud.answers.extend([busy, busy])
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {Status.ACCEPTED}
    assert len({call.headers["idempotency-key"] for call in world.cloud.sends}) == 1


def test_long_letters_are_more_calls_with_a_key_each(make, world, monkeypatch) -> None:
    monkeypatch.setattr(module, "CALL_BYTES", 200_000)
    assert len(kept(make().send(crowd(40)))) == 40
    assert world.calls() > 1
    assert all(len(call.body) <= 200_100 for call in world.cloud.sends)
    assert len({call.headers["idempotency-key"] for call in world.cloud.sends}) == world.calls()
    assert len(world.accepted()) == 40


@pytest.mark.parametrize(
    "case",
    cases("resend/errors", "answers"),
    ids=lambda each: f"{each['status']} {each['name']} {each['message'][:30]}",
)
def test_every_documented_error_leads_to_its_class_and_a_hint(make, world, case) -> None:
    world.cloud.answers.append(error(case["status"], case["name"], case["message"]))
    means(make(), case)
    assert world.accepted() == []


def test_every_error_that_is_known_is_a_recorded_one() -> None:
    recorded = {(case["status"], case["name"]) for case in cases("resend/errors", "answers")}
    assert set(ERRORS) <= recorded


@pytest.mark.parametrize("case", cases("resend/batch", "answers"), ids=lambda each: " ".join(each["receipts"]))
def test_every_documented_answer_to_a_call_is_read(make, world, case) -> None:
    world.cloud.answers.append(Reply(200, case["said"]))
    receipts = kept(make().send(crowd(case["asked"])))
    assert [receipts[seq].status.value for seq in sorted(receipts)] == case["receipts"]
    named = [each.provider_id for each in receipts.values() if each.status is Status.ACCEPTED]
    assert named == [each["id"] for each in case["said"]["data"]]


def test_what_is_asked_of_resend_has_the_form_of_its_example(make, world) -> None:
    kept(make().send(batch_of(reader(1, name='Zoë "Z" M'))))
    (call,) = world.cloud.sends
    (message,) = json.loads(call.body)
    (example,) = cases("resend/batch", "request")
    assert set(message) == set(example) <= set(cases("resend/batch", "fields"))
    assert {name: type(value) for name, value in message.items()} == {n: type(v) for n, v in example.items()}
    assert message["to"] == ['"Zoë \\"Z\\" M" <reader1@example.org>']
    assert {tag["name"]: tag["value"] for tag in message["tags"]} == {
        "run": "2026-11-23-a-letter",
        "ref": batch_of(reader(1)).rows[0].ref,
    }
    assert (call.path, call.headers["x-batch-validation"]) == ("/emails/batch", "permissive")
    assert 1 <= len(call.headers["idempotency-key"]) <= 256


@pytest.mark.parametrize(("headers", "wait"), [({"retry-after": "7"}, 7), ({"ratelimit-reset": "3"}, 3), ({}, None)])
def test_slow_down_says_how_long(make, world, headers: dict[str, str], wait: int | None) -> None:
    world.cloud.answers.append(error(429, "rate_limit_exceeded", "Too many requests", **headers))
    with pytest.raises(ProviderBusy) as caught:
        kept(make().send(crowd(1)))
    assert caught.value.wait == (None if wait is None else timedelta(seconds=wait))


def test_a_used_up_quota_says_how_long(make, world) -> None:
    world.cloud.answers.append(error(429, "daily_quota_exceeded", "Daily quota reached"))
    leads_to(make(), QuotaReached, wait=timedelta(hours=6))


@pytest.mark.parametrize("case", cases("resend/events", "events"), ids=lambda each: each["record"]["type"])
def test_every_kind_of_event_is_read_or_left_out(make, case) -> None:
    reads(make(), case)


def test_a_file_that_holds_no_events_is_refused(make) -> None:
    with pytest.raises(ProviderRefused, match="cannot be read"):
        list(make().read_events(b"ref,status\n"))


def ids(*names: str) -> list[dict[str, str]]:
    return [{"id": name} for name in names]


@pytest.mark.parametrize(
    "data",
    [
        {"data": ids("a", "c"), "errors": [{"index": 1, "message": "bad"}]},
        {"data": ids("a", "c"), "errors": [{"message": "bad", "index": 1, "name": "validation_error"}]},
        {"data": [*ids("a"), None, *ids("c")], "errors": [{"index": 1, "message": "bad"}]},
        {"data": [*ids("a"), {}, *ids("c")], "errors": [{"index": 1, "message": "bad"}]},
    ],
)
def test_each_id_goes_to_its_message_and_each_error_to_its_own(make, world, data) -> None:
    world.cloud.answers.append(Reply(200, data))
    receipts = kept(make().send(crowd(3)))
    assert [(receipts[seq].status, receipts[seq].provider_id) for seq in (1, 2, 3)] == [
        (Status.ACCEPTED, "a"),
        (Status.REFUSED, ""),
        (Status.ACCEPTED, "c"),
    ]
    assert receipts[2].reason == "bad"


def test_errors_may_come_in_any_order(make, world) -> None:
    errors = [{"index": 2, "message": "third"}, {"index": 0, "message": "first"}]
    world.cloud.answers.append(Reply(200, {"data": ids("b"), "errors": errors}))
    receipts = kept(make().send(crowd(3)))
    assert [receipts[seq].reason for seq in (1, 2, 3)] == ["first", "", "third"]
    assert receipts[2].provider_id == "b"


@pytest.mark.parametrize(
    "data",
    [
        {"data": ids("a", "b"), "errors": [{"index": "1", "message": "bad"}]},
        {"data": ids("a", "b"), "errors": [{"index": 3, "message": "bad"}]},
        {"data": ids("a", "b"), "errors": [{"index": -1, "message": "bad"}]},
        {"data": ids("a", "b"), "errors": [{"index": True, "message": "bad"}]},
        {"data": ids("a", "b"), "errors": [{"index": [1], "message": "bad"}]},
        {"data": ids("a", "b"), "errors": [{"message": "bad"}]},
        {"data": ids("a", "b"), "errors": ["bad"]},
        {"data": ids("a"), "errors": [{"index": 1}, {"index": 1}, {"index": 2}, {"index": 2}]},
        {"data": ids("a", "b"), "errors": 1},
        {"data": ids("a", "b", "c"), "errors": {"1": "bad"}},
        {"data": ids("a", "b", "c"), "errors": [{"index": 1, "message": "bad"}]},
        {"data": [{}, {}, {}]},
        {"data": [*ids("a", "b"), None]},
        {"data": [*ids("a", "b"), {"id": 3}]},
        {"data": ["a", "b", "c"]},
        {"data": {"id": "a"}},
        {"data": None},
        ids("a", "b", "c"),
        None,
    ],
)
def test_an_answer_that_does_not_fit_the_call_puts_all_of_it_in_doubt(make, world, data) -> None:
    world.cloud.answers.append(Reply(200, data))
    receipts = kept(make().send(crowd(3)))
    assert [receipts[seq].status for seq in (1, 2, 3)] == [Status.UNKNOWN] * 3


RUNS = error(409, "concurrent_idempotent_requests", "still running", **{"Retry-After": "0"})


@pytest.mark.parametrize(
    "then",
    [
        error(429, "rate_limit_exceeded", "slow down"),
        error(429, "daily_quota_exceeded", "no more today"),
        error(401, "missing_api_key", "who are you"),
        error(422, "validation_error", "bad"),
        error(500, "internal_server_error", "oh"),
    ],
)
def test_while_the_same_call_runs_no_other_answer_means_that_nothing_left(make, world, then, monkeypatch) -> None:
    monkeypatch.setattr(module, "_SAME_KEY_S", 0.0)
    world.cloud.answers.extend([RUNS, *[then] * 20])
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {Status.UNKNOWN}
    assert len({call.headers["idempotency-key"] for call in world.cloud.sends}) == 1


def test_while_the_same_call_runs_a_slow_answer_is_waited_for(make, world) -> None:
    world.cloud.answers.extend([RUNS, error(429, "rate_limit_exceeded", "slow down", **{"Retry-After": "0"})])
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {Status.ACCEPTED}


def test_asked_to_stop_while_it_looks_for_a_bad_message_it_says_what_did_not_leave(make, world) -> None:
    world.cloud.answers.append(error(422, "validation_error", "bad"))
    receipts = kept(make(stop=lambda: world.calls() >= 2).send(crowd(4)))
    assert [receipts[seq].status for seq in (1, 2, 3, 4)] == [Status.ACCEPTED] * 2 + [Status.PLANNED] * 2


def test_every_call_is_announced_by_a_sign_of_life(make, world) -> None:
    world.cloud.answers.extend([error(422, "validation_error", "bad"), RUNS, RUNS])
    said = list(make().send(crowd(2)))
    assert said.count(None) == world.calls()
    assert said[0] is None


def test_a_reader_whom_it_cannot_write_to_stops_nobody_else(make, world) -> None:
    batch = crowd(4)
    odd = {**batch.rows[1].values, "unsubscribe_url": "https://bücher.example/leave"}
    rows = (
        batch.rows[0],
        replace(batch.rows[1], values=odd),
        replace(batch.rows[2], values={}),
        batch.rows[3],
    )
    receipts = kept(make().send(replace(batch, rows=rows)))
    assert [receipts[seq].status for seq in (1, 2, 3, 4)] == [
        Status.ACCEPTED,
        Status.HELD,
        Status.HELD,
        Status.ACCEPTED,
    ]
    assert "bücher" not in receipts[2].reason


@pytest.mark.parametrize(
    ("headers", "hours"),
    [
        ({}, 6),
        ({"ratelimit-reset": "1"}, 6),  # of the calls a second, which every answer names
        ({"retry-after": "1"}, 6),
        ({"retry-after": "7200", "ratelimit-reset": "1"}, 2),
    ],
)
def test_a_used_up_quota_is_not_asked_about_every_second(make, world, headers: dict[str, str], hours: int) -> None:
    world.cloud.answers.append(error(429, "daily_quota_exceeded", "Daily quota reached", **headers))
    leads_to(make(), QuotaReached, wait=timedelta(hours=hours))


def test_a_quota_of_another_name_is_one(make, world) -> None:
    world.cloud.answers.append(error(429, "weekly_quota_exceeded", "Quota reached"))
    leads_to(make(), QuotaReached, wait=timedelta(hours=6))


@pytest.mark.parametrize("between", ["\n", "\r\n", "\n\n"])
def test_a_line_separator_inside_of_an_event_does_not_end_it(make, between: str) -> None:
    data = {
        "email_id": "e1",
        "tags": {"ref": "1-abc"},
        "bounce": {"type": "Permanent", "message": "no\u2028such\x85box"},
    }
    line = json.dumps({"type": "email.bounced", "data": data}, ensure_ascii=False)
    found = list(make().read_events(f"\ufeff{line}{between}{line}".encode()))
    assert [each.reason for each in found] == ["no such box"] * 2


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b'{"type": "email.sent"'])
def test_a_file_that_is_no_json_is_refused_however_it_is_broken(make, data: bytes) -> None:
    with pytest.raises(ProviderRefused, match="cannot be read"):
        list(make().read_events(data))


@pytest.mark.parametrize(
    "told",
    [
        {"tags": [{"name": "run", "value": "r"}, {"name": "ref", "value": "1-abc"}]},
        {"tags": {"ref": "1-abc"}, "bounce": "?"},
        {"tags": {"ref": "1-abc"}, "email_id": None},
    ],
)
def test_an_event_in_another_shape_is_read(make, told: dict[str, object]) -> None:
    line = json.dumps({"type": "email.delivered", "data": {"email_id": "e1", **told}}).encode()
    (found,) = make().read_events(line)
    assert (found.ref, found.status) == ("1-abc", Status.DELIVERED)
    assert found.provider_id in ("e1", "")


def looks(make, reply: Reply) -> list[tuple[bool, str]]:
    """What a doctor sees when its domains are answered so."""
    with Cloud({"/": lambda _cloud, _call: reply}) as cloud:
        provider = Resend(url=cloud.url, api_key=KEY, stop=never, call_s=1)
        return [(look.ok, look.detail) for look in provider.examine()]


def test_a_key_that_may_only_send_is_a_good_one(make) -> None:
    ((ok, detail),) = looks(make, error(401, "restricted_api_key", "This API key is restricted to only send emails."))
    assert ok
    assert "only send" in detail


@pytest.mark.parametrize("data", [None, [], {}, {"data": None}, {"data": "?"}, {"data": [None, {"status": "pending"}]}])
def test_domains_that_cannot_be_read_are_none(make, data: object) -> None:
    assert looks(make, Reply(200, data)) == [(False, "resend, for no domain")]


@pytest.mark.parametrize("status", [422, 429, 500, 503])
def test_a_question_without_an_answer_says_what_to_do(make, status: int) -> None:
    with pytest.raises((ProviderBusy, ProviderRefused)) as caught:
        looks(make, error(status, "", "no"))
    assert caught.value.hint


def all_refused(count: int, message: str) -> Reply:
    return Reply(200, {"data": [], "errors": [{"index": index, "message": message} for index in range(count)]})


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (100, "Something is wrong with all of them."),
        (10, "Something is wrong with all of them."),
        (1, "The letters.example.org domain is not verified. Please, add and verify your domain."),
        (2, "You can only send testing emails to your own email address (zoe@example.org)."),
        (3, "Invalid `from` field."),
    ],
)
def test_what_is_wrong_with_everybody_is_no_readers_fault(make, world, count: int, message: str) -> None:
    world.cloud.answers.append(all_refused(count, message))
    receipts: list[Receipt | None] = []
    with pytest.raises(ProviderRefused) as refused:
        receipts += make().send(crowd(count))
    assert refused.value.hint
    assert "@" not in str(refused.value)
    assert not any(receipts)


@pytest.mark.parametrize("count", [1, 9])
def test_a_few_bad_addresses_may_be_all_of_a_call(make, world, count: int) -> None:
    world.cloud.answers.append(all_refused(count, "Invalid `to` field."))
    receipts = kept(make().send(crowd(count)))
    assert [each.status for each in receipts.values()] == [Status.REFUSED] * count


def test_different_faults_of_all_readers_are_theirs(make, world) -> None:
    errors = [{"index": index, "message": f"Invalid `to` field {index}."} for index in range(20)]
    world.cloud.answers.append(Reply(200, {"data": [], "errors": errors}))
    assert {each.status for each in kept(make().send(crowd(20))).values()} == {Status.REFUSED}


def test_no_key_is_ever_used_for_other_contents(make, world) -> None:
    whole = crowd(8)
    first = whole.rows[0]
    others = [
        replace(whole, rows=whole.rows[1:]),  # somebody left between the kill and the next run
        replace(whole, rows=(replace(first, name="Adah"), *whole.rows[1:])),
        replace(whole, rows=(replace(first, values={**first.values, "unsubscribe_url": "https://x"}), *whole.rows[1:])),
        replace(whole, rows=tuple(reversed(whole.rows))),
        replace(whole, letter=replace(whole.letter, edition_hash="f" * 64)),
    ]
    refused = error(422, "validation_error", "bad")
    for batch in (whole, *others):
        world.cloud.answers.extend([refused, refused])  # so that there are keys for halves of halves
        kept(make().send(batch))
    under: dict[str, set[bytes]] = {}
    for call in world.cloud.sends:
        under.setdefault(call.headers["idempotency-key"], set()).add(call.body)
    assert len(under) >= len(others) * 4
    assert {len(bodies) for bodies in under.values()} == {1}


def test_the_same_batch_takes_the_same_way_through_halves(make, world) -> None:
    refused = error(422, "validation_error", "bad")
    keys = []
    for _ in range(2):
        world.cloud.answers.extend([refused, refused])
        kept(make().send(crowd(8)))
        keys.append([call.headers["idempotency-key"] for call in world.cloud.sends])
    assert keys[1] == keys[0] * 2
    assert len(world.accepted()) == 8
