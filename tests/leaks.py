"""Addresses and secrets where they must never be: in what is printed, logged, raised, or kept as a fixture.

Everything the tests print or log, every text of an error that is made while they run, and every word a command says on
stderr passes through `leaks_in`. Whoever runs a command on purpose to see an address reads it from its stdout.
"""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the tests use as passwords and keys; whoever adds one adds it here.
SECRETS = (
    "re_for_tests_only",
    "re_wrong_key_123456",
    "re_another_wrong_key",
    "key-for-tests-only",
    "secret-for-tests",
    "p4ssw0rd-for-tests",
)
_SECRET = re.compile(
    r"AGE-SECRET-KEY-1\w{4,}|-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:re_|key-|SG\.)[A-Za-z0-9_-]{12,}"
    r"|\w+://[^/\s:@]+:(?!password@host|…@)[^/\s@]+@"
)
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[a-z]{2,}")
# Of the newsletter itself, and the ones that hints show as an example.
_OURS = re.compile(r"(?:letters?|leave|newsletter|bounces?|you|me|someone|somebody|reply|editor)(?:[+-][\w-]+)?@")

_said: list[str] = []


def leaks_in(text: str) -> list[str]:
    """The secrets and the readers' addresses in *text*."""
    found = [secret for secret in SECRETS if secret in text]
    found += [match[0] for match in _SECRET.finditer(text)]
    return found + [match[0] for match in _ADDRESS.finditer(text) if not _OURS.match(match[0])]


def overhear_errors() -> None:
    """From now on keep the texts of every error that is made."""
    real = NewsletterError.__init__

    @wraps(real)
    def init(self: NewsletterError, message: str, *, hint: str = "", at: str = "", **more: Any) -> None:
        _said.append(f"{message}\n{hint}\n{at}")
        real(self, message, hint=hint, at=at, **more)

    NewsletterError.__init__ = init  # type: ignore[method-assign]


def overheard() -> Iterator[str]:
    """The leaks in the errors made since the last time."""
    while _said:
        yield from leaks_in(_said.pop())
