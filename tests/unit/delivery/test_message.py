"""References of deliveries: opaque, the same for ever, and only ours are read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.message import delivery_ref, read_delivery_ref, values_digest

SECRET, OTHER = b"s" * 32, b"t" * 32
NUMBERS = st.integers(1, 2**40)


@given(NUMBERS, NUMBERS)
def test_a_reference_is_read_back_by_its_plan_only(issue_no: int, seq: int) -> None:
    ref = delivery_ref(issue_no, seq, secret=SECRET)
    assert re.fullmatch(r"\d+-[a-z2-7]{32}", ref)
    assert read_delivery_ref(ref, secret=SECRET) == seq
    assert read_delivery_ref(ref, secret=OTHER) is None


@given(NUMBERS, st.integers(0, 31), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_reference_with_a_letter_changed_is_not_ours(seq: int, place: int, letter: str) -> None:
    ref = delivery_ref(1, seq, secret=SECRET)
    at = 2 + place
    changed = ref[:at] + letter + ref[at + 1 :]
    assert read_delivery_ref(changed, secret=SECRET) == (seq if changed == ref else None)


@given(st.text(max_size=60))
def test_anything_else_is_not_ours_either(text: str) -> None:
    assert read_delivery_ref(text, secret=SECRET) is None


@given(NUMBERS, NUMBERS, st.integers(1, 9))
def test_a_reference_is_of_one_issue(issue_no: int, seq: int, more: int) -> None:
    _, _, sealed = delivery_ref(issue_no, seq, secret=SECRET).partition("-")
    assert read_delivery_ref(f"{issue_no + more}-{sealed}", secret=SECRET) is None


@pytest.mark.parametrize("front", ["9" * 5000, "9" * 19, "0", "01", "-1", "+1", "１", "", "1 "])  # noqa: RUF001
def test_a_reference_has_one_spelling(front: str) -> None:
    _, _, sealed = delivery_ref(1, 7, secret=SECRET).partition("-")
    assert read_delivery_ref(f"1-{sealed}", secret=SECRET) == 7
    assert read_delivery_ref(f"{front}-{sealed}", secret=SECRET) is None
    for other in (sealed.upper(), sealed + "\n", sealed + "=", sealed + "a" * 8):
        assert read_delivery_ref(f"1-{other}", secret=SECRET) is None


def test_neighbours_look_nothing_alike() -> None:
    first, second = (delivery_ref(1, seq, secret=SECRET) for seq in (1, 2))
    assert sum(a == b for a, b in zip(first[2:], second[2:], strict=True)) < 10


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4),
)
def test_a_digest_tells_values_apart_whatever_their_order(one: dict[str, str], other: dict[str, str]) -> None:
    assert values_digest(dict(reversed(one.items()))) == values_digest(one)
    assert (values_digest(one) == values_digest(other)) == (one == other)
