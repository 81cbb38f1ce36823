"""What feeds would give: feeds."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

import click

from newsletter.app.feeding import Feeding, Offer
from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import instant, json_option, print_json, say, with_newsletter
from newsletter.settings.feeds import Feed


@click.command()
@json_option
@with_newsletter
def feeds(newsletter: Newsletter, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List the feeds, and what each would give a letter now.

    That is what came since the last letter was due, by the rule in newsletter.toml.
    """
    feeding = Feeding(newsletter)
    since = feeding.since()
    offers, trouble = feeding.offers(since)
    if as_json:
        print_json({"since": since, "feeds": [_plain(offer) for offer in offers], "notes": trouble})
    elif not offers:
        click.echo("There are no feeds. Name some in newsletter.toml, each under a line [[feeds]].")
    else:
        _show(offers, since)
    for note in trouble if not as_json else ():
        say(note)


def _show(offers: list[Offer], since: datetime) -> None:
    click.echo(f"New since {instant(since)}")
    for offer in offers:
        click.echo(f"\n{click.style(offer.feed.name, bold=True)} ({_about(offer.feed)})")
        for item in offer.items:
            click.echo(f"  {instant(item.at)}  {item.title}\n      {click.style(item.link, dim=True)}")
        if offer.note:
            click.echo(f"  {click.style('note:', fg='yellow')} {offer.note}")
        elif not offer.items:
            click.echo("  nothing new")


def _about(feed: Feed) -> str:
    """Where it is (its host alone: an address may hold a key), for which letters, and what is taken."""
    rule = [f"latest {feed.pick.latest}"]
    rule += [f"{feed.pick.per_source} of each site"] if feed.pick.per_source else []
    rule += [f"about {' or '.join(feed.pick.tags)}"] if feed.pick.tags else []
    letters = f"letters about {' or '.join(feed.tags)}" if feed.tags else "every letter"
    return f"{urlsplit(feed.url).hostname}; {letters}; {', '.join(rule)}"


def _plain(offer: Offer) -> dict[str, object]:
    feed = offer.feed
    return {
        "name": feed.name,
        "host": urlsplit(feed.url).hostname,
        "tags": feed.tags,
        "pick": {"latest": feed.pick.latest, "per_source": feed.pick.per_source, "tags": feed.pick.tags},
        "note": offer.note,
        "entries": [
            {"title": item.title, "sentence": item.sentence, "link": item.link, "at": item.at, "tags": item.tags}
            for item in offer.items
        ],
    }
