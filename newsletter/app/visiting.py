"""What visitors of the public pages can do: ask to join, confirm, leave and undo it, choose, take along, be forgotten.

Who they are is said by a word in a link, signed for one purpose, or by the token with which one leaves; nothing is
found out by an address. What leads to a mail is queued, so that no answer depends on whom we know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from newsletter.app.answering import CONFIRM
from newsletter.app.forgetting import Forgetting
from newsletter.audience.addresses import read_address
from newsletter.audience.asking import WishKind
from newsletter.audience.columns import LONGEST_NAME, read_text, read_zone
from newsletter.audience.consent import OWN_DOORS, UNDO_WITHIN, Evidence, version_of
from newsletter.audience.subscriber import Frequency, State, Subscriber, ZoneSource
from newsletter.errors import LinkInvalid, StoreError
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.consenting import SqlConsent
from newsletter.store.rows import write_tags
from newsletter.store.subscribers import SqlPeople
from newsletter.store.wishes import SqlWishes

if TYPE_CHECKING:
    from newsletter.app.newsletter import Newsletter

# The purposes of the signed words in links, beside those that mails are sent with.
PREFERENCES, UNDO = "preferences", "undo"

_PAGES = "the pages"
REST = timedelta(weeks=4)
SECOND_CLICK = timedelta(minutes=1)  # until then, leaving again is the same leaving
LONGEST_REST = timedelta(days=365)
_PARTS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What somebody tells of themselves on a form, as they typed it."""

    first_name: str = ""
    name: str = ""
    interests: frozenset[str] = frozenset()
    zone: str = ""
    language: str = ""
    frequency: Frequency = Frequency.WEEKLY
    paused_until: date | None = None  # the first day on which letters come again, where they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Somebody who has left; `undo` is the signed word that takes it back, "" where it is too late for that."""

    person: Subscriber
    undo: str


@cache
def zones() -> Mapping[str, Mapping[str, str]]:
    """The time zones by part of the world, with what each is called; old names too, since browsers still say them."""
    names = sorted(available_timezones())
    return {part: {name: _place(name) for name in names if name.startswith(f"{part}/")} for part in _PARTS}


def _place(zone: str) -> str:
    return zone.partition("/")[2].replace("_", " ")


