"""Why an address gave nothing, in a few words that never hold the address itself."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

UNKNOWN = "its name is not known here"


def causes(err: BaseException) -> Iterator[BaseException]:
    """An error and all it was made from; urllib3 keeps some as arguments and some as reasons."""
    seen: list[BaseException] = []
    waiting: list[object] = [err]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
            yield each


def in_words(err: BaseException) -> tuple[str, bool]:
    """Why the connection failed, and whether for want of a network or a name."""
    found = list(causes(err))
    for each in found:
        if isinstance(each, socket.gaierror):
            offline = each.errno == socket.EAI_AGAIN
            return "no names can be looked up just now" if offline else UNKNOWN, offline
        if isinstance(each, ssl.SSLCertVerificationError):
            return "its certificate is not valid for this name", False
        if isinstance(each, OSError) and each.errno in (errno.ENETUNREACH, errno.ENETDOWN):
            return "there is no network", True
        if isinstance(each, ConnectionRefusedError):
            return "it refuses connections", False
    if any(isinstance(each, TimeoutError) for each in found):
        return "it does not answer", False
    return "the connection broke", False
