"""Signed links, against the signer most Python web programs use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec

from benchmarks.measure import Row, Target, compare, each
from newsletter.audience.links import Signer

MANY = 20_000
_KEY = b"a key that is only good for measuring"


def rows() -> Iterator[Row]:
    """The table's lines; none where itsdangerous is not installed, which the newsletter has no use for."""
    if find_spec("itsdangerous") is None:
        print("(signed links are left out: pip install itsdangerous)")
        return
    ours = Signer([_KEY])
    theirs = import_module("itsdangerous").URLSafeSerializer(_KEY, salt="preferences")
    yield compare(
        "a signed link",
        ours=each(_signed(lambda person: ours.sign("preferences", person)), MANY),
        ceiling=each(_signed(lambda person: theirs.dumps([person, 0])), MANY),
        called="itsdangerous' URLSafeSerializer.dumps",
        target=Target(least=20),
    )


def _signed(sign: Callable[[int], object]) -> Callable[[], None]:
    def work() -> None:
        for person in range(MANY):
            sign(person)

    return work
