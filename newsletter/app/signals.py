"""How a command is asked to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

_LOOK_S = 0.2


class OwnStop(threading.Event):
    """Is set when *asked* is, and may be set by itself: what ends one tick must not end the daemon it belongs to."""

    def __init__(self, asked: threading.Event) -> None:
        """Nobody has set it yet, unless they were *asked*."""
        super().__init__()
        self._asked = asked

    def is_set(self) -> bool:
        """Whether to begin nothing more."""
        return super().is_set() or self._asked.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it was set within so many seconds."""
        until = None if timeout is None else monotonic() + timeout
        while not self.is_set():
            left = _LOOK_S if until is None else until - monotonic()
            if left <= 0:
                break
            super().wait(min(left, _LOOK_S))
        return self.is_set()


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second of them ends the process as usual."""
    asked = threading.Event()

    def ask(number: int, _frame: object) -> None:
        asked.set()
        signal.signal(number, before[signal.Signals(number)])

    # Known before the first of ours is in place: it may be needed at once. None is one that C code has put there.
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, ask)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
