"""What comes next, and whether anybody is there to send it: the next letter that is due, and the last tick."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from newsletter.app.newsletter import Newsletter
from newsletter.audience.asking import MailState
from newsletter.schedule import day_in, newest_day
from newsletter.sources.finding import Finding, fine, warning
from newsletter.store.agenda import SqlAgenda, SqlTurns
from newsletter.store.mails import SqlMails
from newsletter.usecases.approve import paths

SOON = timedelta(days=2)  # before its day: whoever is to approve a letter or to start ticks has time to
SILENT = timedelta(hours=26)  # the schedule of GitHub's workflow has a tick a day


def examine(newsletter: Newsletter) -> Iterator[Finding]:
    """What is due next, and when the last tick was."""
    now = newsletter.clock()
    agenda = SqlAgenda(newsletter.database)
    letter = _next_letter(newsletter, agenda.planned(), now)
    due_at = agenda.next_due(now=now)
    yield _next(newsletter, letter, due_at, now)
    waiting = bool(due_at) or bool(agenda.waiting(now=now, not_before=now - newsletter.window))
    yield _last(newsletter, expected=waiting or (letter is not None and _is_soon(letter, now)), now=now)
    yield from _mails(newsletter)


def _next_letter(newsletter: Newsletter, planned: set[str], now: datetime) -> str | None:
    """The first letter whose day is not over and that is not planned yet."""
    today = (now - timedelta(hours=12)).date()
    to_come = (each for each in newsletter.workspace.letter_ids() if (day := day_in(each)) and day >= today)
    return next((letter for letter in to_come if letter not in planned), None)


def _next(newsletter: Newsletter, letter: str | None, due_at: datetime | None, now: datetime) -> Finding:
    if due_at is not None:
        return fine("next", f"a planned letter goes on at {due_at:%a %d %b %Y %H:%M} UTC")
    if letter is None:
        return warning("next", "no letter is coming", 'begin one: newsletter new "A title"')
    approved = newsletter.workspace.optional(paths(letter)[0]) is not None
    about = f"{letter}, {'approved' if approved else 'not approved yet'}"
    if approved or not _is_soon(letter, now):
        return fine("next", about)
    return warning("next", about, f"look at it, then: newsletter approve {letter}")


def _last(newsletter: Newsletter, *, expected: bool, now: datetime) -> Finding:
    turn = SqlTurns(newsletter.database).last()
    fix = "is newsletter run alive, or the workflow send switched on? See docs/operations.md"
    if turn is None:
        told = "there was none yet; letters go out by newsletter send only"
        return warning("last tick", told, fix) if expected else fine("last tick", told)
    when = turn.ended_at or turn.began_at
    said = turn.said if turn.ended_at else "under way, or it died"
    told = f"{when:%a %d %b %Y %H:%M} UTC: {said}"
    return warning("last tick", told, fix) if expected and now - when > SILENT else fine("last tick", told)


def _mails(newsletter: Newsletter) -> Iterator[Finding]:
    """Mails to one person that wait, or that nobody knows of whether they left."""
    counts = SqlMails(newsletter.database).counts()
    words = {MailState.QUEUED: "to leave with the next tick", MailState.DOUBT: "in doubt: who misses one asks again"}
    told = [f"{counts[state]:,} {word}" for state, word in words.items() if counts.get(state)]
    if told:
        yield fine("mails", "; ".join(told))


def _is_soon(letter: str, now: datetime) -> bool:
    day = day_in(letter)
    return day is not None and day <= newest_day(now + SOON)
