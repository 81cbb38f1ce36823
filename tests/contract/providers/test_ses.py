"""SES: the contract, every error of a call, every status of an entry, and every kind of event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderRefused
from newsletter.providers import ses_entries
from newsletter.providers.ses import Ses
from tests.cloud.server import Call, Cloud, Reply
from tests.cloud.ses import ACCESS, REGION, SECRET, error, ses
from tests.contract.providers.clouds import CloudWorld, never, nowhere
from tests.contract.providers.contract import CloudContract, kept
from tests.contract.providers.letters import batch_of, crowd, letter_filler, reader
from tests.contract.providers.recorded import RAISED, cases, means, reads, two_variants

ENTRY_STATUSES = {
    "accepted": Status.ACCEPTED,
    "refused_row": Status.REFUSED,
    "deferred": Status.DEFERRED,
    "unknown": Status.UNKNOWN,
}


@pytest.fixture
def world() -> Iterator[CloudWorld]:
    with Cloud({"/": ses}) as cloud:
        yield CloudWorld(cloud)


@pytest.fixture
def make(world: CloudWorld) -> Callable[..., Ses]:
    def made(
        *,
        stop: Callable[[], bool] = never,
        secret: str = SECRET,
        url: str = "",
        configuration_set: str = "",
        token: str = "",
    ) -> Ses:
        return Ses(
            region=REGION,
            url=url or world.cloud.url,
            configuration_set=configuration_set,
            access_key=ACCESS,
            secret_key=secret,
            session_token=token,
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


class TestSes(CloudContract):
    secrets = (ACCESS, SECRET, "a-wrong-secret-for-tests")
    held_names = ("{{h0}}",)


@pytest.mark.parametrize(
    "case", cases("ses/errors", "answers"), ids=lambda each: f"{each['status']} {each['name']} {each['message'][:40]}"
)
@pytest.mark.parametrize("place", ["header", "body"])
def test_every_documented_error_leads_to_its_class_and_a_hint(make, world, case, place) -> None:
    in_body = {"__type": f"com.amazonaws.sesv2#{case['name']}", "message": case["message"]}
    answer = (
        error(case["status"], case["name"], case["message"]) if place == "header" else Reply(case["status"], in_body)
    )
    world.cloud.answers.append(answer)
    means(make(), case)
    assert world.accepted() == []


@pytest.mark.parametrize(
    "case", cases("ses/entries", "statuses"), ids=lambda each: f"{each['word']} {each['error'][:20]}"
)
def test_every_status_of_an_entry_has_a_meaning_and_the_others_keep_theirs(make, world, case) -> None:
    results = [
        {"Status": "SUCCESS", "MessageId": "m1"},
        {"Status": case["word"], "Error": case["error"]},
        {"Status": "SUCCESS", "MessageId": "m3"},
    ]
    world.cloud.answers.append(Reply(200, {"BulkEmailEntryResults": results}))
    receipts: dict[int, Receipt] = {}
    sending = make().send(crowd(3))
    if case["means"] in RAISED:
        with pytest.raises(RAISED[case["means"]]) as caught:
            receipts.update((each.seq, each) for each in sending if each)
        assert type(caught.value) is RAISED[case["means"]]
        assert case["hint"] in caught.value.hint
        assert "@" not in str(caught.value)
        assert receipts[2].status is Status.PLANNED
    else:
        receipts = kept(sending)
        assert receipts[2].status is ENTRY_STATUSES[case["means"]]
    assert [receipts[seq].provider_id for seq in (1, 3)] == ["m1", "m3"]
    assert {receipts[seq].status for seq in (1, 3)} == {Status.ACCEPTED}
    assert "@" not in receipts[2].reason


@pytest.mark.parametrize(
    "case", cases("ses/events", "events"), ids=lambda each: str(each["record"].get("eventType", "SNS"))
)
def test_every_kind_of_event_is_read_or_left_out(make, case) -> None:
    reads(make(), case)


@pytest.mark.parametrize("results", [[], [{"Status": "SUCCESS"}], [{}] * 3, None, "?"])
def test_an_answer_that_does_not_fit_is_in_doubt(make, world, results: object) -> None:
    world.cloud.answers.append(Reply(200, {"BulkEmailEntryResults": results}))
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {Status.UNKNOWN}


@pytest.mark.parametrize("results", [["SUCCESS", None], [{"Status": 1}, {"Status": ["SUCCESS"]}]])
def test_an_entry_that_cannot_be_read_is_in_doubt(make, world, results: object) -> None:
    world.cloud.answers.append(Reply(200, {"BulkEmailEntryResults": results}))
    assert {each.status for each in kept(make().send(crowd(2))).values()} == {Status.UNKNOWN}


def test_a_call_refused_for_one_address_is_made_again_without_it(make, world) -> None:
    def picky(cloud: Cloud, call: Call) -> Reply:
        """As the older API did it."""
        if b"gone@" in call.body:
            return error(400, "BadRequestException", "Local address contains control or whitespace")
        return ses(cloud, call)

    bad = batch_of(*(reader(n, address="gone@refused.example.org" if n == 7 else "") for n in range(1, 21)))
    with Cloud({"/": picky}) as cloud:
        receipts = kept(make(url=cloud.url).send(bad))
        assert receipts.pop(7).status is Status.REFUSED
        assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
        assert len(cloud.accepted) == 19


def test_what_ses_cannot_carry_stops_nobody_else(make, world) -> None:
    readers = [
        reader(1),
        reader(2, address="zoë@example.org"),
        reader(3, name="x" * 262_144),
        reader(4, address="ada@bücher.example"),
    ]
    batch = batch_of(*readers, reader(5), reader(6))
    far = {**batch.rows[4].values, "unsubscribe_url": f"https://letters.example.org/{'x' * 995}"}
    odd = {**batch.rows[5].values, "unsubscribe_url": "https://bücher.example/leave"}
    rows = (*batch.rows[:4], replace(batch.rows[4], values=far), replace(batch.rows[5], values=odd))
    receipts = kept(make().send(replace(batch, rows=rows)))
    assert [receipts[seq].status for seq in range(1, 7)] == [
        Status.ACCEPTED,
        Status.REFUSED,
        Status.HELD,
        Status.ACCEPTED,
        Status.HELD,
        Status.HELD,
    ]
    assert [each.to for each in world.accepted()] == ["reader1@example.org", "ada@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "text", ["Two braces, as a page shows them: {&#123;x}}.", "&#123;{{ first_name | default('x') }}"]
)
def test_a_letter_that_looks_like_a_placeholder_is_refused_before_anything_leaves(make, world, text) -> None:
    trap = letter_filler(letter=f"::: text\n{text}\n:::\n")
    with pytest.raises(ProviderRefused, match="SES would take for a place to fill"):
        kept(make().send(batch_of(reader(1), with_filler=trap)))
    assert world.calls() == 0


def test_a_letter_with_more_headers_than_ses_takes_is_refused_before_anything_leaves(make, world, monkeypatch) -> None:
    monkeypatch.setattr(ses_entries, "MOST_HEADERS", 2)
    with pytest.raises(ProviderRefused, match="header"):
        kept(make().send(crowd(1)))
    assert world.calls() == 0


def test_each_variant_of_a_letter_is_a_call_of_its_own(make, world) -> None:
    receipts = kept(make().send(two_variants(b"Second of all: ")))
    assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
    assert world.calls() == 2
    said = {each.to: each.html.startswith("Second of all: ") for each in world.accepted()}
    assert said == {f"reader{n}@example.org": n % 2 == 1 for n in range(1, 5)}


def test_a_variant_that_cannot_leave_is_found_before_the_other_has_left(make, world) -> None:
    with pytest.raises(ProviderRefused):
        kept(make().send(two_variants(b"{{x}}")))
    assert world.calls() == 0


@pytest.mark.parametrize("wrong", [{"sender": ("The Letter", "zoë@example.org")}, {"reply_to": "zoë@example.org"}])
def test_a_sender_whom_ses_cannot_write_stops_the_run_before_anything_leaves(make, world, wrong) -> None:
    batch = crowd(1)
    with pytest.raises(ProviderRefused) as refused:
        kept(make().send(replace(batch, letter=replace(batch.letter, **wrong))))
    assert "sender.address" in refused.value.hint
    assert "zoë" not in str(refused.value)
    assert world.calls() == 0


def test_what_is_asked_of_ses(make, world) -> None:
    kept(make(configuration_set="weekly").send(batch_of(reader(1, name="Zoë"))))
    (call,) = world.cloud.sends
    asked = json.loads(call.body)
    (entry,) = asked["BulkEmailEntries"]
    assert call.path == "/v2/email/outbound-bulk-emails"
    assert asked["FromEmailAddress"] == "The Monday Letter <letter@letters.example.org>"
    assert asked["ReplyToAddresses"] == ["hello@letters.example.org"]
    assert asked["ConfigurationSetName"] == "weekly"
    assert asked["DefaultEmailTags"] == [{"Name": "run", "Value": "2026-11-23-a-letter"}]
    assert entry["Destination"] == {"ToAddresses": ["=?utf-8?b?Wm/Dqw==?= <reader1@example.org>"]}
    assert [each["Name"] for each in entry["ReplacementHeaders"]] == ["List-Unsubscribe"]
    assert [each["Name"] for each in entry["ReplacementTags"]] == ["ref"]
    assert sorted(each["Name"] for each in asked["DefaultContent"]["Template"]["Headers"]) == [
        "List-Id",
        "List-Unsubscribe-Post",
    ]
    kept(make().send(crowd(1)))
    assert "ConfigurationSetName" not in json.loads(world.cloud.sends[1].body)


def test_temporary_keys_bring_their_token_and_it_is_signed(make, world) -> None:
    list(make(token="a-token").examine())
    headers = world.cloud.calls[0].headers
    assert headers["x-amz-security-token"] == "a-token"
    assert "x-amz-security-token" in headers["authorization"]


def test_the_signature_covers_the_body(make, world) -> None:
    kept(make().send(crowd(1)))
    (call,) = world.cloud.sends
    request = AWSRequest(
        "POST",
        f"{world.cloud.url}{call.path}",
        {"host": call.headers["host"], "content-type": "application/json"},
        call.body + b" ",
    )
    request.context["timestamp"] = request.headers["X-Amz-Date"] = call.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS, SECRET), "ses", REGION)
    other = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert other not in call.headers["authorization"]


def test_nothing_can_be_asked_about_what_is_in_doubt(make, world) -> None:
    assert list(make().settle(crowd(3))) == []
    assert world.cloud.calls == []


def looks(make, account: dict[str, object], identities: Reply) -> dict[str, tuple[bool, str, str]]:
    """What a doctor sees of such an account."""

    def answer(_cloud: Cloud, call: Call) -> Reply:
        return identities if "identities" in call.path else Reply(200, account)

    with Cloud({"/": answer}) as cloud:
        return {look.what: (look.ok, look.detail, look.fix) for look in make(url=cloud.url).examine()}


def test_a_doctor_sees_an_account_that_is_well(make) -> None:
    found = {look.what: (look.ok, look.detail) for look in make().examine()}
    assert found["provider"] == (True, f"ses in {REGION}, in production")
    assert found["sending"] == (True, "ses: sending is enabled, healthy")
    assert found["quota"] == (True, "ses: 48,800 of 50,000 left today, 14 a second")
    assert found["identity"] == (True, "ses: may send for letters.example.org")


def test_a_doctor_sees_what_is_wrong(make) -> None:
    quota = {"Max24HourSend": 200, "SentLast24Hours": 200, "MaxSendRate": 1}
    found = looks(
        make,
        {
            "SendQuota": quota,
            "SendingEnabled": False,
            "EnforcementStatus": "SHUTDOWN",
            "ProductionAccessEnabled": False,
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE"]},
        },
        Reply(200, {"EmailIdentities": [{"IdentityType": "DOMAIN", "IdentityName": "x", "SendingEnabled": False}]}),
    )
    assert set(found) == {"provider", "sending", "quota", "suppression", "identity"}
    assert not [what for what, (ok, _, fix) in found.items() if ok or not fix]


def test_keys_that_only_send_may_not_list_identities_and_that_is_no_fault(make) -> None:
    quota = {"Max24HourSend": -1, "SentLast24Hours": 5, "MaxSendRate": 500}
    account = {"SendQuota": quota, "SendingEnabled": True, "ProductionAccessEnabled": True}
    found = looks(make, account, error(403, "AccessDeniedException", "no"))
    assert set(found) == {"provider", "sending", "quota"}
    assert found["quota"][:2] == (True, "ses: no daily limit, 500 a second")


@pytest.mark.parametrize(("count", "stops"), [(50, True), (10, True), (9, False)])
def test_what_is_wrong_with_everybody_is_no_readers_fault(make, world, count: int, stops: bool) -> None:
    results = [{"Status": "INVALID_PARAMETER", "Error": "Invalid tag value"}] * count
    world.cloud.answers.append(Reply(200, {"BulkEmailEntryResults": results}))
    receipts: list[Receipt] = []
    sending = make().send(crowd(count))
    if stops:
        with pytest.raises(ProviderRefused) as refused:
            receipts.extend(each for each in sending if each)
        assert refused.value.hint
        assert receipts == []
    else:
        assert {each.status for each in kept(sending).values()} == {Status.REFUSED}
