"""One reader's copy of a letter that is being written, with all that can be seen of it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from newsletter.app.readers import Reader, mask
from newsletter.delivery.message import Batch, Row
from newsletter.rendering.edition import Edition
from newsletter.rendering.expressions import read_expression
from newsletter.rendering.holes import Holes, cut_text
from newsletter.usecases.fill import Filler


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """What the newest save that could be rendered looks like."""

    edition: Edition
    fill: Filler
    pictures: Mapping[str, bytes]  # by their files; readers find them on the web once the letter is planned
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One reader's copy."""

    html: bytes
    text: bytes
    message: bytes
    subject: str
    preheader: str
    conditions: tuple[tuple[str, bool], ...]


def copy_for(good: Good, reader: Reader, *, met: Container[str], now: datetime) -> Copy:
    """What *reader* gets; an invented one meets the conditions named in *met*."""
    edition, fill = good.edition, good.fill
    conditions = [condition.name for condition in edition.conditions]
    if reader.invented:
        variant = sum((name in met) << bit for bit, name in enumerate(reversed(conditions)))
    else:
        variant = fill.variant(reader.person, now=now)
    values = fill.values(reader.person, at=now)
    row = Row(
        seq=0,
        ref="0-specimen",
        address=reader.person.address if reader.invented else mask(reader.person.address).replace("•", "."),
        name=reader.person.name,
        variant=variant,
        values=values,
    )
    holes = Holes(edition.mark_word, tuple(map(read_expression, edition.holes)), edition.constants)
    body = fill.letter.bodies[variant]
    return Copy(
        html=body.html.fill(values),
        text=body.text.fill(values),
        message=Batch(letter=fill.letter, claimed_at=now, rows=(row,)).message(row),
        subject=fill.letter.subject.fill(values).decode(),
        preheader=cut_text(edition.preheader, holes).fill(values).decode(),
        conditions=tuple(zip(conditions, edition.variants[variant].conditions, strict=True)),
    )
