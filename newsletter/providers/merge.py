"""A letter in a provider's own syntax: a template with its marks, and each row's values for them.

The values are escaped here, by the encoder of the slot they go into, and the provider is only ever asked
to put them in as they are. What it would take for a mark of its own is kept out on both sides: a letter
with such text is refused before anything leaves, and of a value it is either made harmless or its row held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

import idna

from newsletter.delivery.message import Letter, Row
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderRefused
from newsletter.pieces import ENCODERS, Pieces, Slot, address_header
from newsletter.providers.wording import unfolded

E = TypeVar("E")

_IN_HTML = frozenset({"html", "href"})  # where a character can be written as a reference instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """How a provider marks a place, and what else it would fill in or trip over."""

    provider: str
    before: str
    after: str
    confusing: re.Pattern[str]  # matches every mark where it begins, ours as well
    never_before: str = ""  # characters that, in front of a mark, would change its meaning
    never_after: str = ""

    def mark(self, name: str) -> str:
        """The place that the variable *name* fills."""
        return f"{self.before}{name}{self.after}"


class Unfit(ValueError):
    """One row that this provider cannot carry; says what it becomes and why, without any value of it."""

    def __init__(self, status: Status, why: str) -> None:
        """HELD where a person may help it, REFUSED where nobody can."""
        super().__init__(why)
        self.status = status

    def receipt(self, row: Row) -> Receipt:
        """What the ledger is told about *row*."""
        return Receipt(seq=row.seq, status=self.status, reason=str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One variant of a letter for one provider. `names` has one variable for each distinct slot."""

    subject: str
    html: str
    text: str
    names: Mapping[Slot, str]
    syntax: Syntax

    def values(self, row: Row) -> dict[str, str]:
        """What fills the marks for *row*, by variable. Raises Unfit."""
        return {name: _value(slot, row.values, self.syntax) for slot, name in self.names.items()}

    def without(self, twins: Mapping[str, str]) -> Template:
        """The same with each variable of *twins* replaced by the one it is always equal to."""
        texts = [self.subject, self.html, self.text]
        for name, kept in twins.items():
            texts = [text.replace(self.syntax.mark(name), self.syntax.mark(kept)) for text in texts]
        names = {slot: twins.get(name, name) for slot, name in self.names.items()}
        return replace(self, subject=texts[0], html=texts[1], text=texts[2], names=names)


def twins(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Variables that have, in every one of *rows*, the value of an earlier one: a link in HTML and in plain text."""
    first: dict[tuple[str, ...], str] = {}
    names = rows[0] if rows else ()
    kept = {name: first.setdefault(tuple(row[name] for row in rows), name) for name in names}
    return {name: other for name, other in kept.items() if other != name}


def templates(
    letter: Letter, syntax: Syntax, *, theirs: Mapping[str, str] = MappingProxyType({})
) -> tuple[Template, ...]:
    """A template for each body of *letter*; *theirs* are marks of values that the provider knows, and not we.

    Raises ProviderRefused where its text holds marks of the provider.
    """
    return tuple(_template(letter, variant, syntax, theirs) for variant in range(len(letter.bodies)))


def _template(letter: Letter, variant: int, syntax: Syntax, theirs: Mapping[str, str]) -> Template:
    body = letter.bodies[variant]
    slots = dict.fromkeys((*letter.subject.slots, *body.html.slots, *body.text.slots))
    names = {slot: f"v{number}" for number, slot in enumerate(slots) if slot.value not in theirs}
    marks = {slot: theirs.get(slot.value) or syntax.mark(names[slot]) for slot in slots}
    return Template(
        subject=_marked("subject", letter.subject, marks, syntax),
        html=_marked("HTML", body.html, marks, syntax),
        text=_marked("plain text", body.text, marks, syntax),
        names=names,
        syntax=syntax,
    )


def _marked(place: str, pieces: Pieces, mark_of: Mapping[Slot, str], syntax: Syntax) -> str:
    text, marks = "", []
    for part in pieces.parts:
        if isinstance(part, Slot):
            marks.append((len(text), len(text) + len(mark_of[part])))
            text += mark_of[part]
        else:
            text += part.decode()
    # Looked for in the whole and not in the literals, since a mark may also arise where two parts meet.
    found = {match.start() for match in syntax.confusing.finditer(text)}
    ends = {end for _, end in marks}
    if found != {start for start, _ in marks} or any(
        (start not in ends and text.endswith(tuple(syntax.never_before), 0, start))
        or text.startswith(tuple(syntax.never_after), end)
        for start, end in marks
    ):
        raise ProviderRefused(
            f"the {place} of the letter has text that {syntax.provider} would take for a place to fill",
            hint=f"write {syntax.before!r} otherwise, keep blanks around '{{{{ … }}}}', or send by another provider",
        )
    return text


def _value(slot: Slot, values: Mapping[str, str], syntax: Syntax) -> str:
    try:
        text = ENCODERS[slot.encoder](values[slot.value]).decode()
    except KeyError:
        raise Unfit(Status.HELD, "there is no value for a place of the letter") from None
    if not syntax.confusing.search(text):
        return text
    if slot.encoder in _IN_HTML:
        sigil = syntax.before[0]
        return text.replace(sigil, f"&#{ord(sigil)};")
    raise Unfit(Status.HELD, f"a value has characters that {syntax.provider} would take for a place to fill")


def own_headers(letter: Letter) -> tuple[dict[str, str], dict[str, Pieces]]:
    """The headers no provider writes: those that all recipients share, whole, and those with something personal."""
    shared = {name: unfolded(pieces.fill({})) for name, pieces in letter.own_headers if not pieces.slots}
    return shared, {name: pieces for name, pieces in letter.own_headers if pieces.slots}


def encoded_mailbox(name: str, address: str) -> str:
    """A name and an address on one line of ASCII: names beyond it in encoded-words, as mail itself has them."""
    return unfolded(address_header(name, address).encode())


def ascii_address(address: str) -> str:
    """*address* with its domain in A-labels. Raises Unfit where the part before the @ is not ASCII."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        raise Unfit(Status.REFUSED, "the address has letters before the @ that this provider cannot write to")
    if domain.isascii():
        return address
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise Unfit(Status.REFUSED, "the address has a domain that cannot be one") from None


def personal(headers: Mapping[str, Pieces], row: Row, syntax: Syntax) -> dict[str, str]:
    """The headers of *row* alone. Raises Unfit."""
    try:
        filled = {name: unfolded(pieces.fill(row.values)) for name, pieces in headers.items()}
    except (KeyError, UnicodeEncodeError):
        raise Unfit(Status.HELD, "a header of it cannot be filled") from None
    if any(syntax.confusing.search(value) for value in filled.values()):
        raise Unfit(Status.HELD, f"a header has characters that {syntax.provider} would take for a place to fill")
    return filled


def by_variant(rows: tuple[Row, ...]) -> Iterator[tuple[int, list[Row]]]:
    """The rows of each variant in their order; a call carries one template."""
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.variant, []).append(row)
    yield from sorted(groups.items())


def fitting(rows: Sequence[Row], entry: Callable[[Row], E]) -> tuple[list[E], list[Receipt]]:
    """What *entry* makes of the rows, and a receipt for each that does not fit."""
    entries, unfit = [], []
    for row in rows:
        try:
            entries.append(entry(row))
        except Unfit as err:
            unfit.append(err.receipt(row))
    return entries, unfit
