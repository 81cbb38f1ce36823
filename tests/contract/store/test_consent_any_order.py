"""Anything that people, colleagues, providers and backups can do to a few people's consent, in any order."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Text, delete, event, insert, select

from newsletter.audience.asking import WishKind
from newsletter.audience.consent import DEPARTED, OWN_DOORS, UNDO_WITHIN, Evidence
from newsletter.audience.importing import Entry
from newsletter.audience.subscriber import State
from newsletter.audience.suppression import why_not
from newsletter.delivery.news import Kind, News, Told
from newsletter.store import rules
from newsletter.store.consenting import SqlConsent
from newsletter.store.departures import keep_journal
from newsletter.store.erasing import SqlErasure
from newsletter.store.hearing import SqlHearing
from newsletter.store.tables import (
    bookmarks,
    consent_events,
    mails,
    metadata,
    soft_bounces,
    subscribers,
    suppressions,
    wishes,
)
from newsletter.store.unconfirmed import SqlUnconfirmed
from newsletter.store.wishes import SqlWishes
from tests.contract.store.conftest import NOW, entry

ADDRESSES = [f"somebody{n}@example.org" for n in range(1, 3)]
TABLES = (subscribers, consent_events, suppressions, mails, wishes, soft_bounces, bookmarks)

somebody = st.sampled_from(ADDRESSES)
journals = count(1)


@dataclass
class Expected:
    """What we ourselves reckon of one address."""

    gone: bool = False  # left, bounced, complained or was forgotten, and did not come back by their own hand
    barred: bool = False  # somebody had a reason of their own
    forgotten: bool = False  # and did not ask for anything since
    left_at: datetime = NOW  # the last time that they did, by whatever door


@dataclass
class Backup:
    rows: dict
    forgotten: dict[str, bool]
    forgettings: Counter = field(default_factory=Counter)


class Life(RuleBasedStateMachine):
    """Anything that can happen to a few people's consent."""

    store = None
    folder = None

    def __init__(self) -> None:
        super().__init__()
        self.store.db.before_commit = lambda _: None
        self.put({table: [] for table in TABLES})
        self.journal = self.folder / f"departures-{next(journals)}.jsonl"
        keep_journal(self.store.db, self.journal, now=NOW)
        self.now = NOW
        self.expected = {address: Expected() for address in ADDRESSES}
        self.forgettings: Counter = Counter()
        self.told: dict[int, list] = {}
        self.backups: list[Backup] = []
        self.a_list_is_imported([(address, State.ACTIVE) for address in ADDRESSES], "import")
        self.a_backup_is_made()

    def put(self, rows) -> None:
        """Let the tables hold these rows, as when a backup is put back."""
        with self.store.db.writing() as connection:
            for table in reversed(TABLES):
                connection.execute(delete(table))
            for table in TABLES:
                if rows[table]:
                    connection.execute(insert(table), rows[table])

    def said(self, how: str) -> Evidence:
        return Evidence(at=self.now, how=how, source="said so", text="v1")

    def number(self, address: str) -> int:
        return self.store.people.find(address).id

    def is_known(self, address: str) -> bool:
        return self.store.people.find(address) is not None

    def departed(self, address: str) -> None:
        self.expected[address].gone, self.expected[address].left_at = True, self.now

    # What happens

    @rule(seconds=st.sampled_from([2, 60, 3500, 3700, 100_000]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(
        people=st.lists(
            st.tuples(
                somebody,
                st.sampled_from([State.ACTIVE, State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED]),
            ),
            max_size=5,
        ),
        how=st.sampled_from(["import", "add"]),
    )
    def a_list_is_imported(self, people, how):
        self.now += timedelta(seconds=2)
        before = {address: self.store.people.find(address) for address in ADDRESSES}
        entries = [Entry(address=address.title(), name="Somebody", state=state) for address, state in people]
        self.store.people.enter(entries, evidence=self.said(how), now=self.now)
        for address, state in people:
            expected = self.expected[address]
            if state in (State.UNSUBSCRIBED, State.BOUNCED):
                expected.gone = True
                if before[address] is None or before[address].state not in DEPARTED:
                    self.departed(address)
            if expected.forgotten:
                assert before[address] is None
                assert not self.is_known(address)

    @rule(address=somebody)
    def somebody_asks_to_join(self, address):
        self.now += timedelta(seconds=2)
        asking = SqlWishes(self.store.db)
        asking.add(WishKind.JOIN, address, {"text": "v1"}, now=self.now)
        asking.answer(now=self.now)
        self.expected[address].forgotten &= not self.is_known(address)

    @rule(address=somebody)
    def they_confirm(self, address):
        self.now += timedelta(seconds=2)
        if self.is_known(address) and SqlConsent(self.store.db).confirm(
            self.number(address), evidence=self.said("page")
        ):
            self.expected[address].gone = False

    @rule(address=somebody, door=st.sampled_from([*sorted(OWN_DOORS), "leave"]))
    def they_leave(self, address, door):
        self.now += timedelta(seconds=2)
        if self.is_known(address) and SqlConsent(self.store.db).leave(self.number(address), evidence=self.said(door)):
            self.departed(address)

    @rule(address=somebody)
    def they_take_it_back(self, address):
        self.now += timedelta(seconds=2)
        if not self.is_known(address):
            return
        number = self.number(address)
        last = self.store.people.consent_of(number)[-1]
        if SqlConsent(self.store.db).undo(number, evidence=self.said("undo")):
            assert last.how in OWN_DOORS
            assert self.now - last.at <= UNDO_WITHIN
            assert last.at == self.expected[address].left_at  # and they did not leave once more since
            self.expected[address].gone = False

    @rule(address=somebody, kind=st.sampled_from([Kind.LEFT, Kind.HARD, Kind.COMPLAINED]))
    def something_is_heard(self, address, kind):
        self.now += timedelta(seconds=2)
        hearing = SqlHearing(self.store.db)
        number = hearing.of_addresses([address.upper()]).get(address.upper())
        news = News(kind=kind, at=self.now, how="sync", reason="said so")
        if number and hearing.take([Told(subscriber_id=number, news=news)])[0]:
            self.departed(address)

    @rule(address=somebody)
    def somebody_suppresses(self, address):
        self.now += timedelta(seconds=2)
        self.store.people.suppress(address, reason="a lawyer wrote", now=self.now)
        self.expected[address].barred = True

    @rule(address=somebody)
    def somebody_is_forgotten(self, address):
        self.now += timedelta(seconds=2)
        SqlErasure(self.store.db).forget(address, evidence=self.said("forget"))
        self.departed(address)
        self.expected[address].forgotten, self.expected[address].barred = True, False
        self.forgettings[address] += 1

    @rule(days=st.sampled_from([1, 15]))
    def who_is_silent_is_forgotten(self, days):
        self.now += timedelta(days=days)
        SqlUnconfirmed(self.store.db).forget(now=self.now)

    @rule()
    def a_backup_is_made(self):
        with self.store.db.reading() as connection:
            rows = {table: [dict(row) for row in connection.execute(select(table)).mappings()] for table in TABLES}
        forgotten = {address: each.forgotten for address, each in self.expected.items()}
        self.backups.append(Backup(rows, forgotten, deepcopy(self.forgettings)))

    @precondition(lambda self: self.backups)
    @rule(data=st.data())
    def a_backup_is_put_back(self, data):
        self.now += timedelta(seconds=2)
        backup = data.draw(st.sampled_from(self.backups))
        self.store.db.before_commit = lambda _: None
        self.put(backup.rows)
        keep_journal(self.store.db, self.journal, now=self.now)
        self.told.clear()
        for address, expected in self.expected.items():
            since = self.forgettings[address] > backup.forgettings[address]
            expected.forgotten = backup.forgotten[address] or since

    @rule()
    def the_journal_is_lost(self):
        self.journal.unlink()
        keep_journal(self.store.db, self.journal, now=self.now)
        self.backups.clear()  # nobody can know any more who left since

    # What always holds

    @invariant()
    def who_may_be_mailed_may_be(self):
        people = list(self.store.people.everyone())
        with self.store.db.reading() as connection:
            query = select(subscribers.c.address).where(rules.mailable(now=self.now))
            mailable = set(connection.execute(query).scalars())
        assert mailable == {each.address for each in people if why_not(each, now=self.now) is None}
        for address, expected in self.expected.items():
            if expected.gone or expected.barred:
                assert address not in {each.lower() for each in mailable}, expected

    @invariant()
    def evidence_is_only_added_to_and_says_where_one_stands(self):
        for each in self.store.people.everyone():
            now = self.store.people.consent_of(each.id)
            assert now[-1].state is each.state
            before = self.told.get(each.id, [])
            if each.state is not State.ERASED:
                assert now[: len(before)] == before
            else:
                assert len(now) == 1
            self.told[each.id] = now

    @invariant()
    def whoever_is_forgotten_is_nowhere(self):
        with self.store.db.reading() as connection:
            found = "\n".join(
                str(value)
                for table in metadata.sorted_tables
                for column in table.columns
                if isinstance(column.type, Text)
                for value in connection.execute(select(column)).scalars()
            ).lower()
        for address, expected in self.expected.items():
            if expected.forgotten:
                assert address not in found
        assert "@" not in self.journal.read_text()


def test_whatever_happens_nobody_who_left_is_mailed_unless_they_came_back_themselves(store, tmp_path):
    store.enter(entry("a-row-that-is-deleted-before-anything-happens"))
    hurry = "PRAGMA synchronous = OFF" if store.db.is_sqlite else "SET synchronous_commit = off"

    def hurried(raw, _):  # nobody pulls a plug here
        raw.cursor().execute(hurry)
        raw.commit()

    event.listen(store.db.engine, "connect", hurried)
    store.db.engine.dispose()
    Life.store, Life.folder = store, tmp_path
    run_state_machine_as_test(
        Life, settings=settings(max_examples=5, stateful_step_count=25, deadline=None, phases=(Phase.generate,))
    )
