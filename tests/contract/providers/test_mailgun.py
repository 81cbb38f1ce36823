"""Mailgun: the contract, its search, every error that it documents, and every kind of event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderBusy, ProviderRefused
from newsletter.providers import mailgun_form
from newsletter.providers.mailgun import KEPT_FOR, TRUSTED_AFTER, Mailgun
from tests.cloud.mailgun import DOMAIN, KEY, fields, mailgun
from tests.cloud.server import DROP, Call, Cloud, Reply
from tests.contract.providers.clouds import CloudWorld, never, nowhere
from tests.contract.providers.contract import CloudContract, kept
from tests.contract.providers.letters import AT, batch_of, crowd, letter_filler, reader
from tests.contract.providers.recorded import cases, means, reads, two_variants

LATER = AT + timedelta(hours=1)


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
        leave_by_provider: bool = False,
    ) -> Mailgun:
        return Mailgun(
            url=url or world.cloud.url,
            domain=domain,
            api_key=key,
            sandbox=sandbox,
            leave_by_provider=leave_by_provider,
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


class TestMailgun(CloudContract):
    secrets = (KEY, "key-wrong-123456789")
    held_names = ("%recipient.h0%",)


@pytest.mark.parametrize(
    "case", cases("mailgun/errors", "answers"), ids=lambda each: f"{each['status']} {each['message']}"
)
def test_every_documented_error_leads_to_its_class_and_a_hint(make, world, case) -> None:
    world.cloud.answers.append(Reply(case["status"], {"message": case["message"]}))
    means(make(now=AT + timedelta(hours=1)), case)
    assert world.accepted() == []


@pytest.mark.parametrize("case", cases("mailgun/events", "events"), ids=lambda each: str(each["record"].get("event")))
def test_every_kind_of_event_is_read_or_left_out(make, case) -> None:
    reads(make(), case)


def test_a_file_that_holds_no_events_is_refused(make) -> None:
    with pytest.raises(ProviderRefused):
        list(make().read_events(b"ref,status\n"))


@pytest.mark.parametrize(
    ("data", "status"), [({"message": "Queued. Thank you."}, Status.UNKNOWN), ([], Status.UNKNOWN)]
)
def test_a_yes_without_an_id_is_in_doubt(make, world, data, status) -> None:
    world.cloud.answers.append(Reply(200, data))
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {status}


def test_a_yes_from_an_address_where_nothing_is_sent_stops_the_run(make, world) -> None:
    world.cloud.answers.append(Reply(200, {"message": "Mailgun Magnificent API"}))
    with pytest.raises(ProviderRefused) as refused:
        kept(make().send(crowd(2)))
    assert "mailgun.url" in refused.value.hint


def test_a_slash_in_the_domain_cannot_lead_elsewhere(make, world) -> None:
    with pytest.raises(ProviderRefused):
        kept(make(domain="letters.example.org/x").send(crowd(1)))
    assert world.cloud.calls[0].path == "/v3/letters.example.org%2Fx/messages"


def test_all_bad_addresses_are_found_and_everybody_else_gets_it_once(make, world) -> None:
    bad = {1, 500, 501, 1000}
    batch = batch_of(*(reader(n, address="gone@refused.example.org" if n in bad else "") for n in range(1, 1001)))
    receipts = kept(make().send(batch))
    assert {seq for seq, each in receipts.items() if each.status is Status.REFUSED} == bad
    assert sorted(each.to for each in world.accepted()) == sorted(
        row.address for row in batch.rows if row.seq not in bad
    )
    assert world.calls() < 60


def test_asked_to_stop_while_it_looks_for_a_bad_address_it_says_what_did_not_leave(make, world) -> None:
    batch = batch_of(reader(1), reader(2), reader(3, address="gone@refused.example.org"), reader(4))
    receipts = kept(make(stop=lambda: world.calls() >= 2).send(batch))
    assert [receipts[seq].status for seq in (1, 2, 3, 4)] == [
        Status.ACCEPTED,
        Status.ACCEPTED,
        Status.PLANNED,
        Status.PLANNED,
    ]


def test_an_address_that_two_rows_have_is_two_calls(make, world) -> None:
    batch = batch_of(reader(1, name="Ada"), reader(2, name="Ben", address="Reader1@example.org"), reader(3))
    assert {each.status for each in kept(make().send(batch)).values()} == {Status.ACCEPTED}
    assert sorted(each.subject for each in world.accepted()) == ["Hello Ada", "Hello Ada", "Hello Ben"]
    assert world.calls() == 2


def test_calls_are_split_by_their_bytes(make, world, monkeypatch) -> None:
    monkeypatch.setattr(mailgun_form, "MOST_BYTES", 60_000)
    batch = crowd(300)
    assert {each.status for each in kept(make().send(batch)).values()} == {Status.ACCEPTED}
    assert world.calls() > 1
    assert max(len(call.body) for call in world.cloud.sends) <= 60_000
    assert len(world.accepted()) == 300


def test_options_beyond_16_kb_are_refused_before_anything_leaves(make, world, monkeypatch) -> None:
    monkeypatch.setattr(mailgun_form, "MOST_OPTION_BYTES", 100)
    with pytest.raises(ProviderRefused, match="16 kB"):
        kept(make().send(crowd(2)))
    assert world.calls() == 0


def test_a_row_whose_headers_are_beyond_16_kb_is_held_and_stops_nobody_else(make, world, monkeypatch) -> None:
    kept(make().send(crowd(1)))
    (form,) = mailgun_form.forms(crowd(1), sandbox=False)
    most = sum(len(k) + len(v) for k, v in form.options if k[:2] in ("o:", "h:", "v:")) + sum(
        len(value) for value in form.entry(crowd(1).rows[0]).own.values()
    )
    monkeypatch.setattr(mailgun_form, "MOST_OPTION_BYTES", most)
    receipts = kept(make().send(crowd(10)))  # the address of the tenth's page is one character longer
    assert receipts.pop(10).status is Status.HELD
    assert {each.status for each in receipts.values()} == {Status.ACCEPTED}


@pytest.mark.parametrize("text", ["Write %recipient.name% and see.", "Leave by %unsubscribe_url% here."])
def test_a_letter_that_looks_like_a_placeholder_is_refused_before_anything_leaves(make, world, text) -> None:
    trap = letter_filler(letter=f"::: text\n{text}\n:::\n")
    with pytest.raises(ProviderRefused, match="Mailgun would take for a place to fill"):
        kept(make().send(batch_of(reader(1), with_filler=trap)))
    assert world.calls() == 0


def test_each_variant_of_a_letter_is_a_call_of_its_own(make, world) -> None:
    receipts = kept(make().send(two_variants(b"Second of all: ")))
    assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
    assert world.calls() == 2
    said = {each.to: each.html.startswith("Second of all: ") for each in world.accepted()}
    assert said == {f"reader{n}@example.org": n % 2 == 1 for n in range(1, 5)}


def test_a_variant_that_cannot_leave_is_found_before_the_other_has_left(make, world) -> None:
    with pytest.raises(ProviderRefused):
        kept(make().send(two_variants(b"%recipient.x%")))
    assert world.calls() == 0


def test_what_is_asked_of_mailgun(make, world) -> None:
    kept(make(sandbox=True).send(batch_of(reader(1, name="Zoë"), reader(2, name="Doe, Jo"))))
    (call,) = world.cloud.sends
    form = {name: values[0] for name, values in fields(call).items()}
    assert form["from"] == "The Monday Letter <letter@letters.example.org>"
    assert form["to"] == '=?utf-8?b?Wm/Dqw==?= <reader1@example.org>, "Doe, Jo" <reader2@example.org>'
    assert form["h:Reply-To"] == "hello@letters.example.org"
    assert form["h:List-Unsubscribe"] == "%recipient.h0%"
    assert form["h:List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (form["v:ref"], form["v:run"], form["o:tag"]) == (
        "%recipient.ref%",
        "2026-11-23-a-letter",
        "2026-11-23-a-letter",
    )
    assert (form["o:testmode"], form["o:tracking"]) == ("yes", "no")
    variables = json.loads(form["recipient-variables"])
    assert set(variables) == {"reader1@example.org", "reader2@example.org"}
    assert len({frozenset(each) for each in variables.values()}) == 1  # a variable that one lacks would stay as text
    kept(make().send(crowd(1)))
    assert "o:testmode" not in fields(world.cloud.sends[1])


def test_a_display_name_that_mailgun_would_fill_is_left_away(make, world) -> None:
    batch = crowd(1)
    named = replace(batch, rows=(replace(batch.rows[0], name="%recipient.ref%"),))
    assert {each.status for each in kept(make().send(named)).values()} == {Status.ACCEPTED}
    assert fields(world.cloud.sends[0])["to"] == ["reader1@example.org"]


def test_the_same_batch_makes_the_same_bytes(make, world) -> None:
    kept(make().send(crowd(3)))
    kept(make().send(crowd(3)))
    assert world.cloud.sends[0].body == world.cloud.sends[1].body


@pytest.mark.parametrize(
    ("age", "others"),
    [
        (timedelta(minutes=1), None),
        (TRUSTED_AFTER - timedelta(seconds=1), None),
        (TRUSTED_AFTER, Status.PLANNED),
        (KEPT_FOR - timedelta(minutes=1), Status.PLANNED),
        (KEPT_FOR, None),
        (timedelta(minutes=-5), None),
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
    asked_for = parse_qs(urlsplit(world.cloud.calls[1].path).query)
    assert asked_for["tags"] == ["2026-11-23-a-letter"]
    # The clock of whoever claimed may have been fast: what Mailgun took then bears an earlier time.
    assert float(asked_for["begin"][0]) <= AT.timestamp() - 3600


def test_a_search_that_finds_nothing_of_the_letter_at_all_proves_nothing(make, world) -> None:
    assert kept(make(now=LATER).settle(crowd(3))) == {}
    kept(make().send(batch_of(reader(9))))
    assert {each.status for each in kept(make(now=LATER).settle(crowd(3))).values()} == {Status.PLANNED}


def test_the_search_ends_when_all_are_found(make, world) -> None:
    kept(make().send(crowd(9)))
    before = len(world.cloud.calls)
    assert len(kept(make(now=LATER).settle(crowd(3)))) == 3
    assert len(world.cloud.calls) == before + 1  # of four pages


def test_a_search_says_that_it_lives(make, world) -> None:
    kept(make().send(crowd(9)))
    said: list[Receipt | None] = list(make(now=LATER).settle(batch_of(reader(50))))
    assert said.count(None) >= 4


def settled_by(make, page: object, *, status: int = 200) -> list[Receipt | None]:
    """What settling says when this is the page of events."""

    def answer(_cloud: Cloud, _call: Call) -> Reply:
        return Reply(status, page)

    with Cloud({"/": answer}) as cloud:
        return list(make(url=cloud.url, now=LATER).settle(crowd(1)))


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"event": "rejected"}, Status.REFUSED),
        ({"event": "delivered"}, Status.ACCEPTED),
        ({"event": "failed", "severity": "permanent"}, Status.ACCEPTED),  # that it bounced, the events will tell
    ],
)
def test_what_was_found_was_taken_unless_mailgun_rejected_it(make, event, status) -> None:
    (row,) = crowd(1).rows
    said = settled_by(make, {"items": [{**event, "user-variables": {"ref": row.ref}}]})
    assert [each.status for each in said if each] == [status]


@pytest.mark.parametrize("where", ["https://elsewhere.example.org/v3/x", "http://127.0.0.1:1/", "", None])
def test_a_next_page_elsewhere_is_not_asked_for_with_our_key(make, where) -> None:
    with pytest.raises(ProviderRefused, match="another address"):
        settled_by(make, {"items": [{"event": "opened"}], "paging": {"next": where}})


def test_a_host_that_only_begins_like_ours_is_elsewhere(make, world) -> None:
    def answer(cloud: Cloud, _call: Call) -> Reply:
        return Reply(200, {"items": [{}], "paging": {"next": f"{cloud.url}1.example.org/v3"}})

    with Cloud({"/": answer}) as cloud, pytest.raises(ProviderRefused, match="another address"):
        list(make(url=cloud.url).settle(crowd(1)))


def test_a_list_that_goes_in_a_circle_is_left(make) -> None:
    def answer(cloud: Cloud, call: Call) -> Reply:
        return Reply(200, {"items": [{}], "paging": {"next": f"{cloud.url}/v3/again"}})

    with Cloud({"/": answer}) as cloud, pytest.raises(ProviderBusy, match="circle"):
        list(make(url=cloud.url, now=LATER).settle(crowd(1)))


@pytest.mark.parametrize("page", [None, {}, {"items": "?"}])
def test_a_page_that_cannot_be_read_proves_nothing(make, page) -> None:
    with pytest.raises((ProviderRefused, ProviderBusy)):
        settled_by(make, page)


@pytest.mark.parametrize(("status", "raised"), [(401, ProviderRefused), (429, ProviderBusy), (500, ProviderBusy)])
def test_a_search_that_fails_says_nothing(make, status, raised) -> None:
    with pytest.raises(raised) as caught:
        settled_by(make, {"message": "no"}, status=status)
    assert caught.value.hint


def test_asked_to_stop_a_search_proves_nothing(make, world) -> None:
    with pytest.raises(ProviderBusy, match="stopped"):
        list(make(stop=lambda: True, now=LATER).settle(crowd(1)))
    assert world.cloud.calls == []


def test_a_doctor_sees_what_is_wrong_with_the_domain(make) -> None:
    def answer(_cloud: Cloud, call: Call) -> Reply:
        if call.path.endswith("/tracking"):
            return Reply(200, {"tracking": {"unsubscribe": {"active": True}}})
        return Reply(200, {"domain": {"state": "unverified"}})

    with Cloud({"/": answer}) as cloud:
        looks = list(make(url=cloud.url).examine())
    assert [(look.what, look.ok) for look in looks] == [("provider", False), ("unsubscribe tracking", False)]
    assert all(look.fix for look in looks)


@pytest.mark.parametrize(
    ("by_provider", "active", "footer", "fix"),
    [
        (False, False, "", ""),
        (False, True, "", "turn unsubscribe tracking off"),
        (True, False, "", "turn unsubscribe tracking on"),
        (True, True, "", ""),
        (True, True, '<a href="%unsubscribe_url%">', "empty both footers"),
    ],
)
def test_a_doctor_sees_who_writes_how_to_leave(make, by_provider, active, footer, fix) -> None:
    def answer(cloud: Cloud, call: Call) -> Reply:
        if call.path.endswith("/tracking"):
            told = {"active": active, "html_footer": footer, "text_footer": "\n"}
            return Reply(200, {"tracking": {"unsubscribe": told}})
        return mailgun(cloud, call)

    with Cloud({"/": answer}) as cloud:
        _, *looks = make(url=cloud.url, leave_by_provider=by_provider).examine()
    assert [look.ok for look in looks] == ([False] if fix else [])
    assert not looks or fix in looks[0].fix


def test_a_letter_that_leaves_it_to_mailgun_has_its_link_and_no_header_of_ours(make, world) -> None:
    batch = crowd(3)
    headers = tuple(each for each in batch.letter.headers if not each[0].startswith("List-Unsubscribe"))
    batch = replace(batch, letter=replace(batch.letter, headers=headers, leave_by_provider=True))
    with pytest.raises(ProviderRefused, match="no way to leave"):
        kept(make().send(batch))
    assert world.calls() == 0
    world.cloud.writes_leave = True
    assert {each.status for each in kept(make().send(batch)).values()} == {Status.ACCEPTED}
    for message in world.accepted():
        assert 'href="%unsubscribe_url%"' in message.html
        assert "%unsubscribe_url%" in message.text
        assert not [name for name in message.headers if name.startswith("List-Unsubscribe")]
    (call,) = world.cloud.sends
    assert b"/leave/" not in call.body


def test_a_mail_that_nobody_has_to_leave_does_not_ask_for_mailguns_link(make, world) -> None:
    batch = crowd(1)
    headers = tuple(each for each in batch.letter.headers if not each[0].startswith("List-Unsubscribe"))
    kept(make().send(replace(batch, letter=replace(batch.letter, headers=headers))))
    assert len(world.accepted()) == 1
    assert "%unsubscribe_url%" not in world.accepted()[0].html


def test_a_letter_cannot_bring_mailguns_link_for_leaving_itself(make, world) -> None:
    with pytest.raises(ProviderRefused):
        kept(make().send(two_variants(b"%unsubscribe_url%")))
    assert world.calls() == 0


def test_a_slash_at_the_end_of_the_address_changes_nothing(make, world) -> None:
    provider = make(url=f"{world.cloud.url}/", now=LATER)
    assert {each.status for each in kept(provider.send(crowd(9))).values()} == {Status.ACCEPTED}
    assert {each.status for each in kept(provider.settle(crowd(9))).values()} == {Status.ACCEPTED}
