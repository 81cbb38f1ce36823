"""Asked to stop at any moment, a command hears it."""

from __future__ import annotations

import signal

import pytest

from newsletter.app.signals import until_stopped


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
