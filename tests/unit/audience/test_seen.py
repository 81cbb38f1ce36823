"""Who was named before is known, and nobody else; a million of them fit."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.seen import Seen


@given(st.lists(st.text(max_size=3)))
def test_it_knows_what_a_set_knows(words):
    seen, known = Seen(), set()
    for word in words:
        assert (word in seen) == (word in known)
        assert seen.add(word) == (word not in known)
        known.add(word)


def test_nobody_is_lost_while_it_grows_and_it_stays_small():
    tracemalloc.start()
    seen = Seen()
    assert all(seen.add(f"r{number}@example.org") for number in range(20_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(f"r{number}@example.org" in seen for number in range(20_000))
    assert not any(f"s{number}@example.org" in seen for number in range(20_000))
    assert peak < 36 * 20_000  # while it moves into a larger place
