"""What every provider has to do, whoever it is: one class of tests, which each provider's inherits."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.pieces import one_line
from newsletter.usecases.ports import Provider
from tests.cloud.server import DROP, FAIL, GARBAGE, HALF, RESET, SLOW, Delivered, Reply
from tests.contract.providers.letters import NAMES, batch_of, crowd, reader

if TYPE_CHECKING:
    from tests.contract.providers.clouds import CloudWorld


def kept(receipts: Iterable[Receipt | None]) -> dict[int, Receipt]:
    """Receipts by number; nobody may have two."""
    found: dict[int, Receipt] = {}
    for receipt in receipts:
        if receipt is not None:
            assert receipt.seq not in found
            found[receipt.seq] = receipt
    return found


class World:
    """The peer of a provider under test: what it accepted, and what goes wrong with its next call."""

    def accepted(self) -> list[Delivered]:
        raise NotImplementedError

    def calls(self) -> int:
        raise NotImplementedError

    def fails(self, *faults: str) -> None:
        raise NotImplementedError


class ProviderContract:
    """Inherit it, and give fixtures `world` and `make` (make(stop=…) is a provider that talks to the world)."""

    faults: tuple[str, ...] = (DROP, HALF, SLOW, GARBAGE, RESET, FAIL)
    secrets: tuple[str, ...] = ()
    held_names: tuple[str, ...] = ()  # names that it cannot carry, and holds

    def test_everyone_gets_one_and_a_receipt(self, make: Callable[..., Provider], world: World) -> None:
        provider = make()
        batch = crowd(provider.batch_size)
        receipts = kept(provider.send(batch))
        assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
        assert sorted(receipts) == [row.seq for row in batch.rows]
        assert sorted(each.to for each in world.accepted()) == sorted(row.address for row in batch.rows)
        assert sorted(each.ref for each in world.accepted()) == sorted(row.ref for row in batch.rows)
        assert world.calls() == 1

    def test_a_message_holds_what_is_its_readers_and_nothing_of_others(
        self, make: Callable[..., Provider], world: World
    ) -> None:
        batch = batch_of(*(reader(number, name=name) for number, name in enumerate(NAMES, start=1)))
        receipts = kept(make().send(batch))
        messages = {each.ref: each for each in world.accepted()}
        for row, name in zip(batch.rows, NAMES, strict=True):
            if name in self.held_names:
                assert receipts[row.seq].status is Status.HELD
                assert row.ref not in messages
                continue
            shown, message = one_line(name) or "friend", messages[row.ref]
            page = html.unescape(message.html)
            assert f"Dear {shown} of City {row.seq} <&>," in " ".join(page.split())
            assert "<b>Bold" not in message.html
            assert f"Dear {shown} of City {row.seq} <&>" in " ".join(message.text.split())
            assert " ".join(message.subject.split()) == f"Hello {' '.join(shown.split())}"
            assert f"/preferences/p{row.seq}" in message.html
            assert [each for each in range(1, 10) if f'/leave/t{each}"' in message.html] == [row.seq]
            assert not [text for text in ("%recipient.", "{{") if text in message.html and text not in name]

    def test_leaving_is_offered_in_the_headers_to_each_reader(
        self, make: Callable[..., Provider], world: World
    ) -> None:
        kept(make().send(crowd(3)))
        for message in world.accepted():
            number = message.to.removeprefix("reader").partition("@")[0]
            assert message.headers["List-Unsubscribe"].startswith(f"<https://letters.example.org/leave/t{number}>")
            assert message.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
            assert message.headers["List-Id"] == "The Monday Letter <monday.letters.example.org>"
            assert message.run == "2026-11-23-a-letter"

    def test_one_bad_address_hurts_nobody_else(self, make: Callable[..., Provider], world: World) -> None:
        readers = [reader(number) for number in range(1, 12)]
        readers[4] = reader(5, address="gone@refused.example.org")
        receipts = kept(make().send(batch_of(*readers)))
        assert receipts.pop(5).status is Status.REFUSED
        assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
        assert sorted(each.to for each in world.accepted()) == sorted(
            f"reader{n}@example.org" for n in range(1, 12) if n != 5
        )

    def test_what_may_have_left_is_in_doubt(self, make: Callable[..., Provider], world: World) -> None:
        for number, fault in enumerate(self.faults, start=1):
            world.fails(fault)
            provider = make()
            receipts = kept(provider.send(batch_of(reader(number), reader(number + 100))))
            assert {each.status for each in receipts.values()} <= {Status.UNKNOWN}, fault
            provider.close()

    def test_a_server_that_is_not_there_is_busy_and_nothing_left(self, make_nowhere: Callable[..., Provider]) -> None:
        provider = make_nowhere()
        with pytest.raises(ProviderBusy):
            kept(provider.send(crowd(2)))

    def test_asked_to_stop_it_ends_soon_and_says_what_is_true(
        self, make: Callable[..., Provider], world: World
    ) -> None:
        started = time.monotonic()
        receipts = kept(make(stop=lambda: True).send(crowd(5)))
        assert time.monotonic() - started < 7
        left = {row.seq for row in crowd(5).rows if row.address in {each.to for each in world.accepted()}}
        assert {seq for seq, each in receipts.items() if each.status is Status.PLANNED}.isdisjoint(left)

    def test_a_proof_that_it_works_can_be_asked_for(self, make: Callable[..., Provider]) -> None:
        looks = list(make().examine())
        assert looks
        assert all(look.ok for look in looks), looks

    def test_nothing_that_it_says_holds_a_secret_or_an_address(
        self, make: Callable[..., Provider], world: World, make_locked_out: Callable[..., Provider]
    ) -> None:
        said: list[str] = []
        batch = batch_of(reader(1), reader(2, address="gone@refused.example.org"))
        said += [receipt.reason for receipt in kept(make().send(batch)).values()]
        with pytest.raises(ProviderRefused) as refused:
            kept(make_locked_out().send(batch))
        said += [str(refused.value), refused.value.hint, repr(refused.value), repr(make())]
        for text in said:
            assert "@" not in text
            assert not [secret for secret in self.secrets if secret in text]
        assert refused.value.hint


class CloudContract(ProviderContract):
    """What every provider has to do that is called over HTTP; its world is a CloudWorld."""

    @pytest.mark.parametrize("status", [103, 202, 204, 408, 500, 501, 503, 524, 599])
    @pytest.mark.parametrize("said", ["", "rate limit exceeded, please try again after a minute"])
    def test_an_answer_that_does_not_say_what_was_taken_is_in_doubt(
        self, make: Callable[..., Provider], world: CloudWorld, status: int, said: str
    ) -> None:
        world.cloud.answers.append(Reply(status, {"message": said} if said else None))
        receipts = kept(make().send(crowd(2)))
        assert {each.status for each in receipts.values()} == {Status.UNKNOWN}
        assert len(receipts) == 2

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed_and_nothing_left(
        self, make: Callable[..., Provider], world: CloudWorld, status: int
    ) -> None:
        world.cloud.answers.append(Reply(status, None, {"Location": f"{world.cloud.url}/elsewhere"}))
        with pytest.raises(ProviderRefused):
            kept(make().send(crowd(2)))
        assert len(world.cloud.calls) == 1

    @pytest.mark.parametrize("data", [None, [], "slow down", {"message": 7}])
    def test_too_many_requests_is_never_a_fault_of_the_set_up(
        self, make: Callable[..., Provider], world: CloudWorld, data: object
    ) -> None:
        world.cloud.answers.append(Reply(429, data, {"Retry-After": "7"}))
        with pytest.raises(ProviderBusy) as caught:
            kept(make().send(crowd(2)))
        assert caught.value.wait == timedelta(seconds=7)

    @pytest.mark.parametrize("status", [200, 400, 403, 409, 418, 422, 429, 500])
    def test_no_answer_can_bring_an_address_into_a_reason_or_an_error(
        self, make: Callable[..., Provider], world: CloudWorld, status: int
    ) -> None:
        whom = "zoe@example.org"
        said = dict.fromkeys(("message", "Message", "name", "__type", "code", "id", "error"), whom)
        world.cloud.answers.append(Reply(status, said, {"x-amzn-ErrorType": whom} if status == 403 else {}))
        try:
            texts = [each.reason for each in kept(make().send(crowd(1))).values()]
        except NewsletterError as err:
            texts = [str(err), err.hint]
        assert texts
        assert not [text for text in texts if "@" in text]


def same_call_sends_once(provider: Provider, world: World, batch: Batch) -> None:
    """Assert that a repeated batch is known again."""
    assert provider.keeps_keys > timedelta(0)
    first, second = kept(provider.send(batch)), kept(provider.send(batch))
    assert {each.status for each in second.values()} == {Status.ACCEPTED}
    assert [each.provider_id for each in first.values()] == [each.provider_id for each in second.values()]
    assert len(world.accepted()) == len(batch.rows)


def leads_to(provider: Provider, raised: type[NewsletterError] | None, *, wait: timedelta | None = None) -> None:
    """Assert that the next call raises exactly that, with a hint; None: that it refuses one reader, or is in doubt."""
    if raised is None:
        (receipt,) = kept(provider.send(crowd(1))).values()
        assert receipt.status in (Status.REFUSED, Status.UNKNOWN)
        return
    with pytest.raises(raised) as caught:
        kept(provider.send(crowd(1)))
    assert type(caught.value) is raised
    assert caught.value.hint
    if wait is not None:
        assert isinstance(caught.value, ProviderBusy)
        assert caught.value.wait == wait