class Visiting:
    """The visitors' side of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the list of *newsletter*, whose database is opened now."""
        self.settings = newsletter.settings
        self._newsletter = newsletter
        self._people = SqlPeople(newsletter.database)
        self._consent = SqlConsent(newsletter.database)
        self._chronicle = SqlChronicle(newsletter.database)
        self._wishes = SqlWishes(newsletter.database)

    # Mails that are asked for

    def ask_to_join(self, address: str, details: Details) -> None:
        """Queue that somebody wants the letter. Raises BadAddress, which depends on how it is written alone."""
        normal = read_address(address)
        told = {
            "first_name": _name(details.first_name),
            "tags": sorted(details.interests & {*self.settings.interests}),
            "zone": read_zone(details.zone) or "",
            "text": self.agreement_digest,
        }
        self._wishes.add(WishKind.JOIN, normal, told, now=self._newsletter.clock())

    def ask_for_link(self, address: str) -> None:
        """Queue that somebody wants a link to their own page. Raises BadAddress, as `ask_to_join` does."""
        self._wishes.add(WishKind.LINK, read_address(address), {}, now=self._newsletter.clock())

    def ask_for_nothing(self) -> None:
        """Queue a wish of nobody's, which comes to nothing: who is refused unseen cannot tell by the time it took."""
        self._wishes.add(WishKind.LINK, "", {}, now=self._newsletter.clock())

    @property
    def agreement_digest(self) -> str:
        """What stands in the evidence for the text that people agree to."""
        return version_of(self.settings.signup_agreement)

    # Whom a link belongs to

    def person(self, purpose: str, word: str) -> Subscriber:
        """Whom *word* was signed for. Raises LinkInvalid, also where they are forgotten."""
        number = self._newsletter.signer.read(purpose, word, now=self._newsletter.clock())
        person = self._consent.by_id(number)
        if person is None or person.state is State.ERASED:
            raise LinkInvalid("whom this link belonged to is forgotten")
        return person

    def leaver(self, token: str) -> Subscriber | None:
        """Whom a link for leaving belongs to."""
        return self._consent.by_token(token)

    # Coming and going

    def confirm(self, word: str) -> Subscriber:
        """Let whoever asked to join be on the list; once they are, that is so. Raises LinkInvalid."""
        person = self.person(CONFIRM, word)
        if person.state is not State.ACTIVE and not self._consent.confirm(person.id, evidence=self._evidence("page")):
            raise LinkInvalid("they left since, and have to ask anew")
        return person

    def leave(self, token: str, *, how: str) -> Left | None:
        """Let whoever has *token* be gone, by the door *how*; the same answer to a second click. None for no token.

        Later on the word that takes it back is told no more: whoever was passed the letter on could bring back
        somebody who meant to leave.
        """
        person = self._consent.by_token(token)
        if person is None:
            return None
        self._consent.leave(person.id, evidence=self._evidence(how))
        until = self._undo_until(person)
        if until and self._newsletter.clock() >= until - UNDO_WITHIN + SECOND_CLICK:
            until = None
        undo = self._newsletter.signer.sign(UNDO, person.id, expires_at=until) if until else ""
        return Left(person=person, undo=undo)

    def rest(self, token: str) -> tuple[Subscriber, date] | None:
        """Let whoever has *token* have a rest of some weeks; them and the day it ends. None if they get no letter.

        A longer one that they have already stays: a letter that was passed on must not end it.
        """
        person = self._consent.by_token(token)
        if person is None or person.state is not State.ACTIVE:
            return None
        zone = self._zone(person.zone)
        until = (self._newsletter.clock() + REST).astimezone(zone).date()
        if person.paused_until and person.paused_until > _begin_of(until, zone):
            return person, person.paused_until.astimezone(zone).date()
        self._consent.change(person.id, {"paused_until": _begin_of(until, zone)})
        return person, until

    def undo(self, word: str) -> Subscriber:
        """Take a leaving back that happened within the hour. Raises LinkInvalid."""
        person = self.person(UNDO, word)
        if person.state is State.ACTIVE:
            return person
        if not self._undo_until(person) or not self._consent.undo(person.id, evidence=self._evidence("page")):
            raise LinkInvalid("this is not what they did last")
        return person

    def _undo_until(self, person: Subscriber) -> datetime | None:
        """Until when a person can take back that they left; None if it is too late, or they were not on the list."""
        moves = [each for each in self._people.consent_of(person.id) if each.state]
        if [each.state for each in moves[-2:]] != [State.ACTIVE, State.UNSUBSCRIBED]:
            return None
        until = moves[-1].at + UNDO_WITHIN
        return until if moves[-1].how in OWN_DOORS and self._newsletter.clock() < until else None

    # One's own page

    def told_by(self, person: Subscriber) -> Details:
        """What we know of a person, as the form shows it."""
        until = person.paused_until
        return Details(
            first_name=person.first_name,
            name=person.name,
            interests=person.tags & {*self.settings.interests},
            zone=person.zone or "",
            language=person.language,
            frequency=person.frequency,
            paused_until=until.astimezone(self._zone(person.zone)).date()
            if until and until > self._newsletter.clock()
            else None,
        )

    def days_to_rest(self, person: Subscriber) -> tuple[date, date]:
        """The first and the last day until which a person can let nothing be sent."""
        today = self._newsletter.clock().astimezone(self._zone(person.zone)).date()
        return today + timedelta(days=1), today + LONGEST_REST

    def change(self, person: Subscriber, details: Details) -> None:
        """Keep what a person says of themselves; tags that are no interests stay as they are."""
        kept = person.tags - {*self.settings.interests}
        zone = read_zone(details.zone)
        self._consent.change(
            person.id,
            {
                "first_name": _name(details.first_name),
                "name": _name(details.name),
                "tags": write_tags(kept | (details.interests & {*self.settings.interests})),
                "zone": zone,
                "zone_source": (ZoneSource.BROWSER if zone else ZoneSource.DEFAULT).value,
                "language": details.language,
                "frequency": details.frequency.value,
                "paused_until": details.paused_until and _begin_of(details.paused_until, self._zone(zone)),
            },
        )

    def export_of(self, person: Subscriber) -> dict[str, object]:
        """What a person takes along, in plain values: what they told us, their consent, and their letters."""
        now = self._newsletter.clock()
        letters = self._chronicle.stories(person.id, now=now, not_before=now - self._newsletter.window)
        return {
            "address": person.address,
            "name": person.name,
            "first_name": person.first_name,
            "state": person.state.value,
            "paused_until": person.paused_until and person.paused_until.isoformat(),
            "frequency": person.frequency.value,
            "time_zone": person.zone,
            "time_zone_known_from": person.zone_source.value,
            "language": person.language,
            "interests_and_tags": sorted(person.tags),
            "fields": dict(person.attributes),
            "joined_at": person.joined_at and person.joined_at.isoformat(),
            "consent": [
                {
                    "at": each.at.isoformat(),
                    "became": each.state,
                    "by": each.how,
                    "source": each.source,
                    "text": each.text,
                }
                for each in self._people.consent_of(person.id)
            ],
            "letters": [
                {
                    "letter": each.issue_id,
                    "status": each.status,
                    "reason": each.reason,
                    "steps": [{"at": step.at.isoformat(), "what": step.what} for step in each.steps],
                }
                for each in letters
            ],
        }

    def erase(self, person: Subscriber) -> None:
        """Forget a person. Raises NewsletterError while a letter to them is being handed over."""
        Forgetting(self._newsletter).forget(person.address, how="page", source=_PAGES)

    def is_well(self) -> bool:
        """Whether the database answers."""
        try:
            self._consent.by_id(0)
        except StoreError:
            return False
        return True

    def _evidence(self, how: str) -> Evidence:
        return Evidence(at=self._newsletter.clock(), how=how, source=_PAGES, text=self.agreement_digest)

    def _zone(self, name: str | None) -> ZoneInfo:
        return ZoneInfo(name or self.settings.timezone)


def _begin_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _name(typed: str) -> str:
    """What somebody typed as a name, on one line and of bounded length."""
    return read_text(typed)[:LONGEST_NAME]
