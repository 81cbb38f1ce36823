"""What was heard of people: of whom it is, and what it does to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_, select, text

from newsletter.audience.addresses import BadAddress, address_key
from newsletter.audience.consent import MOVES, Evidence
from newsletter.audience.subscriber import State
from newsletter.delivery.news import LEADS_TO, SOFT_AMONG, SOFT_LIMIT, Kind, News, Told
from newsletter.delivery.outcome import Status
from newsletter.delivery.report import Refusal
from newsletter.pieces import one_line
from newsletter.store.db import Database, among
from newsletter.store.departures import returned
from newsletter.store.entering import change_state
from newsletter.store.kinds import epoch
from newsletter.store.tables import deliveries, issues, outcomes, soft_bounces, subscribers

# Of these the recipient's server heard; what was refused to us, or is in doubt, may never have come to it. Where it
# was their server that refused, that is among the soft bounces.
_ARRIVED = [status.value for status in (Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED)]

_LOOKED_UP = 1000  # addresses, in one query
_NEVER = datetime.min.replace(tzinfo=UTC)
_MAY_BOUNCE = [state.value for state, leads_to in MOVES.items() if LEADS_TO[Kind.HARD] in leads_to]


class SqlHearing:
    """Those of whom something is heard, in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of_delivery(self, issue_no: int, seq: int) -> int | None:
        """To whom a delivery went."""
        query = select(deliveries.c.subscriber_id).where(deliveries.c.issue_no == issue_no, deliveries.c.seq == seq)
        with self._db.reading() as connection:
            return connection.execute(query).scalar()

    def of_token(self, token: str) -> int | None:
        """Whose link for leaving it is."""
        return self._number(subscribers.c.leave_token == token)

    def of_addresses(self, addresses: Collection[str]) -> Mapping[str, int]:
        """Who has each of these addresses, however it is written; of those that somebody has."""
        keys: dict[str, str] = {}
        for address in addresses:
            with suppress(BadAddress):
                keys[address] = address_key(address)
        table, found = subscribers.c, dict[str, int]()
        wanted = sorted(set(keys.values()))
        with self._db.reading() as connection:
            for start in range(0, len(wanted), _LOOKED_UP):
                here = among(connection, table.address_key, wanted[start : start + _LOOKED_UP])
                found.update(
                    (key, number) for key, number in connection.execute(select(table.address_key, table.id).where(here))
                )
        return {address: found[key] for address, key in keys.items() if key in found}

    def refusals(self, issue_no: int) -> list[Refusal]:
        """The refused deliveries of an issue to people who are mailed still, but for those that were taken already."""
        with self._db.reading() as connection:
            found = connection.execute(_REFUSALS.where(outcomes.c.issue_no == issue_no))
            return [Refusal(**row._mapping) for row in found]

    def arrived(self, issue_no: int) -> int:
        """How many deliveries of an issue came as far as the recipient's server, for all that we know."""
        query = select(func.count()).where(outcomes.c.issue_no == issue_no, outcomes.c.status.in_(_ARRIVED))
        with self._db.reading() as connection:
            return connection.execute(query).scalar_one()

    def take(self, told: Sequence[Told]) -> list[Kind | None]:
        """What each piece of news came to be for its person; None if it is nothing new, or they asked anew since.

        SOFT may come to be HARD: see `SOFT_LIMIT`. All of it in one transaction.
        """
        with self._db.writing() as connection:
            people = _people(connection, {each.subscriber_id for each in told})
            return [_take(connection, each, people[each.subscriber_id]) for each in told]

    def _number(self, condition: ColumnElement[bool]) -> int | None:
        with self._db.reading() as connection:
            return connection.execute(select(subscribers.c.id).where(condition)).scalar()


@dataclass(slots=True)
class _Person:
    """Where somebody's consent stands, and since when at the earliest: they asked for it then."""

    state: State
    since: datetime = _NEVER


