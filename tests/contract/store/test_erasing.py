"""Somebody is forgotten: nothing that names them is left in any table, nor in the bytes of the files."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from sqlalchemy import Text, event, insert, select, text, update

from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.subscriber import State
from newsletter.delivery.news import Kind, News, Told
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import IllegalMove, NewsletterError
from newsletter.store.consenting import SqlConsent
from newsletter.store.erasing import Forgotten, SqlErasure
from newsletter.store.hearing import SqlHearing
from newsletter.store.tables import deliveries, mails, metadata, soft_bounces, subscribers, suppressions, wishes
from tests.contract.store.conftest import NOW, evidence

LATER = NOW + timedelta(days=1)
ADDRESS = "Ottoline.Xanthippe@example.org"
WORDS = ("ottoline.xanthippe", "Ottoline", "Quux-Featherstone", "Reykjanesbær", "bell ringing", "garden fence list")


def forget(store, address=ADDRESS, at=LATER):
    return SqlErasure(store.db).forget(address, evidence=evidence(at=at, how="forget", source=""))


@pytest.fixture
def careless(store):
    """As SQLite is on most systems: what is deleted stays in the file until the room is needed."""
    if store.db.is_sqlite:
        event.listen(store.db.engine, "connect", lambda raw, _: raw.execute("PRAGMA secure_delete = OFF").close())
        store.db.engine.dispose()


@pytest.fixture
def known(store, careless):
    """Somebody of whom there is something everywhere; the words that would name them."""
    store.crowd(20)
    person = Entry(
        address=ADDRESS,
        name="Ottoline Quux-Featherstone",
        first_name="Ottoline",
        zone="Atlantic/Reykjavik",
        language="is",
        tags=frozenset({"bellringers"}),
        attributes={"town": "Reykjanesbær", "hobby": "bell ringing " * 300},  # over several pages
    )
    store.people.enter([person], evidence=evidence(source="the garden fence list"), now=NOW)
    store.crowd(20, start=21)
    found = store.people.find(ADDRESS)
    no = store.plan().no
    claim = store.claim(no)
    reason = f"550 5.1.1 <{ADDRESS}> Ottoline who?"
    theirs = {"provider_id": f"p-{ADDRESS}", "reason": reason}
    receipts = [
        Receipt(seq=each.seq, status=Status.UNKNOWN, **(theirs if each.person.id == found.id else {}))
        for each in claim.deliveries
    ]
    store.ledger.record(
        claim, receipts, digests={each.seq: b"\x07" * 16 for each in claim.deliveries}, now=NOW, close=True
    )
    seq = next(each.seq for each in claim.deliveries if each.person.id == found.id)
    store.ledger.settle_event(no, seq, Status.ACCEPTED, provider_id="", reason=reason, now=NOW)
    with store.db.writing() as connection:
        mail = {"subscriber_id": found.id, "kind": "confirm", "state": "refused", "reason": reason}
        connection.execute(insert(mails), mail | {"queued_at": NOW, "at": NOW})
        connection.execute(
            insert(soft_bounces), {"subscriber_id": found.id, "issue_no": no, "at": NOW, "reason": reason}
        )
        for address in (ADDRESS, ADDRESS.lower(), "other@example.org"):
            connection.execute(insert(wishes), {"kind": "join", "address": address, "details": "{}", "at": NOW})
    return found


def texts(store) -> str:
    """All that stands in any column of words."""
    with store.db.reading() as connection:
        return "\n".join(
            str(value)
            for table in metadata.sorted_tables
            for column in table.columns
            if isinstance(column.type, Text)
            for value in connection.execute(select(column)).scalars()
        )


def names_in(found: str | bytes, person) -> list[str]:
    """Which of all that would name a person stands there, in whatever spelling."""
    content = found.encode() if isinstance(found, str) else found
    content = content.lower()
    words = [*WORDS, ADDRESS, person.leave_token]
    encoded = [base64.b64encode(word.encode()).decode().rstrip("=") for word in (ADDRESS, ADDRESS.lower())]
    return [word for word in (*words, *encoded) if word.lower().encode() in content]


def test_every_table_forgets(store, known):
    assert len(names_in(texts(store), known)) >= len(WORDS)
    before = store.tally(1)
    assert forget(store) == Forgotten(on_list=True, letters=1, last_at=NOW)
    assert names_in(texts(store), known) == []
    assert store.people.find(ADDRESS) is None
    with store.db.reading() as connection:
        assert connection.execute(select(mails)).all() == connection.execute(select(soft_bounces)).all() == []
        assert connection.execute(select(wishes.c.address)).scalars().all() == ["other@example.org"]
        blank = connection.execute(select(subscribers).where(subscribers.c.id == known.id)).mappings().one()
        barred = connection.execute(select(suppressions.c.reason)).scalars().all()
    assert {name: value for name, value in blank.items() if value} == {
        "id": known.id,
        "address_key": f"erased {known.id}",
        "state": "erased",
        "zone_source": "default",
        "attributes": "{}",
        "leave_token": blank["leave_token"],
        "joined_at": NOW,
        "frequency": "weekly",
    }
    assert blank["leave_token"] != known.leave_token
    assert len(blank["leave_token"]) == 22
    assert barred == ["erased"]
    assert [(each.at, each.how, each.source, each.state) for each in store.people.consent_of(known.id)] == [
        (LATER, "forget", "", State.ERASED)
    ]
    after = store.tally(1)
    assert after.adds_up
    assert (after.by_status, after.candidates) == (before.by_status, before.candidates)
    story = store.chronicle.stories(known.id, now=LATER, not_before=NOW)[0]
    assert (story.status, story.provider_id, story.reason, story.values_digest) == (Status.ACCEPTED, "", "", b"")


def test_nothing_is_left_in_the_bytes_of_the_files(known, store, tmp_path, caplog, capsys):
    if not store.db.is_sqlite:
        assert forget(store).on_list
        assert SqlErasure(store.db).scrub()
        return
    for number in (400, 1, 900, 3, 200, 2):  # rows grow and shrink, and leave what they were behind
        with store.db.writing() as connection:
            said = f'{{"town": "Reykjanesbær", "hobby": "{"bell ringing " * number}"}}'
            connection.execute(update(subscribers).where(subscribers.c.id == known.id).values(attributes=said))
    files = [path for path in tmp_path.iterdir() if path.name.startswith("newsletter.db")]
    assert len(files) == 3
    assert names_in(b"".join(path.read_bytes() for path in files), known)
    assert forget(store).on_list
    assert SqlErasure(store.db).scrub()
    for path in tmp_path.iterdir():
        assert names_in(path.read_bytes(), known) == [], path.name
    store.db.close()
    for path in tmp_path.iterdir():
        assert names_in(path.read_bytes(), known) == [], path.name
    assert names_in(caplog.text + "".join(capsys.readouterr()), known) == []
    assert store.people.find("reader40@example.org").state is State.ACTIVE


def test_what_is_heard_of_their_letter_afterwards_names_nobody_and_is_counted(known, store):
    forget(store)
    number, seq = 1, _seq_of(store, known.id)
    said = {"provider_id": f"p-{ADDRESS}", "reason": f"550 Ottoline <{ADDRESS}>"}
    assert store.ledger.settle_event(number, seq, Status.BOUNCED, **said, now=LATER)
    soft = News(kind=Kind.SOFT, at=LATER, how="inbox", reason="full: Quux-Featherstone")
    assert SqlHearing(store.db).take([Told(subscriber_id=known.id, news=soft, issue_no=number)]) == [None]
    assert names_in(texts(store), known) == []
    assert store.chronicle.stories(known.id, now=LATER, not_before=NOW)[0].status is Status.BOUNCED


def test_a_letter_in_doubt_that_is_settled_afterwards_names_nobody(known, store):
    no = store.plan("2026-11-30-tea", due_elsewhere=LATER, now=LATER).no
    seq = _seq_of(store, known.id, issue_no=no)
    store.leave_in_doubt(no, seq, now=LATER)
    forget(store)
    claim = store.doubtful(no, now=LATER)
    told = Receipt(seq=seq, status=Status.ACCEPTED, provider_id=f"p-{ADDRESS}", reason="250 Ottoline")
    store.ledger.revise(claim, [told], now=LATER)
    assert names_in(texts(store), known) == []


def _seq_of(store, subscriber_id: int, *, issue_no: int = 1) -> int:
    query = select(deliveries.c.seq).where(
        deliveries.c.issue_no == issue_no, deliveries.c.subscriber_id == subscriber_id
    )
    with store.db.reading() as connection:
        return connection.execute(query).scalar_one()


def test_somebody_who_reads_meanwhile_keeps_it_from_being_gone_and_one_is_told(known, store):
    with store.db.reading() as connection:
        connection.execute(select(subscribers.c.id)).first()
        forget(store)
        assert SqlErasure(store.db).scrub(patience_s=0.1) == (not store.db.is_sqlite)
    assert SqlErasure(store.db).scrub()


def test_they_are_not_brought_back_and_their_links_lead_nowhere(known, store):
    forget(store)
    assert store.people.enter([Entry(address=ADDRESS)], evidence=evidence(at=LATER), now=LATER) == ImportCounts(
        kept_away=1
    )
    consent = SqlConsent(store.db)
    assert consent.by_token(known.leave_token) is None
    assert SqlHearing(store.db).of_token(known.leave_token) is None
    assert not consent.leave(known.id, evidence=evidence(at=LATER))
    assert not consent.confirm(known.id, evidence=evidence(at=LATER))
    assert not consent.undo(known.id, evidence=evidence(at=LATER))
    assert not consent.change(known.id, {"name": "Ottoline"})
    with pytest.raises(IllegalMove):
        store.people.move(known.id, State.PENDING, evidence=evidence())


def test_nobody_is_erased_by_a_mere_move(known, store):
    with pytest.raises(IllegalMove):
        store.people.move(known.id, State.ERASED, evidence=evidence())
    assert store.people.find(ADDRESS) == known


def test_an_address_that_nobody_has_is_barred(store):
    store.crowd(1)
    assert forget(store) == Forgotten(on_list=False)
    assert forget(store, "ottoline.xanthippe@EXAMPLE.org") == Forgotten(on_list=False)
    assert store.people.enter([Entry(address=ADDRESS)], evidence=evidence(), now=LATER).kept_away == 1
    with pytest.raises(NewsletterError, match="no @"):
        forget(store, "ottoline")


def test_what_was_said_of_a_suppressed_address_goes_too(store):
    store.people.suppress(ADDRESS, reason="Ottoline called about the garden fence list", now=NOW)
    forget(store)
    with store.db.reading() as connection:
        assert connection.execute(select(suppressions.c.reason, suppressions.c.at)).all() == [("erased", LATER)]


def test_while_a_letter_to_them_is_being_handed_over_one_waits(store):
    store.crowd(3)
    no = store.plan().no
    claim = store.claim(no)
    with pytest.raises(NewsletterError, match="being handed over") as refusal:
        forget(store, "reader2@example.org")
    assert "newsletter send" in refusal.value.hint
    assert store.people.find("reader2@example.org").state is State.ACTIVE
    store.accept(claim)
    store.close(claim)
    assert forget(store, "reader2@example.org").letters == 1


def test_a_letter_that_was_to_come_is_not_sent(store):
    store.crowd(3)
    no = store.plan(due_elsewhere=NOW + timedelta(hours=1)).no
    assert forget(store, "reader2@example.org", at=NOW) == Forgotten(on_list=True)
    claim = store.claim(no, now=NOW + timedelta(hours=2))
    assert [each.person.address for each in claim.deliveries] == ["reader1@example.org", "reader3@example.org"]


def test_two_can_be_forgotten_and_one_can_come_back_as_somebody_new(store):
    store.crowd(2)
    forget(store, "reader1@example.org")
    forget(store, "reader2@example.org")
    with store.db.writing() as connection:  # as the pages let somebody in who asks anew
        barred = connection.execute(select(suppressions)).all()
        connection.execute(text("DELETE FROM suppressions"))
    store.people.enter(
        [Entry(address="reader1@example.org", state=State.PENDING)], evidence=evidence(how="page"), now=LATER
    )
    with store.db.writing() as connection:
        connection.execute(insert(suppressions), [row._asdict() for row in barred])
    person = store.people.find("reader1@example.org")
    assert (person.id, person.suppressed) == (3, True)
    assert SqlConsent(store.db).confirm(3, evidence=evidence(at=LATER, how="page"))
    assert not store.people.find("reader1@example.org").suppressed
    with store.db.reading() as connection:
        assert len(connection.execute(select(suppressions)).all()) == 1
