"""The daemon's heartbeat outlives whatever a tick, `schedule` or the machine's clock does."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from newsletter.app.heartbeat import Beat, Heartbeat, write_health
from newsletter.errors import StoreError
from newsletter.usecases.tick import Did


class Patient:
    """Ticks, does what each of them is to do, and has the heart stopped after the last."""

    def __init__(self, *deeds: object) -> None:
        self.deeds, self.beats, self.stop = list(deeds), list[Beat](), threading.Event()
        self.heart = Heartbeat(self.tick, every_s=1, told=self.told)

    def tick(self) -> Did:
        deed = self.deeds.pop(0)
        if callable(deed):
            deed()
        if isinstance(deed, Exception):
            raise deed
        return deed if isinstance(deed, Did) else Did()

    def told(self, beat: Beat) -> None:
        self.beats.append(beat)
        if not self.deeds:
            self.stop.set()

    def live(self) -> list[Beat]:
        thread = threading.Thread(target=self.heart.run, args=(self.stop,), daemon=True)
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive(), f"the heart stopped after {len(self.beats)} beats"
        return self.beats


def test_a_tick_that_fails_is_told_and_followed_by_the_next() -> None:
    failures = StoreError("the database is locked", hint="wait"), ValueError("reader1@example.org")
    beats = Patient(Did(sent={"a": 2}), *failures, Did(problems=("x",))).live()
    assert [beat.said.partition(" in ")[0] for beat in beats] == [
        "2 sent",
        "the database is locked (wait)",
        "a bug: ValueError",
        "1 problem",
    ]
    assert [beat.ok for beat in beats] == [True, False, False, False]


def test_where_nobody_can_be_told_the_heart_beats_on() -> None:
    """The disk of the health file is full, or whoever read the lines is gone."""
    patient = Patient(Did(), Did(), Did())
    told = patient.told

    def speechless(beat: Beat) -> None:
        told(beat)
        raise BrokenPipeError

    patient.heart = Heartbeat(patient.tick, every_s=1, told=speechless)
    assert len(patient.live()) == 3


def test_a_clock_that_goes_back_does_not_stop_the_heart() -> None:
    """In autumn local time is an hour back, and `schedule` would wait until it is as late again."""
    patient = Patient(Did(), None, Did())

    def an_hour_back() -> None:
        for job in patient.heart._scheduler.jobs:
            threading.Timer(0.1, lambda job=job: setattr(job, "next_run", job.next_run + timedelta(hours=1))).start()

    patient.deeds[1] = an_hour_back
    assert len(patient.live()) == 3


def test_the_health_file_says_how_the_last_tick_went(tmp_path: Path) -> None:
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    for did, ok in (
        (Did(sent={"a": 2}), True),
        (Did(problems=("x",)), False),
        (Did(held={"a": 1}), False),
        (Did(in_doubt={"a": 1}), False),
    ):
        write_health(tmp_path / "health.json", Beat(at=at, did=did, error=""))
        said = json.loads((tmp_path / "health.json").read_text())
        assert said["at"] == "2026-11-23T08:00:00+00:00"
        assert said["ok"] is ok
    assert [path.name for path in tmp_path.iterdir()] == ["health.json"]
