"""People, wired: enter, find, tell, count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from newsletter.app.newsletter import Newsletter
from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, Rejected
from newsletter.audience.subscriber import State, Subscriber
from newsletter.errors import NotFound
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.enrol import ImportReport, import_people


class People:
    """What can be done with the list of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the list of *newsletter*."""
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
        self, rows: Iterator[Entry | Rejected], *, how: str, source: str, watch: Callable[[int], None]
    ) -> ImportReport:
        """Enter people; *source* says in words where their consent comes from."""
        now = self._clock()
        return import_people(
            rows, people=self._people, evidence=Evidence(at=now, how=how, source=source), now=now, watch=watch
        )

    def everyone(self) -> Iterator[Subscriber]:
        """All people, in constant memory; whoever was forgotten is nobody."""
        return (person for person in self._people.everyone() if person.state is not State.ERASED)

    def consent_of(self, person: Subscriber) -> list[Evidence]:
        """The moves of a person's consent, oldest first."""
        return self._people.consent_of(person.id)

    def count(self) -> Mapping[State, int]:
        """How many people stand where."""
        return self._people.count_by_state()
