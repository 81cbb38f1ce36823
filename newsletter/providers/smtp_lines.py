"""The connections of one lane to a submission server: opened beside the work, kept, renewed and given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container
from concurrent.futures import FIRST_COMPLETED, Future, wait

from newsletter.providers.pipeline import Line
from newsletter.providers.submission import Submission

RETRY_S = 30.0  # until more connections are asked for again, where the server let us have only some


class Lines:
    """At most so many connections. Opening one takes as long as it takes, and nobody waits for it."""

    def __init__(self, server: Submission, *, most: int, recycle_after: int) -> None:
        """Connections to *server*, each replaced after so many messages (0: never). Nothing is opened yet."""
        self.server, self.most, self._recycle_after = server, most, recycle_after
        self.lines: list[Line] = []
        self._opening: list[Future[Line]] = []
        self._more_at = 0.0

    def ready(self, wanted: int, *, busy: Container[Line]) -> list[Line]:
        """The connections there are, while what is missing of *wanted* is opened; worn out ones go, if not *busy*.

        Raises ProviderBusy or ProviderRefused if there is none and the server would not let us have one.
        """
        failed = self._take_in()
        self._let_go(busy)
        there = len(self.lines) + len(self._opening)
        if failed and not there:
            raise failed
        if not there or time.monotonic() >= self._more_at:
            missing = min(wanted, self.most) - there
            self._opening += [_in_background(self.server.open) for _ in range(missing)]
        return list(self.lines)

    def wait(self, seconds: float) -> None:
        """Wait for one that is being opened."""
        wait(self._opening, timeout=seconds, return_when=FIRST_COMPLETED)

    def worn_out(self, line: Line) -> bool:
        """Whether a connection has carried as many messages as it may."""
        return bool(self._recycle_after) and line.messages >= self._recycle_after

    def close(self) -> None:
        """Take leave of the server; a connection that is still being opened is closed when it is there."""
        for line in self.lines:
            line.close(politely=True)
        self.lines.clear()
        for future in self._opening:
            future.add_done_callback(_hang_up)
        self._opening.clear()

    def _take_in(self) -> BaseException | None:
        """Take in what was opened meanwhile; what went wrong, if anything did."""
        failed: BaseException | None = None
        for future in [each for each in self._opening if each.done()]:
            self._opening.remove(future)
            error = future.exception()
            if error is None:
                self.lines.append(future.result())
            else:
                failed, self._more_at = error, time.monotonic() + RETRY_S
        return failed

    def _let_go(self, busy: Container[Line]) -> None:
        for line in list(self.lines):
            if line not in busy:
                line.exchange()  # the server may have hung up while nothing was to be sent
                if line.broken or self.worn_out(line):
                    line.close(politely=True)
                    self.lines.remove(line)


def _in_background(work: Callable[[], Line]) -> Future[Line]:
    """What *work* gives, or raises, in a thread that no exit waits for."""
    future: Future[Line] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as err:  # noqa: BLE001 - handed on to whoever asks
            future.set_exception(err)

    threading.Thread(target=run, name="smtp-open", daemon=True).start()
    return future


def _hang_up(future: Future[Line]) -> None:
    if future.exception() is None:
        future.result().close(politely=True)
