"""Whether the way in which readers leave is enough for so many of them."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.app.newsletter import Newsletter
from newsletter.audience.subscriber import State
from newsletter.sources.finding import Finding, error
from newsletter.store.subscribers import SqlPeople

ONE_CLICK_FROM = 5000  # people in a day: from here on Gmail and Yahoo want a letter to be left with one click


def examine(newsletter: Newsletter) -> Iterator[Finding]:
    """Nothing, unless leaving by mail is too little for the list."""
    if newsletter.settings.leave_mode != "mailto":
        return
    people = SqlPeople(newsletter.database).count_by_state().get(State.ACTIVE, 0)
    if people >= ONE_CLICK_FROM:
        told = f"{people:,} people may be mailed in a day, and can leave by mail only"
        fix = 'set [leave] mode = "own" and serve the page, or "provider" with Mailgun: mailboxes want one click'
        yield error("leaving", told, fix)
