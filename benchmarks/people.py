"""Made-up people: the same ones every time, in 40 zones, with names from many places."""

from __future__ import annotations

import random
from collections.abc import Iterator

from newsletter.audience.importing import Entry
from newsletter.audience.subscriber import State, Subscriber

FIRST = ("Ada", "Björn", "Chinonso", "Dörte", "Élodie", "Fatima", "Grzegorz", "Hanako", "Ίρις", "Jo", "Wilhelmina", "")
LAST = ("Abara", "Brontë", "Müller & Co", "Nakamura", "Okonkwo", "Paulsen", "Quiroga", "Šimić", "Tran", "van der Meer")
CITIES = ("Oslo", "São Paulo", "Kyōto", "Leeds", "Łódź", "")
TAGS = (frozenset[str](), frozenset[str](), frozenset({"workplace"}))
ZONES = (
    *("Pacific/Honolulu", "America/Anchorage", "America/Los_Angeles", "America/Vancouver", "America/Denver"),
    *("America/Chicago", "America/Mexico_City", "America/New_York", "America/Toronto", "America/Bogota"),
    *("America/Halifax", "America/St_Johns", "America/Sao_Paulo", "America/Argentina/Buenos_Aires", "Atlantic/Azores"),
    *("Europe/Lisbon", "Europe/London", "Africa/Lagos", "Europe/Paris", "Europe/Berlin", "Europe/Warsaw"),
    *("Africa/Johannesburg", "Africa/Cairo", "Europe/Helsinki", "Europe/Istanbul", "Africa/Nairobi", "Asia/Tehran"),
    *("Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Dhaka", "Asia/Bangkok", "Asia/Jakarta"),
    *("Asia/Manila", "Asia/Tokyo", "Asia/Seoul", "Australia/Adelaide", "Australia/Sydney", "Pacific/Auckland"),
)


def entries(count: int) -> Iterator[Entry]:
    """*count* people to be entered; one in a hundred has left already."""
    chance = random.Random(count)
    for number in range(count):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        city = chance.choice(CITIES)
        yield Entry(
            address=f"reader{number}@{chance.randrange(20_000)}.example.org",
            name=f"{first} {last}".strip(),
            first_name=first,
            zone=chance.choice(ZONES),
            language=chance.choice(("en", "en", "de", "pt-br")),
            tags=chance.choice(TAGS),
            attributes={"city": city} if city else {},
            state=State.UNSUBSCRIBED if number % 100 == 99 else State.ACTIVE,
        )


def readers(count: int) -> list[Subscriber]:
    """*count* people as the ledger hands them out."""
    return [
        Subscriber(
            id=number,
            address=entry.address,
            name=entry.name,
            first_name=entry.first_name,
            zone=entry.zone,
            language=entry.language,
            tags=entry.tags,
            attributes=entry.attributes,
            leave_token=f"{number:022d}",
        )
        for number, entry in enumerate(entries(count), start=1)
    ]
