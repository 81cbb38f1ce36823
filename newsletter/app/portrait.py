"""All that is known of one person, wired: for whoever asks what we have of them, or why they get no letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.app.newsletter import Newsletter
from newsletter.audience.consent import Evidence, version_of
from newsletter.audience.subscriber import State, Subscriber
from newsletter.delivery.report import DeliveryStory
from newsletter.errors import NotFound
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.portraits import Noted, SqlPortraits
from newsletter.store.subscribers import SqlPeople

_FORGOTTEN = "its owner asked to be forgotten; no import brings it in, only they themselves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """Somebody, and what there is of them; `agreed` has the words that a version of the text stands for."""

    person: Subscriber
    history: Sequence[Evidence]
    suppressed: Noted | None
    came_back: Sequence[Noted]
    mails: Mapping[tuple[str, str], int]
    letters: Sequence[DeliveryStory]
    agreed: Mapping[str, str]

    @property
    def since(self) -> datetime | None:
        """Since when their consent stands where it does."""
        return self.history[-1].at if self.history else None


def portrait_of(newsletter: Newsletter, address: str) -> Portrait:
    """All that is known of whoever has this address. Raises NotFound, also where it is only suppressed."""
    people, portraits = SqlPeople(newsletter.database), SqlPortraits(newsletter.database)
    person, suppressed = people.find(address), portraits.suppressed(address)
    if person is None:
        message = "nobody on the list has this address"
        if suppressed:
            why = _FORGOTTEN if suppressed.what == State.ERASED else f"{suppressed.what}; no import brings it in"
            raise NotFound(f"{message}, and it is suppressed since {suppressed.at:%Y-%m-%d}", hint=why)
        raise NotFound(message, hint="newsletter subscribers stats shows who is there, in numbers")
    agreement, now = newsletter.settings.signup_agreement, newsletter.clock()
    return Portrait(
        person=person,
        history=people.consent_of(person.id),
        suppressed=suppressed,
        came_back=portraits.came_back(person.id),
        mails=portraits.mails(person.id),
        letters=SqlChronicle(newsletter.database).stories(person.id, now=now, not_before=now - newsletter.window),
        agreed={version_of(agreement): agreement},
    )
