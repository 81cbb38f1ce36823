"""SES: the contract, every status of an entry, and every error of a call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from newsletter.delivery.outcome import Event, Receipt, Status
from newsletter.errors import ProviderBusy, ProviderRefused, QuotaReached
from newsletter.providers.ses import DATA_LENGTH, ENTRIES, ERRORS, Ses
from tests.cloud.server import Cloud, Reply
from tests.cloud.ses import ACCESS, REGION, SECRET, error, ses
from tests.contract.providers.clouds import CloudWorld, never, nowhere
from tests.contract.providers.contract import ProviderContract, kept, leads_to
from tests.contract.providers.letters import batch_of, crowd, letter_filler, reader


@pytest.fixture
def world() -> Iterator[CloudWorld]:
    with Cloud({"/": ses}) as cloud:
        yield CloudWorld(cloud)


@pytest.fixture
def make(world: CloudWorld) -> Callable[..., Ses]:
    def made(*, stop: Callable[[], bool] = never, secret: str = SECRET, url: str = "") -> Ses:
        return Ses(
            region=REGION,
            url=url or world.cloud.url,
            configuration_set="",
            access_key=ACCESS,
            secret_key=secret,
            session_token="",
            stop=stop,
            call_s=1,
        )

    return made


@pytest.fixture
def make_locked_out(make: Callable[..., Ses]) -> Callable[..., Ses]:
    return lambda: make(secret="a-wrong-secret-for-tests")


@pytest.fixture
def make_nowhere(make: Callable[..., Ses]) -> Callable[..., Ses]:
    return lambda: make(url=nowhere())


class TestSes(ProviderContract):
    secrets = (ACCESS, SECRET, "a-wrong-secret-for-tests")
    held_names = ("{{h0}}",)


@pytest.mark.parametrize("name", ERRORS)
def test_every_documented_error_leads_to_its_class(make, world, name: str) -> None:
    world.cloud.answers.append(error(400, name, "what it says"))
    leads_to(make(), ERRORS[name][0])
    assert world.accepted() == []


@pytest.mark.parametrize(
    ("text", "raised"),
    [("Maximum sending rate exceeded.", ProviderBusy), ("Daily message quota exceeded.", QuotaReached)],
)
def test_two_kinds_of_throttling_are_told_apart(make, world, text: str, raised: type[ProviderBusy]) -> None:
    world.cloud.answers.append(error(400, "ThrottlingException", text))
    leads_to(make(), raised)


@pytest.mark.parametrize(
    ("status", "raised"), [(429, ProviderBusy), (503, ProviderBusy), (408, ProviderBusy), (403, ProviderRefused)]
)
def test_an_error_without_a_name_goes_by_its_number(make, world, status: int, raised: type[ProviderBusy]) -> None:
    world.cloud.answers.append(Reply(status, {"message": "?"}))
    leads_to(make(), raised)


@pytest.mark.parametrize("word", ENTRIES)
def test_every_status_of_an_entry_has_a_meaning(make, world, word: str) -> None:
    results = [{"Status": "SUCCESS", "MessageId": "m1"}, {"Status": word, "Error": "says zoe@example.org"}]
    world.cloud.answers.append(Reply(200, {"BulkEmailEntryResults": results}))
    meaning: object = ENTRIES[word]
    receipts: dict[int, Receipt] = {}
    provider = make().send(crowd(2))
    if isinstance(meaning, tuple):
        with pytest.raises(meaning[0]) as caught:
            receipts.update((receipt.seq, receipt) for receipt in provider if receipt)
        assert caught.value.hint == meaning[1]
    else:
        receipts = kept(provider)
    assert receipts[1].status is Status.ACCEPTED
    assert receipts[2].status is (Status.PLANNED if isinstance(meaning, tuple) else meaning)
    assert "@" not in receipts[2].reason


@pytest.mark.parametrize("results", [[], [{"Status": "SUCCESS"}], None, "?"])
def test_an_answer_that_does_not_fit_is_in_doubt(make, world, results: object) -> None:
    world.cloud.answers.append(Reply(200, {"BulkEmailEntryResults": results}))
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {Status.UNKNOWN}


def test_what_ses_cannot_carry_stops_nobody_else(make, world) -> None:
    readers = [reader(1), reader(2, address="zoë@example.org"), reader(3, name="x" * (DATA_LENGTH + 1))]
    receipts = kept(make().send(batch_of(*readers)))
    assert [receipts[seq].status for seq in (1, 2, 3)] == [Status.ACCEPTED, Status.REFUSED, Status.HELD]
    assert len(world.accepted()) == 1


def test_a_letter_that_looks_like_a_placeholder_is_refused_before_anything_leaves(make, world) -> None:
    trap = letter_filler(letter="::: text\nTwo braces, as a page shows them: {&#123;x}}.\n:::\n")
    with pytest.raises(ProviderRefused, match="placeholder"):
        kept(make().send(batch_of(reader(1), with_filler=trap)))
    assert world.calls() == 0


def test_its_events_are_read_in_and_out_of_envelopes(make) -> None:
    def event(kind: str, **more: object) -> dict[str, object]:
        return {"eventType": kind, "mail": {"messageId": "m1", "tags": {"ref": ["1-abc"], "run": ["r"]}}, **more}

    lines = [
        event("Send"),
        {"Type": "Notification", "Message": json.dumps(event("Delivery"), indent=1)},
        event("Bounce", bounce={"bounceType": "Permanent"}),
        event("Bounce", bounce={"bounceType": "Transient"}),
        event("Open"),
        {"eventType": "Send", "mail": {}},
    ]
    found = list(make().read_events("\n".join(map(json.dumps, lines)).encode()))
    assert [each.status for each in found] == [Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED]
    assert found[0] == Event(ref="1-abc", status=Status.ACCEPTED, provider_id="m1", reason="send")


def test_what_is_left_of_the_quota_is_told(make) -> None:
    (look,) = make().examine()
    assert "48,800 of 50,000 left today, 14 a second" in look.detail
