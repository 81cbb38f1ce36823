"""The daemon: a heartbeat that calls the same tick again and again, and nothing else.

`schedule` counts in the machine's local time, which can go back: by an hour in autumn, by any span when somebody
sets the clock. All it is trusted with is "again in so many seconds"; what is due for whom is decided by the tick.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from schedule import Scheduler

from newsletter.usecases.tick import Did, in_words, problem_in_words

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How one tick of the daemon went; `did` is None where it could not be done."""

    at: datetime
    did: Did | None
    error: str

    @property
    def ok(self) -> bool:
        """Whether nobody has to look."""
        return self.did is not None and not (self.did.problems or self.did.in_doubt or self.did.held)

    @property
    def said(self) -> str:
        """In a few words; no addresses."""
        return in_words(self.did) if self.did else self.error


class Heartbeat:
    """Calls *tick* every so many seconds, whatever becomes of it, until it is asked to stop."""

    def __init__(self, tick: Callable[[], Did], *, every_s: int, told: Callable[[Beat], None]) -> None:
        """Every tick is *told*, also those that failed; where nobody can be told, the next comes all the same."""
        self._tick, self._told, self._every_s = tick, told, every_s
        self._scheduler = Scheduler()

    def run(self, stop: threading.Event) -> None:
        """Tick at once and then every so often; returns soon after *stop* is set."""
        self._beat()
        self._again()
        while not stop.wait(_LOOK_S):
            idle = self._scheduler.idle_seconds
            if idle is None or idle > self._every_s:  # the clock went back
                self._again()
            self._scheduler.run_pending()

    def _again(self) -> None:
        self._scheduler.clear()
        self._scheduler.every(self._every_s).seconds.do(self._beat)

    def _beat(self) -> None:
        at = datetime.now(UTC)
        did, error = None, ""
        try:
            did = self._tick()
        except Exception as err:  # noqa: BLE001 - one bad tick must not be the last
            error = problem_in_words(err)
        with suppress(OSError, UnicodeError):
            self._told(Beat(at=at, did=did, error=error))


def write_health(path: Path, beat: Beat) -> None:
    """Say in a file how the newest tick went, for whoever watches; whole or not at all."""
    data = {"at": beat.at.isoformat(timespec="seconds"), "ok": beat.ok, "said": beat.said}
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(data) + "\n", encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105 - as everywhere
