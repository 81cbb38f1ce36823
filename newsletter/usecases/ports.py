"""What the use cases need from the world. Adapters fit these shapes without importing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, ImportCounts
from newsletter.audience.predicate import Predicate
from newsletter.delivery.message import Batch
from newsletter.delivery.news import News
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.delivery.plan import Block, Claim, Forecast, Plan, PlannedIssue
from newsletter.delivery.report import DeliveryStory, Tally


class Register(Protocol):
    """Where people are entered."""

    def enter(self, entries: Sequence[Entry], *, evidence: Evidence, now: datetime) -> ImportCounts:
        """Add or refresh people in one transaction; never brings back anyone who left."""


class People(Protocol):
    """The list."""

    def lacking(self, fields: Iterable[str], *, audience: Predicate, now: datetime) -> Mapping[str, int]:
        """For each field, how many mailable people of the audience have no value for it."""


class Editions(Protocol):
    """Compiled letters by their hash."""

    def get(self, edition_hash: str) -> bytes:
        """The bytes that were put. Raises NotFound."""

    def put(self, edition_hash: str, body: bytes, *, issue_id: str, now: datetime) -> None:
        """Keep the bytes; the same hash twice is the same bytes and no error."""


class Planner(Protocol):
    """Where plans are written."""

    def forecast(self, plan: Plan, *, now: datetime) -> Forecast:
        """Who would be mailed and when; writes nothing."""

    def write(self, plan: Plan, *, now: datetime) -> PlannedIssue:
        """Freeze the audience, in one transaction; a second time gives back the first plan."""


class Ledger(Protocol):
    """Claim, then send, then record: the durable truth about every delivery."""

    def claim(
        self,
        issue_no: int,
        *,
        now: datetime,
        not_before: datetime,
        limit: int,
        worker: str,
        below: int | None = None,
        seals: bool = False,
    ) -> Claim | None:
        """The next due deliveries, at most *limit*, durably ours before the provider is called.

        Only what was due after *not_before*, and only with a number under *below*; None if nothing is left to
        claim now, or the issue is paused or cancelled. The claim's `worker` is a name of its own, new each time,
        so that an older claim can never record for a newer one. With *seals*, nothing leaves before `seal`.
        """

    def abandoned(self, issue_no: int, *, now: datetime, worker: str) -> Claim | None:
        """A batch whose sender died, taken over by *worker*: those of its deliveries without outcome."""

    def seal(self, claim: Claim, *, digest: bytes, now: datetime) -> None:
        """Keep, durably and before the call, the digest of what is about to be handed over. Raises LeaseLost."""

    def record(
        self,
        claim: Claim,
        receipts: Sequence[Receipt],
        *,
        digests: Mapping[int, bytes],
        now: datetime,
        close: bool = False,
    ) -> None:
        """Keep receipts, durably, and the lease alive; the same again is no error. Raises LeaseLost.

        With *close* the batch is given back along with them: deliveries that still have no outcome can be
        claimed again.
        """

    def reopen(self, issue_no: int, *, now: datetime) -> int:
        """Let deferred deliveries whose wait is over be claimed again; how many."""

    def doubtful(self, issue_no: int, *, now: datetime, worker: str, after: int) -> Claim | None:
        """The next batch with a number over *after* that has deliveries in doubt, with these, leased by *worker*."""

    def revise(self, claim: Claim, receipts: Sequence[Receipt], *, now: datetime) -> None:
        """Change outcomes of a leased batch, because somebody knows better; what they were is kept.

        PLANNED, with the proof that it needs, makes the delivery claimable again once the batch is closed.
        """


class Controls(Protocol):
    """What people decide about a planned issue, read at every claim; each decision is kept with who and why."""

    def pause(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Claim nothing more of it until it is resumed; twice is no error."""

    def resume(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Go on with it."""

    def cancel(self, issue_no: int, *, by: str, why: str, now: datetime) -> None:
        """Never claim anything of it again."""

    def correct(self, issue_no: int, *, revision: int, edition_hash: str, by: str, why: str, now: datetime) -> None:
        """From the next claim on, send that edition (which is kept already)."""

    def decide(self, issue_no: int, what: str, *, by: str, why: str, now: datetime) -> None:
        """Keep any other decision."""


class Events(Protocol):
    """Where later news of a delivery goes."""

    def settle_event(
        self, issue_no: int, seq: int, status: Status, *, provider_id: str, reason: str, now: datetime
    ) -> bool:
        """Move a delivery as the provider reported; False, and nothing changed, where it may not go there."""


class Gate(Protocol):
    """What all senders of one database share about a provider."""

    def reserve(self, provider: str, *, count: int, rate: float, now: datetime) -> timedelta:
        """A place in the queue for *count* messages at *rate* a second; how long to wait until it is reached."""

    def blocked(self, provider: str, *, now: datetime) -> Block | None:
        """Why nothing may be handed over now, and until when."""

    def block(self, provider: str, *, until: datetime, why: str, now: datetime) -> None:
        """Hand over nothing until then; a later instant wins."""


class Chronicle(Protocol):
    """What the ledger can tell."""

    def tally(self, issue_no: int, *, now: datetime, not_before: datetime) -> Tally:
        """Counts by state and reason that add up to the frozen audience."""

    def stories(self, subscriber_id: int, *, now: datetime, not_before: datetime) -> list[DeliveryStory]:
        """What every issue did for one person, newest first."""


class Agenda(Protocol):
    """What there is to do now, found without reading through what is done."""

    def due(self, *, now: datetime, not_before: datetime) -> list[PlannedIssue]:
        """Issues with something to hand over, to settle or to try again; none that is paused or cancelled."""

    def doubtful(self, *, since: datetime) -> list[PlannedIssue]:
        """Issues with deliveries that came into doubt after *since*."""

    def waiting(self, *, now: datetime, not_before: datetime) -> Mapping[str, int]:
        """How many deliveries of each issue could be handed over now."""

    def held(self, *, not_before: datetime, since: datetime) -> Mapping[str, int]:
        """How many deliveries of each issue were due between *since* and *not_before* and never left."""

    def next_due(self, *, now: datetime) -> datetime | None:
        """When the next planned delivery is due."""


class Turns(Protocol):
    """Whose turn it is to do what is due."""

    def take(self, *, now: datetime) -> bool:
        """Whether it is ours now."""

    def end(self, said: str, *, now: datetime) -> None:
        """Give it back, with a word about what came of it."""


class Hands(Protocol):
    """The verbs that a tick puts together."""

    def answer(self) -> None:
        """Do what visitors asked, and send the mails that wait for one person each."""

    def letters(self, *, now: datetime) -> list[str]:
        """Letters whose day it is somewhere and that are not planned yet."""

    def series(self) -> list[str]:
        """The names of all series."""

    def parts(self, series: str, *, now: datetime) -> list[str]:
        """The parts of one that has begun, in their order, whose time may have come."""

    def sources(self) -> Sequence[str]:
        """Where news of people comes from."""

    def hear(self, source: str) -> Mapping[str, int]:
        """How much was heard there of people who left, bounced or complained."""

    def forecast(self, letter: str, *, now: datetime) -> int:
        """For how many people a letter would be planned."""

    def plan(self, letter: str, *, now: datetime) -> int:
        """Plan a letter that is due for somebody; for how many people, and 0 if its time has not come."""

    def send(self, issue: PlannedIssue, *, watch: Callable[[int], None]) -> None:
        """Hand over what is due; *watch* is told how many deliveries just got an outcome."""

    def reconcile(self, issue: PlannedIssue) -> int:
        """How many deliveries in doubt were settled."""

    def in_doubt(self, issue: PlannedIssue) -> int:
        """How many deliveries are in doubt."""


class Provider(Protocol):
    """Who carries the mail. One lane of a sender has one provider to itself; they share no connections."""

    name: str
    batch_size: int  # deliveries a claim may have
    record_every: int  # receipts after which they are recorded; a kill leaves at most so many in doubt
    keeps_keys: timedelta  # how long it recognises a repeated batch by its key and sends it once; zero if never

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """Hand over a batch: a receipt per row, each as soon as it is known; None is only a sign of life.

        After a ProviderRefused or a ProviderBusy nothing beyond the receipts has left. A row without receipt
        may have left. Asked to stop, it begins nothing new, says PLANNED for what certainly did not leave,
        and ends within seconds.
        """

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:
        """What became of rows that are in doubt, by asking: ACCEPTED, REFUSED, PLANNED with proof, or nothing.

        The rows have names and addresses but no values.
        """

    def read_events(self, data: bytes) -> Iterator[Event]:
        """The events in a file of them as the provider writes it; those that are not about our deliveries are left out.

        Raises ProviderRefused where it reports none, or the file cannot be read.
        """

    def departures(self, after: str, *, now: datetime) -> Iterator[tuple[Sequence[News], str]]:
        """Who left, bounced or complained since the bookmark *after*: pages of news, each with a bookmark behind it.

        What was told may be told again. Nothing where the provider keeps no such list.
        """

    def examine(self) -> Iterator[Look]:
        """What a doctor should know: reachable, signed in, domain verified, what is left of the quota."""

    def close(self) -> None:
        """Let go of its connections."""
