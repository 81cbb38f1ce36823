"""What visitors ask: whom it makes of them, what we believe, and which mails it leads to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from newsletter.audience.asking import MailKind, MailState, WishKind
from newsletter.audience.subscriber import State, ZoneSource
from newsletter.errors import StoreError
from newsletter.store.consenting import SqlConsent
from newsletter.store.mails import SqlMails
from newsletter.store.tables import mails, wishes
from newsletter.store.unconfirmed import SqlUnconfirmed
from newsletter.store.wishes import SqlWishes
from tests.contract.store.conftest import NOW, entry, evidence

DAY = timedelta(days=1)
TOLD = {
    "first_name": "Ana",
    "name": "Ana Example",
    "zone": "Asia/Tokyo",
    "language": "de",
    "tags": ["work"],
    "text": "v1",
}


def ask(store, address="ana@example.org", kind=WishKind.JOIN, *, now=NOW, **told) -> None:
    SqlWishes(store.db).add(kind, address, told, now=now)


def answer(store, *, now=NOW) -> int:
    return SqlWishes(store.db).answer(now=now)


def asked(store, *words, now=NOW, **told) -> None:
    ask(store, *words, now=now, **told)
    assert answer(store, now=now) == 1


def queued(store) -> list[tuple[int, str, str]]:
    with store.db.reading() as connection:
        rows = connection.execute(select(mails.c.subscriber_id, mails.c.kind, mails.c.state).order_by(mails.c.no))
        return [tuple(row) for row in rows]


def claim(store, *, now=NOW, an_hour=100, welcome=True):
    return SqlMails(store.db).claim(confirmations_an_hour=an_hour, welcome=welcome, now=now)


def by_page(*, at=NOW):
    return evidence(at=at, how="page", source="the pages")


def test_somebody_new_is_pending_with_what_they_said_and_gets_a_mail(store):
    asked(store, **TOLD)
    person = store.people.find("ana@example.org")
    assert person.state is State.PENDING
    assert (person.first_name, person.name, person.language, person.tags) == ("Ana", "Ana Example", "de", {"work"})
    assert (person.zone, person.zone_source) == ("Asia/Tokyo", ZoneSource.BROWSER)
    assert len(person.leave_token) == 22
    (why,) = store.people.consent_of(person.id)
    assert (why.state, why.how, why.text, why.at) == (State.PENDING, "page", "v1", NOW)
    assert queued(store) == [(person.id, "confirm", "queued")]


def test_a_wish_that_was_answered_is_gone(store):
    asked(store)
    with store.db.reading() as connection:
        assert connection.execute(select(wishes)).all() == []
    assert answer(store) == 0
    assert SqlWishes(store.db).waiting() == 0


def test_a_wish_that_came_to_nothing_leaves_nothing_in_the_bytes_of_the_file(store):
    if not store.db.is_sqlite:  # a server overwrites what is free when it needs the room
        return
    # As SQLite is built for most systems; some build it to wipe anyway, which is not what is tried here.
    event.listen(store.db.engine, "connect", lambda raw, _: raw.execute("PRAGMA secure_delete = OFF").close())
    store.db.close()
    asked(store, "stranger@example.org", WishKind.LINK)
    store.db.close()  # folds the log of changes into the file
    assert b"stranger" not in store.db.path.read_bytes()


def test_nothing_typed_about_somebody_we_know_is_believed(store):
    store.enter(entry("ana", name="Ana", first_name="Ana", zone="Europe/Berlin"))
    before = store.people.find("ana@example.org")
    asked(store, "ANA@example.org", **(TOLD | {"first_name": "Mallory", "name": "Mallory"}))
    assert store.people.find("ana@example.org") == before
    assert queued(store) == [(before.id, "link", "queued")]


def test_many_wishes_for_one_address_are_one_mail(store):
    for spelling in ("ana@example.org", "Ana@Example.org", "ana@example.org"):
        ask(store, spelling)
    assert answer(store) == 3
    assert len(queued(store)) == 1


@pytest.mark.parametrize(
    ("spellings", "mailed"),
    [
        (("ana+1@example.org", "Ana+2@example.org", "ana@example.org"), 1),
        (("a.na@gmail.com", "an.a+x@gmail.com"), 1),
        (("a%n_a@example.org", "a%n_a+x@example.org", "_a%@example.org", "_a%+y@example.org"), 2),
        (("a.na@example.org", "ana@example.org", "ana@example.net", "+ana@example.org", "+bea@example.org"), 5),
    ],
)
def test_one_mailbox_gets_one_mail_however_its_address_is_varied(store, spellings, mailed):
    for spelling in spellings:
        asked(store, spelling)
    assert len(queued(store)) == mailed
    assert store.people.find(spellings[-1]) is None or mailed > 1


def test_another_spelling_may_be_asked_another_day(store):
    asked(store, "ana+1@example.org")
    SqlMails(store.db).record(claim(store), MailState.SENT, reason="", at=NOW)
    asked(store, "ana@example.org", now=NOW + DAY)
    assert len(queued(store)) == 2


def test_a_mail_that_waits_for_days_is_not_queued_again(store):
    asked(store)
    asked(store, now=NOW + 3 * DAY)
    assert len(queued(store)) == 1


def test_what_no_database_can_keep_stops_nobody(store):
    asked(store, first_name="Ana\0\ud800Example", tags=["work", "No|Tag"], zone="", language="")
    person = store.people.find("ana@example.org")
    assert (person.first_name, person.tags, person.zone) == ("Ana Example", {"work"}, None)


def test_who_left_is_asked_whether_they_want_to_come_back(store):
    store.enter(entry("ana"))
    SqlConsent(store.db).leave(1, evidence=by_page())
    asked(store, **(TOLD | {"first_name": "Mallory"}))
    person = store.people.find("ana@example.org")
    assert (person.state, person.first_name) == (State.PENDING, "")
    assert queued(store) == [(1, "confirm", "queued")]


def test_a_suppressed_address_hears_nothing_and_is_on_no_list(store):
    store.people.suppress("ana@example.org", reason="asked by phone", now=NOW)
    asked(store)
    assert store.people.find("ana@example.org") is None
    assert queued(store) == []


def test_an_address_that_is_none_leads_to_nothing_and_stops_no_other(store):
    ask(store, "no address")
    ask(store, "ana@example.org")
    assert answer(store) == 2
    assert len(queued(store)) == 1


def test_a_claimed_mail_is_nobody_elses(store):
    asked(store)
    mail = claim(store)
    assert (mail.kind, mail.person.address, mail.claimed_at) == (MailKind.CONFIRM, "ana@example.org", NOW)
    assert claim(store) is None
    SqlMails(store.db).record(mail, MailState.SENT, reason="", at=NOW)
    assert claim(store) is None
    assert SqlMails(store.db).counts() == {MailState.SENT: 1}


def test_what_its_sender_never_told_of_is_in_doubt_and_stays_so(store):
    asked(store)
    claim(store)
    later = NOW + timedelta(minutes=15)
    assert not SqlMails(store.db).waiting(now=later - timedelta(seconds=1))
    assert SqlMails(store.db).waiting(now=later)
    assert claim(store, now=later) is None
    assert SqlMails(store.db).counts() == {MailState.DOUBT: 1}
    assert not SqlMails(store.db).waiting(now=later)


def test_what_was_put_off_may_leave_when_its_time_has_come(store):
    asked(store)
    soon = NOW + timedelta(minutes=5)
    SqlMails(store.db).record(claim(store), MailState.QUEUED, reason="busy", at=soon)
    assert claim(store, now=soon - timedelta(seconds=1)) is None
    assert claim(store, now=soon) is not None


def test_in_an_hour_only_so_many_strangers_are_mailed_and_the_others_wait(store):
    for number in range(4):
        asked(store, f"ana{number}@example.org")
    assert [claim(store, an_hour=3) is not None for _ in range(4)] == [True, True, True, False]
    store.enter(entry("reader"))
    asked(store, "reader@example.org")
    assert claim(store, an_hour=3).kind is MailKind.LINK  # nobody else waits for strangers
    assert claim(store, an_hour=3, now=NOW + timedelta(hours=1)).kind is MailKind.CONFIRM


def test_who_asks_last_is_mailed_first_so_that_nobody_waits_behind_a_flood(store):
    for number in range(3):
        asked(store, f"flood{number}@example.org")
    asked(store, "ana@example.org")
    assert claim(store, an_hour=1).person.address == "ana@example.org"


def test_of_strangers_only_so_many_wait_and_the_others_leave_no_trace(store, monkeypatch):
    monkeypatch.setattr("newsletter.store.wishes.MOST_WAITING", 2)
    for number in range(4):
        asked(store, f"ana{number}@example.org")
    assert [number for number, *_ in queued(store)] == [1, 2]
    assert store.people.find("ana3@example.org") is None
    store.enter(entry("reader"))
    asked(store, "reader@example.org", WishKind.LINK)
    assert claim(store, an_hour=0).kind is MailKind.LINK  # whom we know waits for nobody
    SqlMails(store.db).record(claim(store), MailState.SENT, reason="", at=NOW)
    asked(store, "ana3@example.org")
    assert store.people.find("ana3@example.org").state is State.PENDING


def test_where_nobody_looks_at_wishes_they_do_not_pile_up_for_ever(store, monkeypatch):
    monkeypatch.setattr("newsletter.store.wishes.MOST_WISHES", 2)
    for _ in range(2):
        ask(store)
    with pytest.raises(StoreError, match="wait"):
        ask(store)
    answer(store)
    ask(store)
    assert SqlWishes(store.db).waiting() == 1


def test_who_left_before_their_mail_did_does_not_get_it(store):
    asked(store, "bea@example.org")
    asked(store)
    SqlConsent(store.db).leave(2, evidence=by_page())
    assert claim(store).person.address == "bea@example.org"
    assert queued(store)[1] == (2, "confirm", "refused")


def test_who_was_barred_before_their_mail_left_does_not_get_it(store):
    asked(store)
    store.people.suppress("ana@example.org", reason="asked by phone", now=NOW)
    assert claim(store) is None


def test_who_confirms_is_welcomed_if_that_is_wanted(store):
    asked(store)
    SqlMails(store.db).record(claim(store), MailState.SENT, reason="", at=NOW)
    consent = SqlConsent(store.db)
    assert consent.confirm(1, evidence=by_page())
    assert not consent.confirm(1, evidence=by_page())
    assert queued(store)[1:] == [(1, "welcome", "queued")]
    mail = claim(store)
    assert (mail.kind, mail.person.state) == (MailKind.WELCOME, State.ACTIVE)


def test_nobody_is_welcomed_where_that_is_not_wanted(store):
    asked(store)
    SqlConsent(store.db).confirm(1, evidence=by_page())
    assert claim(store, welcome=False) is None
    assert not SqlMails(store.db).waiting(now=NOW)


def silent(store) -> None:
    """Somebody asked to join, got a mail, and did nothing."""
    asked(store, **TOLD)
    SqlMails(store.db).record(claim(store), MailState.SENT, reason="", at=NOW)


def forget(store, *, now) -> int:
    return SqlUnconfirmed(store.db).forget(now=now)


def test_who_does_not_confirm_is_forgotten_after_two_weeks(store):
    silent(store)
    assert forget(store, now=NOW + 14 * DAY - timedelta(seconds=1)) == 0
    assert not SqlUnconfirmed(store.db).waiting(now=NOW + 14 * DAY - timedelta(seconds=1))
    assert forget(store, now=NOW + 14 * DAY) == 1
    assert store.people.find("ana@example.org") is None
    assert SqlConsent(store.db).by_id(1).state is State.ERASED
    assert queued(store) == []
    assert not SqlUnconfirmed(store.db).waiting(now=NOW + 14 * DAY)


def test_who_was_forgotten_so_can_be_imported_and_can_ask_again(store):
    silent(store)
    forget(store, now=NOW + 14 * DAY)
    asked(store, now=NOW + 15 * DAY)
    assert store.people.find("ana@example.org").id == 2
    assert queued(store) == [(2, "confirm", "queued")]


def test_who_left_asked_anew_and_did_not_confirm_has_left(store):
    store.enter(entry("ana"))
    SqlConsent(store.db).leave(1, state=State.COMPLAINED, evidence=by_page())
    silent(store)
    assert forget(store, now=NOW + 14 * DAY) == 1
    person = store.people.find("ana@example.org")
    assert (person.id, person.state) == (1, State.COMPLAINED)


def test_whom_others_brought_stays(store):
    store.enter(entry("ana", state=State.PENDING))
    silent(store)
    assert forget(store, now=NOW + 14 * DAY) == 0
    assert store.people.find("ana@example.org").state is State.PENDING
    assert queued(store) == []


def test_who_asked_again_lately_is_not_forgotten(store):
    silent(store)
    asked(store, now=NOW + 13 * DAY)
    assert forget(store, now=NOW + 14 * DAY) == 0  # it is still to leave
    mail = claim(store, now=NOW + 14 * DAY)
    SqlMails(store.db).record(mail, MailState.SENT, reason="", at=NOW + 14 * DAY)
    assert forget(store, now=NOW + 28 * DAY - timedelta(seconds=1)) == 0
    assert forget(store, now=NOW + 28 * DAY) == 1


def test_of_whoever_confirmed_old_mails_are_forgotten_and_nothing_else(store):
    silent(store)
    SqlConsent(store.db).confirm(1, evidence=by_page())
    SqlMails(store.db).record(claim(store), MailState.SENT, reason="", at=NOW)
    assert forget(store, now=NOW + 14 * DAY) == 0
    assert store.people.find("ana@example.org").state is State.ACTIVE
    assert queued(store) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_newest_letter_is_one_that_began_to_leave(store, when):
    store.crowd(2)
    no = store.plan().no
    newest = SqlMails(store.db)
    if when == "before":
        assert newest.newest_letter(since=NOW - DAY) is None
        return
    store.accept(store.claim(no))
    assert newest.newest_letter(since=NOW - DAY) == "2026-11-23-tea"
    assert newest.newest_letter(since=NOW + DAY) is None
    store.controls.cancel(no, by="ana", why="a mistake", now=NOW)
    assert newest.newest_letter(since=NOW - DAY) is None


def test_many_at_once_share_wishes_and_mails_and_nobody_gets_two(store):
    for number in range(30):
        ask(store, f"ana{number}@example.org")

    def work(_worker):
        found = []
        while answer(store):
            pass
        while mail := claim(store):
            found.append(mail.person.id)
        return found

    with ThreadPoolExecutor(4) as pool:
        claimed = sorted(each for found in pool.map(work, range(4)) for each in found)
    assert claimed == list(range(1, 31))
