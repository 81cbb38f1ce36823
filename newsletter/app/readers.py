"""Readers to look at a letter as: invented ones who try its layout, and those on the list, without their addresses."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.audience.subscriber import Subscriber
from newsletter.usecases.build import LONG_NAME

FOUND = 12  # people one search shows; whoever is not among them writes more of the name
DOTS = "•••"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody a letter is shown to. `key` stands for them in addresses, and says nothing about them."""

    key: str
    label: str
    person: Subscriber
    invented: bool = True
    note: str = ""


def invented(fields: Iterable[str]) -> tuple[Reader, ...]:
    """The readers who try a letter, worst cases among them; *fields* are the newsletter's own."""
    own = tuple(fields)

    def reader(key: str, label: str, first_name: str, name: str, value: str) -> Reader:
        values = {each: value.format(field=each) for each in own} if value else {}
        person = Subscriber(
            id=0, address="reader@example.org", first_name=first_name, name=name, attributes=values, language="en"
        )
        return Reader(key=key, label=label, person=person)

    return (
        reader("usual", "Ada Example", "Ada", "Ada Example", "[{field}]"),
        reader("nobody", "Without a name", "", "", ""),
        reader("long", "With a very long name", LONG_NAME, LONG_NAME, LONG_NAME),
        reader("rtl", "With a name from right to left", "נועה", "נועה ישראלי", "ירושלים"),
    )


@dataclass(slots=True)
class Faces:
    """The people who were found on the list, each by a key that is made here and forgotten with the process."""

    _by_key: dict[str, Reader] = field(default_factory=dict)
    _key_of: dict[int, str] = field(default_factory=dict)

    def know(self, people: Sequence[Subscriber]) -> list[Reader]:
        """*people* as readers."""
        shown = masked([(person.name, person.address) for person in people])
        readers = []
        for person, address in zip(people, shown, strict=True):
            key = self._key_of.setdefault(person.id, secrets.token_urlsafe(9))
            reader = Reader(key=key, label=person.name or "No name", person=person, invented=False, note=address)
            self._by_key[key] = reader
            readers.append(reader)
        return readers

    def find(self, key: str) -> Reader | None:
        """The reader with this key."""
        return self._by_key.get(key)


def masked(people: Sequence[tuple[str, str]]) -> list[str]:
    """The addresses of *people* (name, address), each with no more letters before the @ than tell them apart."""
    shown = [1] * len(people)
    while True:
        seen = [(name, mask(address, letters)) for (name, address), letters in zip(people, shown, strict=True)]
        often: Mapping[tuple[str, str], int] = Counter(seen)
        again = [
            index
            for index, each in enumerate(seen)
            if often[each] > 1 and shown[index] <= len(people[index][1].rpartition("@")[0])
        ]
        if not again:
            return [address for _, address in seen]
        for index in again:
            shown[index] += 1


def mask(address: str, letters: int = 1) -> str:
    """*address* with its first *letters* and its domain; all of it only if that many are more than it has."""
    local, _, domain = address.rpartition("@")
    return f"{local[:letters]}{'' if letters > len(local) else DOTS}@{domain}"
