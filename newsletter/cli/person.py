"""One person: subscribers show, leave, suppress, forget."""

from __future__ import annotations

from collections.abc import Iterator

import click

from newsletter.app.forgetting import Copy, Done, Forgetting
from newsletter.app.newsletter import Newsletter
from newsletter.app.people import People
from newsletter.app.portrait import Portrait, portrait_of
from newsletter.audience.subscriber import State, Subscriber, ZoneSource
from newsletter.cli.output import (
    confirm,
    instant,
    json_option,
    print_json,
    print_table,
    say,
    with_newsletter,
    yes_option,
)
from newsletter.delivery.report import DeliveryStory
from newsletter.errors import StoreError

LETTERS = 5  # that are shown; explain tells of all

_MEANS = {
    State.PENDING: "asked to join and has yet to confirm; gets no letters",
    State.ACTIVE: "on the list",
    State.UNSUBSCRIBED: "left; gets no letters, and no import brings them back",
    State.BOUNCED: "the address does not work; gets no letters",
    State.COMPLAINED: "called a letter spam; gets no letters",
}
_ZONE_FROM = {
    ZoneSource.BROWSER: "their browser said so",
    ZoneSource.IMPORT: "from a list",
    ZoneSource.DEFAULT: "not known; the newsletter's own",
}


