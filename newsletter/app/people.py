"""People, wired: enter, find, tell, count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from newsletter.app.newsletter import Newsletter
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, Rejected
from newsletter.audience.subscriber import State, Subscriber
from newsletter.errors import NotFound
from newsletter.store.consenting import SqlConsent
from newsletter.store.entering import Rehearsal
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.enrol import ImportReport, import_people


class People:
    """What can be done with the list of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the list of *newsletter*."""
        self._database = newsletter.database
        self._people = SqlPeople(newsletter.database)
        self._clock = newsletter.clock

    def find(self, address: str) -> Subscriber:
        """The subscriber with this address. Raises NotFound."""
        person = self._people.find(address)
        if person is None:
            raise NotFound(
                "nobody on the list has this address",
                hint="newsletter subscribers stats shows who is there, in numbers",
            )
        return person

    def enter(
        self,
        rows: Iterable[Entry | Rejected],
        *,
        how: str,
        source: str,
        watch: Callable[[int], None],
        rehearse: bool = False,
    ) -> ImportReport:
        """Enter people; *source* says in words where their consent comes from. With *rehearse*, nothing is written."""
        now = self._clock()
        people = Rehearsal(self._database) if rehearse else self._people
        return import_people(
            rows, people=people, evidence=Evidence(at=now, how=how, source=source), now=now, watch=watch
        )

    def everyone(self) -> Iterator[Subscriber]:
        """All people, in constant memory; whoever was forgotten is nobody."""
        return (person for person in self._people.everyone() if person.state is not State.ERASED)

    def knows(self, address: str) -> bool:
        """Whether somebody on the list has this address."""
        return self._people.find(address) is not None

    def leave(self, address: str, *, source: str) -> bool:
        """Let the person with this address be gone, who asked for it; False if they were already. Raises NotFound."""
        evidence = Evidence(at=self._clock(), how="leave", source=source)
        return SqlConsent(self._database).leave(self.find(address).id, evidence=evidence)

    def suppress(self, address: str, *, reason: str) -> None:
        """Never mail this address again. Raises NewsletterError if it is none."""
        self._people.suppress(address, reason=reason, now=self._clock())

    def consent_of(self, person: Subscriber) -> list[Evidence]:
        """The moves of a person's consent, oldest first."""
        return self._people.consent_of(person.id)

    def count(self) -> Mapping[State, int]:
        """How many people stand where."""
        return self._people.count_by_state()
