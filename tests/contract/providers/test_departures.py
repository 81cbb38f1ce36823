"""What every provider has to tell that knows who left, bounced or complained; and what each of them tells otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from newsletter.delivery.news import Kind, News
from newsletter.errors import ProviderBusy, ProviderRefused
from newsletter.providers import walk
from newsletter.providers.mailgun import KEPT_FOR, TRUSTED_AFTER, Mailgun
from newsletter.providers.resend import Resend
from newsletter.providers.ses import Ses
from newsletter.usecases.ports import Provider
from tests.cloud import mailgun, resend, ses
from tests.cloud.server import DROP, FAIL, GARBAGE, HALF, RESET, SLOW, Cloud, Departed, Reply
from tests.contract.providers.clouds import never, nowhere

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KINDS = {"left": Kind.LEFT, "bounced": Kind.HARD, "full": Kind.SOFT, "complained": Kind.COMPLAINED}
Made = Callable[..., Provider]


def gone(what: str, to: str, *, ago: timedelta = timedelta(hours=2), ref: str = "") -> Departed:
    return Departed(what=what, to=f"{to}@example.org", at=(NOW - ago).timestamp(), ref=ref)


def listen(provider: Provider, after: str = "", *, now: datetime = NOW) -> tuple[list[News], str]:
    """All news since *after*, and the last bookmark."""
    news, bookmark = list[News](), after
    for page, behind in provider.departures(after, now=now):
        news += page
        bookmark = behind
    return news, bookmark


def whom(news: Sequence[News]) -> set[tuple[Kind, str]]:
    return {(each.kind, each.address) for each in news}


class TellingContract:
    """Inherit it, and give `cloud`, and `make` for a provider that talks to it."""

    told: tuple[str, ...] = ("bounced", "complained")

    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walk, "_SLOWER_S", 0.05)

    def crowd(self, count: int) -> list[Departed]:
        return [
            gone(self.told[number % len(self.told)], f"reader{number:02}", ago=timedelta(hours=3, minutes=number))
            for number in range(count)
        ]

    def test_everybody_is_told_with_what_happened_and_when(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(8)
        news, _ = listen(make())
        assert whom(news) == {(KINDS[each.what], each.to) for each in cloud.departed}
        assert {(each.address, each.at.timestamp()) for each in news} == {(each.to, each.at) for each in cloud.departed}
        assert {each.how for each in news} == {"sync"}
        assert not [each.reason for each in news if "@" in each.reason or not each.reason]

    def test_where_nothing_is_new_it_is_one_call_and_no_news(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(8)
        _, bookmark = listen(make())
        cloud.calls.clear()
        assert listen(make(), bookmark, now=NOW + timedelta(minutes=5))[0] == []
        assert len(cloud.calls) == 1

    def test_what_is_listed_late_is_told_all_the_same(self, cloud: Cloud, make: Made) -> None:
        _, bookmark = listen(make())
        cloud.departed = [gone(self.told[0], "late", ago=timedelta(minutes=30))]
        news, _ = listen(make(), bookmark, now=NOW + timedelta(minutes=5))
        assert whom(news) == {(KINDS[self.told[0]], "late@example.org")}

    def test_broken_off_after_any_page_it_goes_on_and_loses_nobody(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(11)
        everybody = whom(listen(make())[0])
        pages = list(make().departures("", now=NOW))
        assert len(pages) > 3
        for number, (_, bookmark) in enumerate(pages, start=1):
            before = [news for page, _ in pages[:number] for news in page]
            after, _ = listen(make(), bookmark, now=NOW + timedelta(minutes=1))
            assert whom(before) | whom(after) == everybody

    def test_after_a_walk_that_was_broken_off_comes_what_happened_since(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(8)
        (first, bookmark), *_ = make().departures("", now=NOW)
        cloud.departed.append(gone(self.told[0], "since", ago=timedelta(hours=-2)))
        after, behind = listen(make(), bookmark, now=NOW + timedelta(hours=3))
        assert len(whom([*first, *after])) == 9
        assert datetime.fromisoformat(behind) > NOW + timedelta(hours=1)

    @pytest.mark.parametrize("fault", [DROP, HALF, SLOW, GARBAGE, RESET, FAIL])
    def test_an_answer_that_does_not_come_whole_is_told_and_heard_again(
        self, cloud: Cloud, make: Made, fault: str
    ) -> None:
        cloud.departed = self.crowd(8)
        pages = make().departures("", now=NOW)
        first, bookmark = next(pages)
        cloud.question_faults.append(fault)
        with pytest.raises(ProviderBusy) as caught:
            list(pages)
        assert caught.value.hint
        assert "@" not in str(caught.value)
        after, _ = listen(make(), bookmark)
        assert len(whom([*first, *after])) == 8

    @pytest.mark.parametrize("data", [None, [], {}, "no", {"items": 1}, {"data": [1]}, {"items": [None]}])
    def test_an_answer_that_is_no_list_is_told(self, cloud: Cloud, make: Made, data: object) -> None:
        cloud.question_answers.append(Reply(200, data))
        with pytest.raises(ProviderBusy, match="cannot be read"):
            listen(make())

    def test_asked_too_fast_it_waits_as_it_is_told(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(2)
        cloud.question_answers.append(self.too_fast({"retry-after": "0.3"}))
        assert len(whom(listen(make())[0])) == 2

    def test_a_long_wait_is_handed_on(self, cloud: Cloud, make: Made) -> None:
        cloud.question_answers.append(self.too_fast({"retry-after": "600"}))
        with pytest.raises(ProviderBusy) as caught:
            listen(make())
        assert caught.value.wait == timedelta(minutes=10)

    def too_fast(self, headers: dict[str, str]) -> Reply:
        return Reply(429, {"message": "slow down", "name": "rate_limit_exceeded"}, headers)

    def test_a_list_without_end_is_left(self, cloud: Cloud, make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walk, "MOST_PAGES", 12)
        cloud.departed, cloud.endless = self.crowd(2), True
        with pytest.raises(ProviderBusy, match="over 12 pages"):
            listen(make())
        assert len(cloud.calls) < 20

    @pytest.mark.parametrize("bookmark", ["garbage", "2026-11-23T", "2999-01-01T00:00:00+00:00", "a b c", " "])
    def test_a_bookmark_that_cannot_be_read_is_the_beginning(self, cloud: Cloud, make: Made, bookmark: str) -> None:
        cloud.departed = self.crowd(4)
        assert len(whom(listen(make(), bookmark)[0])) == 4

    def test_a_wrong_key_is_told_with_what_to_do(self, make_locked_out: Made) -> None:
        with pytest.raises(ProviderRefused) as caught:
            listen(make_locked_out())
        assert caught.value.hint

    def test_a_provider_out_of_reach_is_told(self, make_nowhere: Made) -> None:
        with pytest.raises(ProviderBusy):
            listen(make_nowhere())


class TestMailgun(TellingContract):
    told = ("bounced", "complained", "left")

    @pytest.fixture
    def cloud(self) -> Iterator[Cloud]:
        with Cloud({"/": mailgun.mailgun}) as cloud:
            yield cloud

    @pytest.fixture
    def make(self, cloud: Cloud) -> Made:
        return lambda *, url=cloud.url, key=mailgun.KEY: Mailgun(
            url=url, domain=mailgun.DOMAIN, api_key=key, sandbox=False, stop=never, clock=lambda: NOW, call_s=1
        )

    @pytest.fixture
    def make_locked_out(self, make: Made) -> Made:
        return lambda: make(key="key-wrong-123456789")

    @pytest.fixture
    def make_nowhere(self, make: Made) -> Made:
        return lambda: make(url=nowhere())

    def test_the_events_say_which_letter_it_was(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = [gone("full", "ada", ref="1-abc"), gone("bounced", "bo", ref="1-def")]
        told = {(each.kind, each.ref) for each in listen(make(), "2026-11-23T09:00:00+00:00")[0]}
        assert told == {(Kind.SOFT, "1-abc"), (Kind.HARD, "1-def")}

    def test_the_lists_are_read_once_and_after_a_gap(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = [gone("left", "ada", ago=timedelta(days=40))]
        assert whom(listen(make())[0]) == {(Kind.LEFT, "ada@example.org")}
        assert listen(make(), (NOW - timedelta(hours=1)).isoformat())[0] == []
        assert len(listen(make(), (NOW - KEPT_FOR - timedelta(minutes=1)).isoformat())[0]) == 1

    def test_no_bookmark_holds_an_address(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(11)
        bookmarks = [bookmark for _, bookmark in make().departures("", now=NOW)]
        assert any("address=" in call.path for call in cloud.calls)
        assert not [bookmark for bookmark in bookmarks if "@" in bookmark or "%40" in bookmark or "reader" in bookmark]

    def test_events_of_the_last_while_are_asked_for_again_as_some_come_late(self, cloud: Cloud, make: Made) -> None:
        _, bookmark = listen(make())
        assert datetime.fromisoformat(bookmark) == NOW - TRUSTED_AFTER

    @pytest.mark.parametrize(
        "elsewhere", ["http://127.0.0.2:1/v3/x", "https://api.mailgun.net.example.org/", "", "//a"]
    )
    def test_a_page_elsewhere_is_not_asked_for(self, cloud: Cloud, make: Made, elsewhere: str) -> None:
        cloud.question_answers.append(Reply(200, {"items": [{}], "paging": {"next": elsewhere}}))
        with pytest.raises(ProviderRefused, match="another address"):
            listen(make())
        assert len(cloud.calls) == 1

    def test_a_list_whose_last_page_leads_to_itself_has_an_end(self, cloud: Cloud, make: Made) -> None:
        last = f"{cloud.url}/v3/{mailgun.DOMAIN}/unsubscribes?page=last&limit=1000"
        page = {"items": [{"address": "ada@example.org", "tags": ["*"]}], "paging": {"next": last, "last": last}}
        cloud.question_answers.extend([Reply(200, page), Reply(200, page)])
        assert whom(listen(make())[0]) == {(Kind.LEFT, "ada@example.org")}

    def test_pages_in_a_circle_are_left(self, cloud: Cloud, make: Made) -> None:
        page = {"items": [{}], "paging": {"next": f"{cloud.url}/v3/again"}}
        cloud.question_answers.extend([Reply(200, page), Reply(200, page)])
        with pytest.raises(ProviderBusy, match="circle"):
            listen(make())

    @pytest.mark.parametrize(
        ("event", "kind"),
        [
            ({"event": "failed", "severity": "permanent", "reason": "bounce"}, Kind.HARD),
            ({"event": "failed", "severity": "permanent", "reason": "delayed-bounce"}, Kind.HARD),
            ({"event": "failed", "severity": "permanent", "reason": "suppress-bounce"}, Kind.HARD),
            ({"event": "failed", "severity": "permanent", "reason": "suppress-unsubscribe"}, Kind.LEFT),
            ({"event": "failed", "severity": "permanent", "reason": "suppress-complaint"}, Kind.COMPLAINED),
            ({"event": "failed", "severity": "permanent", "reason": "old"}, Kind.SOFT),
            ({"event": "failed", "severity": "permanent", "reason": "espblock"}, None),
            ({"event": "failed", "severity": "temporary", "reason": "bounce"}, None),
            ({"event": "failed"}, None),
            ({"event": "complained"}, Kind.COMPLAINED),
            ({"event": "unsubscribed"}, Kind.LEFT),
            ({"event": "opened"}, None),
            ({"event": 7}, None),
            ({}, None),
        ],
    )
    def test_only_what_is_about_the_address_itself_is_for_good(
        self, cloud: Cloud, make: Made, event: dict[str, object], kind: Kind | None
    ) -> None:
        item = {**event, "recipient": "ada@example.org", "timestamp": NOW.timestamp()}
        paging = {"next": f"{cloud.url}/v3/{mailgun.DOMAIN}/events?event=failed+OR+complained+OR+unsubscribed&begin=1"}
        cloud.question_answers.append(Reply(200, {"items": [item], "paging": paging}))
        news, _ = listen(make(), (NOW - timedelta(hours=1)).isoformat())
        assert [each.kind for each in news] == ([kind] if kind else [])

    def test_who_left_one_kind_of_mail_has_not_left_ours(self, cloud: Cloud, make: Made) -> None:
        items = [{"address": f"r{n}@example.org", "tags": tags} for n, tags in enumerate((["other"], ["*"], 7, []))]
        items.append({"address": "old@example.org", "tag": "*"})
        cloud.question_answers.append(
            Reply(200, {"items": items, "paging": {"next": f"{cloud.url}/v3/{mailgun.DOMAIN}/unsubscribes"}})
        )
        assert {each.address for each in listen(make())[0]} == {"r1@example.org", "r3@example.org", "old@example.org"}


class TestSes(TellingContract):
    @pytest.fixture
    def cloud(self) -> Iterator[Cloud]:
        with Cloud({"/": ses.ses}) as cloud:
            yield cloud

    @pytest.fixture
    def make(self, cloud: Cloud) -> Made:
        return lambda *, url=cloud.url, secret=ses.SECRET: Ses(
            region=ses.REGION, url=url, access_key=ses.ACCESS, secret_key=secret, stop=never, call_s=1
        )

    @pytest.fixture
    def make_locked_out(self, make: Made) -> Made:
        return lambda: make(secret="wrong")

    @pytest.fixture
    def make_nowhere(self, make: Made) -> Made:
        return lambda: make(url=nowhere())

    def test_it_asks_as_the_library_of_aws_would(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(5)
        listen(make(), "2026-11-22T09:00:00+00:00")
        model = ServiceModel(Loader().load_service_model("sesv2", "service-2"), "sesv2")
        asked = create_serializer(str(model.metadata["protocol"])).serialize_to_request(
            {"PageSize": 1000, "StartDate": datetime(2026, 11, 22, 9, tzinfo=UTC), "NextToken": "Mw=="},
            model.operation_model("ListSuppressedDestinations"),
        )
        ours = urlsplit(cloud.calls[1].path)
        assert ours.path == asked["url_path"]
        assert {name: values[0] for name, values in parse_qs(ours.query).items()} == {
            name: str(value) for name, value in asked["query_string"].items()
        }

    def test_a_place_in_the_list_that_is_not_good_any_more_is_given_up(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(5)
        bookmark = f"2026-11-20T00:00:00+00:00 {NOW.isoformat()} not-a-token"
        assert len(whom(listen(make(), bookmark)[0])) == 5

    def test_keys_that_may_not_read_the_list_are_told_what_right_they_need(self, cloud: Cloud, make: Made) -> None:
        cloud.question_answers.append(
            ses.error(403, "AccessDeniedException", "not authorized to perform: ses:ListSuppressedDestinations")
        )
        with pytest.raises(ProviderRefused) as caught:
            listen(make())
        assert "ses:ListSuppressedDestinations" in caught.value.hint

    def test_throttled_in_aws_other_way_it_waits_too(self, cloud: Cloud, make: Made) -> None:
        cloud.question_answers.append(ses.error(400, "ThrottlingException", "Rate exceeded"))
        assert listen(make())[0] == []
        assert len(cloud.calls) == 2


class TestResend(TellingContract):
    told = ("bounced", "complained", "left")

    @pytest.fixture
    def cloud(self) -> Iterator[Cloud]:
        with Cloud({"/": resend.resend}) as cloud:
            yield cloud

    @pytest.fixture
    def make(self, cloud: Cloud) -> Made:
        return lambda *, url=cloud.url, key=resend.KEY: Resend(url=url, api_key=key, stop=never, call_s=1)

    @pytest.fixture
    def make_locked_out(self, make: Made) -> Made:
        return lambda: make(key="re_wrong_key_for_tests")

    @pytest.fixture
    def make_nowhere(self, make: Made) -> Made:
        return lambda: make(url=nowhere())

    def test_only_what_is_new_is_read(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = [gone("bounced", f"reader{n:02}", ago=timedelta(days=n)) for n in range(30)]
        news, _ = listen(make(), (NOW - timedelta(hours=1)).isoformat())
        assert "reader00@example.org" in {each.address for each in news}
        assert len(cloud.calls) == 1

    def test_in_another_order_everything_is_looked_through(self, cloud: Cloud, make: Made) -> None:
        """The order of this very list is not documented; a wrong guess may cost calls, and nobody's departure."""
        cloud.oldest_first = True
        cloud.departed = [gone("bounced", f"reader{n}", ago=timedelta(days=n)) for n in range(9)]
        news, _ = listen(make(), (NOW - timedelta(hours=25)).isoformat())
        assert {each.address for each in news} == {"reader0@example.org", "reader1@example.org"}
        assert len(cloud.calls) == 3

    def test_an_entry_that_was_taken_off_in_the_middle_is_no_end(self, cloud: Cloud, make: Made) -> None:
        cloud.departed = self.crowd(9)
        pages = make().departures("", now=NOW)
        first, bookmark = next(pages)
        cloud.departed = [each for each in cloud.departed if each.to != first[-1].address]
        after, _ = listen(make(), bookmark)
        assert len(whom([*first, *after])) == 9

    def test_a_key_that_may_only_send_is_told_so(self, cloud: Cloud, make: Made) -> None:
        cloud.question_answers.append(resend.error(401, "restricted_api_key", "restricted to only send emails"))
        with pytest.raises(ProviderRefused) as caught:
            listen(make())
        assert "full access" in caught.value.hint
