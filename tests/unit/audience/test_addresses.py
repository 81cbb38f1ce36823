"""Addresses: quick, and with the verdict of email-validator in every case."""

from __future__ import annotations

import random
import string

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.audience.addresses import BadAddress, read_address

LOCAL = [
    "ana", "Ana.Example", "a+b", "o'hara", "_x_", "INFO", "Postmaster", ".ana", "ana.", "a..b", "a b", "", '"a b"',
    "a@b", "zoë", "a\u0301", "x" * 64, "x" * 65, "x" * 250, "-", "{}", "a\\b", "<a", "a,b", "(c)", "1", "٣", "a\n", "ﬁ",
]  # fmt: skip
DOMAIN = [
    "example.org", "EXAMPLE.Org", "a.b.c.example.org", "bücher.de", "BÜCHER.de", "xn--bcher-kva.de", "xn--zzzz-.de",
    "localhost", "x.localhost", "a.test", "a.invalid", "x.local", "1.2.3.4", "[1.2.3.4]", "example.c", "example.1",
    "example", "", "-a.org", "a-.org", "a_b.org", "a..org", ".org", "a.org.", "ab--cd.org", "x." + "y" * 63 + ".org",
    "y" * 64 + ".org", "a.onion", "1.in-addr.arpa", "пример.рф", "例え.jp", "a。org", "exa mple.org", "a.org\n",
    "faß.de", "\u200b.org", "a.xn--p1ai", "ab--cd", "x.ab--cd", "a" + ".b" * 125 + ".org", "example.org>",
]  # fmt: skip


def oracle(text: str) -> str | None:
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False).ascii_email
    except EmailNotValidError:
        return None


def ours(text: str) -> str | None:
    try:
        return read_address(text)
    except BadAddress as problem:
        if len(text) > 3 and text in str(problem):
            raise
        return None


@pytest.mark.parametrize("domain", DOMAIN)
def test_the_verdict_is_email_validators(domain):
    for local in LOCAL:
        text = f"{local}@{domain}"
        assert ours(text) == oracle(text), text


@given(st.text(string.ascii_letters + string.digits + "@.-_+'\" äß\n<>()", max_size=40))
@example("ana")
@example("@")
@example("a@b@example.org")
@example("Ana <ana@example.org>")
def test_the_verdict_on_any_text_is_email_validators(text):
    assert ours(text) == oracle(text)


DOMAINS = st.lists(
    st.one_of(
        st.sampled_from(
            ["", "xn--", "localhost", "test", "127", "b_c", "org", "xn--0", "。", "[", "\udcff", "\0", "-", "@"]
        ),
        st.text(max_size=8),
        st.text(max_size=8).map(lambda word: f"xn--{word}"),
    ),
    max_size=5,
).map(".".join)


@given(DOMAINS)
@example("example.org.")
@example("b_c.co")
@example("localhost")
@example("127.0.0.1")
@example("b.test")
@example("xn--0.co")
def test_any_domain_is_read_or_refused(domain):
    assert ours(f"ada@{domain}") == oracle(f"ada@{domain}")


@pytest.mark.parametrize("length", [120, 121, 254, 255, 100_000])
def test_an_address_has_at_most_254_characters(length):
    text = "a@" + ("b" * 50 + ".") * (length // 51)
    text += "c" * (length - len(text) - 4) + ".org"
    assert (ours(text) is None) == (length > 254)


def test_the_verdict_on_many_made_up_addresses_is_email_validators():
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits + "-.."

    def word(length: int) -> str:
        return "".join(chance.choice(letters) for _ in range(chance.randrange(1, length)))

    texts = [f"{word(12)}@{word(14)}.{chance.choice(['org', 'de', 'COM', 'x1', 'test'])}" for _ in range(3000)]
    verdicts = [(text, ours(text), oracle(text)) for text in texts]
    assert [each for each in verdicts if each[1] != each[2]] == []
    assert len({verdict for _, verdict, _ in verdicts}) > 1000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no address"),
        ("ana", "no @"),
        ("zoë@example.org", "before the @ that many mail servers do not take"),
        ("ana@nowhere", "after the @ is no domain"),
        ("ana@", "after the @ is no domain"),
        ("a..b@example.org", "before the @ cannot be right"),
        ("x" * 300 + "@example.org", "too long"),
    ],
)
def test_a_bad_address_is_explained(text, reason):
    with pytest.raises(BadAddress, match=reason):
        read_address(text)