def _people(connection: Connection, numbers: Collection[int]) -> dict[int, _Person]:
    """Those with these numbers; nobody else moves them until we are done."""
    query = (
        select(subscribers.c.id, subscribers.c.state)
        .where(among(connection, subscribers.c.id, list(numbers)))
        .order_by(subscribers.c.id)
        .with_for_update()
    )
    people = {number: _Person(State(state)) for number, state in connection.execute(query)}
    for number, at in returned(connection, numbers).items():
        people[number].since = at
    return people


def _take(connection: Connection, told: Told, person: _Person) -> Kind | None:
    """What one piece of news came to be."""
    news, who = told.news, told.subscriber_id
    if person.since > news.at or person.state is State.ERASED:
        return None
    kind, reason = news.kind, news.reason
    if kind is Kind.SOFT:
        if told.issue_no is None or not _keep(connection, who, told.issue_no, news):
            return None
        if LEADS_TO[Kind.HARD] not in MOVES[person.state] or not _too_many(connection, who, person.since):
            return Kind.SOFT
        kind, reason = Kind.HARD, f"{SOFT_LIMIT} of the last {SOFT_AMONG} letters came back: {reason}"
    if LEADS_TO[kind] not in MOVES[person.state]:
        return None
    change_state(connection, who, LEADS_TO[kind], Evidence(at=news.at, how=news.how, source=one_line(reason)))
    person.state = LEADS_TO[kind]
    return kind


def _keep(connection: Connection, subscriber_id: int, issue_no: int, news: News) -> bool:
    """Whether it is new that this letter came back."""
    values = {"id": subscriber_id, "issue": issue_no, "at": epoch(news.at), "reason": one_line(news.reason)}
    return connection.execute(_KEEP, values).rowcount == 1


_KEEP = text(
    "INSERT INTO soft_bounces (subscriber_id, issue_no, at, reason) VALUES (:id, :issue, :at, :reason) "
    "ON CONFLICT DO NOTHING"
)


def _too_many(connection: Connection, subscriber_id: int, since: datetime) -> bool:
    """Whether too many of the last letters to a person came back; none that did before they asked to be on the list."""
    last = (
        select(deliveries.c.issue_no)
        .join(outcomes, _OUTCOME)
        .outerjoin(soft_bounces, _SOFT)
        .where(
            # One look into the index for each issue; without the list SQLite would read every delivery.
            deliveries.c.issue_no.in_(select(issues.c.no)),
            deliveries.c.subscriber_id == subscriber_id,
            or_(outcomes.c.status.in_(_ARRIVED), soft_bounces.c.issue_no.is_not(None)),
        )
        .order_by(deliveries.c.due_at.desc(), deliveries.c.issue_no.desc())
        .limit(SOFT_AMONG)
    )
    came_back = select(func.count()).where(
        soft_bounces.c.subscriber_id == subscriber_id,
        soft_bounces.c.issue_no.in_(last.scalar_subquery()),
        soft_bounces.c.at >= since,
    )
    return connection.execute(came_back).scalar_one() >= SOFT_LIMIT


_OUTCOME = and_(outcomes.c.issue_no == deliveries.c.issue_no, outcomes.c.seq == deliveries.c.seq)
_SOFT = and_(
    soft_bounces.c.issue_no == deliveries.c.issue_no, soft_bounces.c.subscriber_id == deliveries.c.subscriber_id
)
_REFUSALS = (
    select(deliveries.c.subscriber_id, outcomes.c.at, outcomes.c.reason)
    .join_from(outcomes, deliveries, _OUTCOME)
    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .outerjoin(soft_bounces, _SOFT)
    .where(outcomes.c.status == literal_column("'refused'"))
    .where(subscribers.c.state.in_(_MAY_BOUNCE), soft_bounces.c.issue_no.is_(None))
    .order_by(outcomes.c.seq)
)
