"""Asked to stop at any moment, a command hears it."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from newsletter.app.signals import OwnStop, until_stopped


def test_a_signal_between_the_first_handler_and_the_second_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signal.signal

    def hasty(number: int, handler: object) -> object:
        monkeypatch.undo()
        before = real(number, handler)  # type: ignore[arg-type]
        signal.raise_signal(number)
        return before

    monkeypatch.setattr(signal, "signal", hasty)
    with until_stopped() as stop:
        assert stop.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_signal_ends_the_process_as_usual() -> None:
    with until_stopped() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_ends_one_tick_ends_no_other() -> None:
    """A daemon whose tick lost its turn goes on to the next."""
    asked = threading.Event()
    stop = OwnStop(asked)
    assert not stop.wait(0.01)
    stop.set()
    assert stop.is_set()
    assert stop.wait(5)
    assert not asked.is_set()


def test_who_was_asked_to_stop_hears_it_while_waiting() -> None:
    asked = threading.Event()
    threading.Timer(0.1, asked.set).start()
    began = time.monotonic()
    assert OwnStop(asked).wait(30)
    assert time.monotonic() - began < 5
