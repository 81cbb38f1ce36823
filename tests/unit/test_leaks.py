"""The watch over addresses and secrets can see them, and the fixtures have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import NewsletterError
from tests.leaks import leaks_in, overheard

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "text",
    [
        "could not mail ada.reader@example.org: mailbox full",
        "the key re_for_tests_only is wrong",
        "postgresql://nl:hunter2@db.example.org/nl",
        "AGE-SECRET-KEY-1QQQQ",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_a_leak_is_seen(text: str) -> None:
    assert leaks_in(text)


def test_our_own_address_is_none() -> None:
    assert leaks_in("mail leave@example.org, or postgresql://user:…@host/name") == []


def test_what_an_error_says_is_heard() -> None:
    list(overheard())
    NewsletterError("no answer", hint="ask ada.reader@example.org")
    assert list(overheard()) == ["ada.reader@example.org"]


def test_fixtures_hold_no_secret_and_nobody_real() -> None:
    for path in sorted(TESTS.rglob("fixtures/**/*")):
        if path.is_file():
            for leak in leaks_in(path.read_text()):
                assert leak.endswith((".example.org", "@example.org", "@example.com", ".example.com")), path
