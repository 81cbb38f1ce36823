"""Who carries the mail, by name: one line for each provider, loaded when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from newsletter.errors import SettingsError
from newsletter.settings.read import Settings

if TYPE_CHECKING:
    from newsletter.usecases.ports import Provider

Stop = Callable[[], bool]  # whether the operator asked to stop


def carrier(settings: Settings, *, lane_share: int, stop: Stop) -> Provider:
    """A provider for one lane of a sender; *lane_share* lanes share what it may have of connections."""
    return _CARRIERS[settings.provider](settings, lane_share, stop)


def _outbox(settings: Settings, _lane_share: int, _stop: Stop) -> Provider:
    from newsletter.providers.outbox import Outbox

    return Outbox(settings.root / settings.carrier["folder"])


def _secret(settings: Settings, name: str) -> str:
    if name not in settings.secrets:
        raise SettingsError("is not set", at=name, hint=f"{settings.provider} needs it; it is read from the environment only")
    return settings.secrets[name]


_CARRIERS: Mapping[str, Callable[[Settings, int, Stop], Provider]] = {
    "outbox": _outbox,
}
