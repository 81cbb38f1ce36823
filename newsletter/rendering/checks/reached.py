"""Links, once somebody has followed them; asked for by `newsletter check --links`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from newsletter.content.issue import Level
from newsletter.rendering.checks.reading import Reading
from newsletter.rendering.checks.rule import Check, Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A letter, and what is wrong with the addresses it links to: those that are gone, and those that may be."""

    reading: Reading
    gone: Mapping[str, str]  # address → why
    unsure: Mapping[str, str]


def _gone(reached: Reached) -> Iterator[Found]:
    return _among(reached.gone, reached.reading)


def _unsure(reached: Reached) -> Iterator[Found]:
    return _among(reached.unsure, reached.reading)


def _among(answers: Mapping[str, str], reading: Reading) -> Iterator[Found]:
    for link in reading.links:
        if why := answers.get(link.url):
            yield Found(at=link.at, what=f"{link.url[:80]}: {why}")


CHECKS = (
    Check(
        id="link-gone",
        level=Level.ERROR,
        about="with `--links`: a page that is not there, or a name that nobody knows",
        fix="write the address where it is now, or take the link out",
        find=_gone,
    ),
    Check(
        id="link-unsure",
        level=Level.WARNING,
        about="with `--links`: a page that does not answer just now",
        fix="open it yourself; perhaps it is only away for a moment",
        find=_unsure,
    ),
)
