"""What the provider knows of our people, wired: asked by a command, and by every tick whose time it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from time import monotonic

from newsletter.app.carriers import carrier, tells
from newsletter.app.newsletter import Newsletter
from newsletter.delivery.news import Heard
from newsletter.errors import NotFound
from newsletter.store.bookmarks import SqlBookmarks
from newsletter.usecases.ports import Provider
from newsletter.usecases.sync import Sync

_NAMES = ("region", "domain", "url")  # settings that say whose account it is


class Syncing:
    """Hears from the provider of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Sync *newsletter*."""
        settings = newsletter.settings
        account = (settings.provider, *(settings.carrier[name] for name in _NAMES if settings.carrier.get(name)))
        self._newsletter = newsletter
        self._sync = Sync(
            name=f"sync {' '.join(account)}",
            bookmarks=SqlBookmarks(newsletter.database),
            clock=newsletter.clock,
        )

    def due(self) -> bool:
        """Whether a tick asks now."""
        return self._sync.due()

    def sync(self, *, stop: threading.Event, limit: timedelta | None = None) -> Heard:
        """What was heard until *stop* is set or *limit* is over. Raises NotFound where the provider tells nothing."""
        from newsletter.app.hearing import Hearing  # which most ticks have no use for

        enough = _enough(stop, limit)
        with closing(self._carrier(stop)) as provider:
            listener = Hearing(self._newsletter)
            return self._newsletter.durably(lambda: self._sync.sync(provider, listener, enough=enough))

    def rehearse(self, *, stop: threading.Event) -> dict[str, int]:
        """How much news of each kind there is."""
        with closing(self._carrier(stop)) as provider:
            return self._sync.rehearse(provider, enough=stop.is_set)

    def _carrier(self, stop: threading.Event) -> Provider:
        settings = self._newsletter.settings
        if not tells(settings):
            hint = "mailgun, ses and resend can; what smtp cannot deliver comes back as mail"
            raise NotFound(f"{settings.provider} cannot be asked who left or bounced", hint=hint)
        return carrier(settings, lanes=1, stop=stop.is_set, clock=self._newsletter.clock)


def _enough(stop: threading.Event, limit: timedelta | None) -> Callable[[], bool]:
    until = monotonic() + limit.total_seconds() if limit else None
    return lambda: stop.is_set() or (until is not None and monotonic() >= until)