@click.command(short_help="Show all that is known of one person.")
@click.argument("address")
@json_option
@with_newsletter
def show(newsletter: Newsletter, address: str, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show all that is known of one person, and the evidence of their consent."""
    found = portrait_of(newsletter, address)
    if as_json:
        print_json(_as_data(found))
        return
    print_table(("", ""), [(name, text) for name, text in _known(found, newsletter.settings.timezone) if text])
    click.echo("\nConsent, and what it rests on")
    print_table(
        ("when", "became", "by", "evidence", "agreed to"),
        [
            (instant(each.at), each.state or "", each.how, each.source, found.agreed.get(each.text, each.text))
            for each in found.history
        ],
    )
    if found.came_back:
        click.echo("\nCame back for now")
        print_table(
            ("when", "letter", "why"), [(instant(each.at), each.issue_id, each.what) for each in found.came_back]
        )
    if found.letters:
        click.echo("\nLetters")
        print_table(("when", "letter", "stands"), [_letter(each) for each in found.letters[:LETTERS]])
    more = len(found.letters) - LETTERS
    if found.letters:
        say(f"Step by step{f', and {more:,} more' if more > 0 else ''}: newsletter explain ADDRESS")


def _known(found: Portrait, own_zone: str) -> Iterator[tuple[str, str]]:
    person = found.person
    state = f"{person.state.value}: {_MEANS[person.state]}"
    yield "address", person.address
    yield "name", person.name
    yield "greeted as", person.first_name
    yield "consent", f"{state} (since {instant(found.since)})" if found.since else state
    if found.suppressed:
        yield "suppressed", f"since {instant(found.suppressed.at)}: {found.suppressed.what}; gets no letters"
    yield "on the list from", instant(person.joined_at) if person.state is not State.PENDING else ""
    yield "paused until", instant(person.paused_until)
    yield "wants letters", person.frequency.value
    yield "time zone", f"{person.zone or own_zone} ({_ZONE_FROM[person.zone_source]})"
    yield "language", person.language
    yield "tags", ", ".join(sorted(person.tags))
    yield from person.attributes.items()
    yield "mails of their own", ", ".join(f"{kind} {count:,} {state}" for (kind, state), count in found.mails.items())
    yield "number", str(person.id)


def _letter(story: DeliveryStory) -> tuple[str, str, str]:
    stands = story.status.value if story.status else "not planned"
    return instant(story.steps[-1].at), story.issue_id, f"{stands}: {story.reason}" if story.reason else stands


def _as_data(found: Portrait) -> dict[str, object]:
    return {
        **_person_as_data(found.person),
        "since": found.since,
        "suppressed": found.suppressed is not None,
        "suppression": {"at": found.suppressed.at, "reason": found.suppressed.what} if found.suppressed else None,
        "consent": [
            {"at": each.at, "state": each.state, "how": each.how, "source": each.source, "text": each.text}
            for each in found.history
        ],
        "came_back": [{"at": each.at, "issue": each.issue_id, "reason": each.what} for each in found.came_back],
        "mails": [{"kind": kind, "state": state, "count": count} for (kind, state), count in found.mails.items()],
        "letters": [
            {"issue": each.issue_id, "status": each.status, "reason": each.reason, "at": each.steps[-1].at}
            for each in found.letters
        ],
    }


def _person_as_data(person: Subscriber) -> dict[str, object]:
    return {
        "id": person.id,
        "address": person.address,
        "name": person.name,
        "first_name": person.first_name,
        "state": person.state.value,
        "joined_at": person.joined_at,
        "paused_until": person.paused_until,
        "frequency": person.frequency.value,
        "timezone": person.zone,
        "timezone_from": person.zone_source.value,
        "language": person.language,
        "tags": sorted(person.tags),
        "fields": dict(person.attributes),
    }


@click.command()
@click.argument("address")
@click.option("--evidence", required=True, help="How they asked to be taken off, in words.")
@with_newsletter
def leave(newsletter: Newsletter, address: str, evidence: str) -> None:
    """Take one person off the list who asked for it.

    Example: newsletter subscribers leave zoe@example.org --evidence "asked by mail, 2026-11-20"
    """
    say("They left." if People(newsletter).leave(address, source=evidence) else "They had left already.")


@click.command()
@click.argument("address")
@click.option("--reason", required=True, help="Why, in words; it is kept, and names nobody.")
@with_newsletter
def suppress(newsletter: Newsletter, address: str, reason: str) -> None:
    """Never mail an address again, be it on the list or not.

    Only a keyed hash of the address is kept for that. Example: newsletter subscribers suppress zoe@example.org --reason
    "her lawyer wrote"
    """
    People(newsletter).suppress(address, reason=reason)
    say("Suppressed: no letter goes to this address, and no import changes that.")


@click.command(short_help="Erase one person, and keep them off the list.")
@click.argument("address")
@yes_option
@json_option
@with_newsletter
def forget(newsletter: Newsletter, address: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Erase all that is known of one person, for good, and keep their address off the list.

    What stays is the hash of the address, and numbers that name nobody. Only they themselves can come back.
    """
    people = People(newsletter)
    known = "They are on the list" if people.knows(address) else "Nobody on the list has this address"
    if not confirm(f"{known}. Forget this person for good? Nothing brings back what is erased.", yes=yes):
        raise click.Abort
    forgetting = Forgetting(newsletter)
    done = forgetting.forget(address, how="forget")
    copies = list(forgetting.copies(done.forgotten))
    if as_json:
        print_json(_done_as_data(done, copies))
    else:
        _show_done(done, copies)
    if not done.swept:
        hint = "run the same command again when nothing else is at work on it"
        raise StoreError("they are forgotten, but traces may be left in free parts of the file", hint=hint)


def _show_done(done: Done, copies: list[Copy]) -> None:
    if done.forgotten.on_list:
        say("Forgotten: name, address, fields, evidence, links; their deliveries are numbers that name nobody.")
    else:
        say("Nobody on the list had this address. It is kept off the list from now on, by its hash alone.")
    if done.messages:
        say(f"Deleted from the outbox: {done.messages:,} message{'s' if done.messages != 1 else ''}.")
    click.echo("What this could not reach:")
    print_table(
        ("where", "until", "what to do"),
        [(each.where, instant(each.until) or "no date", each.advice) for each in copies],
    )


def _done_as_data(done: Done, copies: list[Copy]) -> dict[str, object]:
    return {
        "on_list": done.forgotten.on_list,
        "letters": done.forgotten.letters,
        "messages": done.messages,
        "swept": done.swept,
        "copies": [{"where": each.where, "until": each.until, "advice": each.advice} for each in copies],
    }
