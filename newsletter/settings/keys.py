"""The keys of newsletter.toml: one table, which the documentation is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import Any

from newsletter.settings import values


@dataclass(frozen=True, slots=True)
class Key:
    """One key of newsletter.toml: what it means, how it is read, and what stands in where it is absent."""

    check: Callable[[object], Any]
    about: str
    default: Any = None
    field: str = ""  # of Settings, where it is not called like the key


REQUIRED = object()

KEYS: dict[str, dict[str, Key]] = {
    "": {
        "database": Key(
            values.database, "Where people and deliveries are kept.", "sqlite:///subscribers/newsletter.db"
        ),
    },
    "newsletter": {
        "name": Key(values.one_text, "What the newsletter is called.", REQUIRED),
        "tagline": Key(values.text_or_nothing, "One line under the name.", ""),
        "language": Key(values.language, "The language letters are written in, unless they say otherwise.", "en"),
        "timezone": Key(values.zone, "The zone of readers whose own is unknown.", "UTC"),
        "theme": Key(values.name, "A folder of templates/.", "letter"),
        "audience": Key(values.name, "The segment a letter goes to, unless it says otherwise.", "everyone"),
    },
    "sender": {
        "name": Key(values.one_text, "Who the letter is from.", REQUIRED, "sender_name"),
        "address": Key(values.address, "The address it is from.", REQUIRED, "sender_address"),
        "reply_to": Key(values.address_or_nothing, "Where answers go, if elsewhere.", ""),
        "postal_address": Key(values.lines, "The postal address the law asks for, line by line.", REQUIRED),
        "list_id": Key(values.domain, "The list's name for ever (RFC 2919), under a domain of yours.", REQUIRED),
        "reason": Key(
            values.one_text, "Why a reader gets this letter.", "You receive this letter because you asked for it."
        ),
    },
    "site": {"url": Key(values.site, "Where your pages are.", REQUIRED, "site_url")},
    "schedule": {
        "time": Key(values.clock, "The time of day letters are due, unless they say otherwise.", time(8)),
        "window_hours": Key(values.hours, "How long after its due time a letter may still leave.", 36),
    },
    "leave": {
        "mode": Key(
            values.one_of("own", "mailto"), "How readers leave: a page of your own, or by mail.", "own", "leave_mode"
        ),
        "mailto": Key(values.address_or_nothing, "The mailbox that takes 'leave' mails.", "", "leave_mailto"),
    },
    "provider": {
        "name": Key(values.one_of("outbox"), "Who carries the mail.", "outbox", "provider"),
        "outbox": Key(values.one_text, "The folder the outbox writes to.", "outbox", "outbox"),
    },
}
