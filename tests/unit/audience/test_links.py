"""Links: for one person and one purpose, and of no use for anything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.links import Signer
from newsletter.errors import LinkExpired, LinkInvalid

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OLD, NEW = b"old key of 16 by", b"new key of 16 by"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
signer = Signer([OLD])


@given(st.integers(0, 2**56 - 1), st.text(max_size=20))
def test_what_was_signed_is_read(subscriber_id, purpose):
    token = signer.sign(purpose, subscriber_id)
    assert signer.read(purpose, token, now=NOW) == subscriber_id
    assert len(token) == 32
    assert set(token) <= set(ALPHABET)


def test_the_same_link_is_the_same():
    assert signer.sign("preferences", 7) == signer.sign("preferences", 7)


def test_a_link_is_for_one_purpose():
    token = signer.sign("preferences", 7)
    for other in ("commit", "preference", "preferencess", ""):
        with pytest.raises(LinkInvalid):
            signer.read(other, token, now=NOW)


@given(st.integers(0, 31), st.sampled_from(ALPHABET))
def test_a_changed_link_is_worth_nothing(place, letter):
    token = signer.sign("preferences", 7)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(LinkInvalid):
            signer.read("preferences", changed, now=NOW)


@given(st.text(max_size=40))
def test_any_other_text_is_no_link(text):
    with pytest.raises(LinkInvalid):
        signer.read("preferences", text, now=NOW)


@pytest.mark.parametrize(
    "change", [lambda t: t + "=", lambda t: t + "\n", lambda t: " " + t, lambda t: t[:-1], lambda t: t + "A"]
)
def test_there_is_one_spelling(change):
    with pytest.raises(LinkInvalid):
        signer.read("p", change(signer.sign("p", 1)), now=NOW)


def test_plus_and_slash_are_no_other_spelling_of_minus_and_underscore():
    token = next(token for n in range(999) if {"-", "_"} <= set(token := signer.sign("p", n)))
    with pytest.raises(LinkInvalid):
        signer.read("p", token.replace("-", "+").replace("_", "/"), now=NOW)


def test_a_link_expires_at_its_second():
    token = signer.sign("confirm", 7, expires_at=NOW)
    assert signer.read("confirm", token, now=NOW - timedelta(microseconds=1)) == 7
    with pytest.raises(LinkExpired):
        signer.read("confirm", token, now=NOW)
    with pytest.raises(LinkInvalid) as caught:
        signer.read("other", token, now=NOW)
    assert not isinstance(caught.value, LinkExpired)  # of a link that is not ours, nothing is told


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_link_may_expire_at_any_time_there_is(expires_at):
    token = signer.sign("confirm", 7, expires_at=expires_at)
    assert len(token) == 32
    if expires_at > NOW:
        assert signer.read("confirm", token, now=NOW) == 7
    else:
        with pytest.raises(LinkExpired):
            signer.read("confirm", token, now=NOW)


def test_a_new_key_is_put_in_front_and_old_links_go_on_working():
    both = Signer([NEW, OLD])
    assert both.read("p", signer.sign("p", 7), now=NOW) == 7
    assert both.sign("p", 7) == Signer([NEW]).sign("p", 7)
    with pytest.raises(LinkInvalid):
        Signer([NEW]).read("p", signer.sign("p", 7), now=NOW)


def test_neighbours_look_nothing_alike():
    tokens = [signer.sign("p", number) for number in range(200)]
    alike = sum(a == b for one, other in pairwise(tokens) for a, b in zip(one, other, strict=True))
    assert alike / (199 * 32) < 0.05  # chance says 1 in 64


@pytest.mark.parametrize("keys", [[], [b"short"], [OLD, b"short"]])
def test_weak_keys_are_refused(keys):
    with pytest.raises(ValueError, match="at least one key"):
        Signer(keys)
