"""The exports of other newsletter services, as data: how each is recognised, and what its columns mean.

Where a service documents its file, or writes it in code that can be read, that is named beside the row; what only
others told, who read such files, is marked as theirs. Looked at in November 2026.

What a service knows of people beyond this - addresses of machines, places, how often they opened a letter - is not
taken: letters have no use for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from newsletter.audience.subscriber import State

ANY = "*"  # for every word but none: a cell that holds the date of a departure
_SAID_BY_FILE_NAME = {
    "subscribed": State.ACTIVE,
    "unsubscribed": State.UNSUBSCRIBED,
    "cleaned": State.BOUNCED,
    "nonsubscribed": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What the columns of one service's export mean, by their names as `column_name` writes them."""

    name: str
    signs: tuple[frozenset[str], ...]  # recognised by one column of each
    fields: Mapping[str, str]  # the field that a column is; of several for `joined`, the first that is not empty
    states: tuple[tuple[tuple[str, ...], Mapping[str, State]], ...] = ()  # the first of these columns, and its words
    dates: Mapping[str, str] = field(default_factory=dict)  # what happened then: it becomes evidence
    bags: tuple[str, ...] = ()  # JSON objects of fields
    silent: bool = False  # the file does not say who left: its name has to, or whoever brings it
    caution: str = ""


def _one(*names: str) -> frozenset[str]:
    return frozenset(names)


def _words(state: State, *words: str) -> dict[str, State]:
    return dict.fromkeys(words, state)


# What is most surely recognised comes first: Kit's are columns that many lists have.
EXPORTS = (
    # One file for each state, named subscribed_email_audience_export_….csv and so on, formerly
    # subscribed_members_export_….csv. Headers as in files that others read:
    # github.com/buren/honey_format spec/honey_format_spec.rb
    Export(
        name="Mailchimp",
        signs=(_one("email_address"), _one("leid", "euid", "member_rating"), _one("optin_time", "confirm_time")),
        fields={
            "email_address": "address",
            "first_name": "first_name",
            "last_name": "last_name",
            "timezone": "zone",
            "tags": "tags",
            "confirm_time": "joined",
            "optin_time": "joined",
        },
        states=((("unsub_time",), {ANY: State.UNSUBSCRIBED}), (("clean_time",), {ANY: State.BOUNCED})),
        dates={"optin_time": "signed up", "confirm_time": "confirmed", "unsub_time": "left", "clean_time": "bounced"},
        silent=True,
    ),
    # github.com/TryGhost/migrate packages/mg-substack; `active_subscription` is about money alone
    Export(
        name="Substack",
        signs=(_one("email"), _one("active_subscription"), _one("email_disabled")),
        fields={"email": "address", "name": "name", "created_at": "joined"},
        states=((("email_disabled",), _words(State.UNSUBSCRIBED, "true") | _words(State.ACTIVE, "false")),),
        dates={"created_at": "signed up"},
    ),
    # The list on the dashboard, https://github.com/buttondown/roadmap/issues/2282; nothing in it says who left
    Export(
        name="Substack (dashboard)",
        signs=(_one("email"), _one("subscription_type"), _one("subscription_date"), _one("activity")),
        fields={"email": "address", "name": "name", "subscription_date": "joined"},
        dates={"subscription_date": "signed up"},
        silent=True,
    ),
    # github.com/TryGhost/Ghost ghost/members-csv/lib/unparse.js; `products` before Ghost 5, now `tiers`
    Export(
        name="Ghost",
        signs=(_one("email"), _one("subscribed_to_emails"), _one("complimentary_plan", "stripe_customer_id")),
        fields={"email": "address", "name": "name", "labels": "tags", "created_at": "joined"},
        states=(
            (("subscribed_to_emails",), _words(State.UNSUBSCRIBED, "false") | _words(State.ACTIVE, "true")),
            (("deleted_at",), {ANY: State.UNSUBSCRIBED}),
        ),
        dates={"created_at": "signed up", "deleted_at": "left"},
    ),
    # github.com/knadh/listmonk cmd/subscribers.go, ExportSubscribers; attributes are JSON, times as Go writes them
    Export(
        name="listmonk",
        signs=(_one("uuid"), _one("email"), _one("attributes"), _one("status")),
        fields={"email": "address", "name": "name", "created_at": "joined"},
        states=(
            (("status",), _words(State.ACTIVE, "enabled") | _words(State.UNSUBSCRIBED, "disabled", "blocklisted")),
        ),
        dates={"created_at": "signed up"},
        bags=("attributes",),
        caution="it does not say who left one list only (github.com/knadh/listmonk/issues/738): "
        "import those first, with --status unsubscribed",
    ),
    # https://docs.buttondown.com/api-subscribers-introduction for the columns, api-subscribers-type for the words
    Export(
        name="Buttondown",
        signs=(_one("email", "email_address"), _one("creation_date"), _one("type", "subscriber_type")),
        fields={"email_address": "address", "email": "address", "tags": "tags", "creation_date": "joined"},
        states=(
            (
                ("type", "subscriber_type"),
                _words(State.ACTIVE, "regular", "premium", "gifted", "trialed", "churning", "past_due", "paused")
                | _words(State.PENDING, "unactivated", "unpaid", "upcoming")
                | _words(State.UNSUBSCRIBED, "unsubscribed", "removed", "churned", "blocked", "spammy", "disposable")
                | _words(State.BOUNCED, "undeliverable", "malformed")
                | _words(State.COMPLAINED, "complained"),
            ),
        ),
        dates={"creation_date": "signed up", "unsubscription_date": "left"},
        bags=("metadata",),
    ),
    # https://www.beehiiv.com/newsletter-glossary/subscriber-status for the words; the headers as others read them
    Export(
        name="beehiiv",
        signs=(_one("email"), _one("status"), _one("created_at", "created"), _one("subscription_tier", "tier")),
        fields={
            "email": "address",
            "first_name": "first_name",
            "last_name": "last_name",
            "tags": "tags",
            "created_at": "joined",
            "created": "joined",
        },
        states=(
            (
                ("status",),
                _words(State.ACTIVE, "active")
                | _words(State.PENDING, "pending", "validating", "needs approval", "needs_attention", "needs attention")
                | _words(State.UNSUBSCRIBED, "inactive", "unsubscribed")
                | _words(State.BOUNCED, "invalid"),
            ),
        ),
        dates={"created_at": "signed up", "created": "signed up", "unsubscribed_at": "left"},
    ),
    # http://help.convertkit.com/article/12-convertkit-subscribers for the words of the pages,
    # https://developers.kit.com/api-reference/subscribers for those of the API; the headers as others read them
    Export(
        name="Kit",
        signs=(_one("email", "email_address"), _one("first_name"), _one("status", "state"), _one("created_at")),
        fields={
            "email_address": "address",
            "email": "address",
            "first_name": "first_name",
            "last_name": "last_name",
            "tags": "tags",
            "created_at": "joined",
        },
        states=(
            (
                ("status", "state"),
                _words(State.ACTIVE, "active", "confirmed", "cold")
                | _words(State.PENDING, "inactive", "unconfirmed")
                | _words(State.UNSUBSCRIBED, "cancelled", "canceled", "unsubscribed", "blocked")
                | _words(State.BOUNCED, "bounced")
                | _words(State.COMPLAINED, "complained"),
            ),
        ),
        dates={"created_at": "signed up", "cancelled_at": "left"},
    ),
)


def recognised(names: Collection[str]) -> Export | None:
    """The service whose export has columns of these *names*; of several, the first in the table."""
    there = frozenset(names)
    return next((export for export in EXPORTS if all(sign & there for sign in export.signs)), None)


def said_by_file_name(name: str) -> tuple[str, State | None] | None:
    """The first word of a file's *name* and the state that it says all are in (None: they never asked), if it does."""
    found = re.match(r"(subscribed|unsubscribed|cleaned|nonsubscribed)_", name.lower())
    return (found[1], _SAID_BY_FILE_NAME[found[1]]) if found else None


_OF_THOSE_WHO_LEFT = re.compile(
    r"unsub|bounce|complain|suppress|opt[ _-]?out|(?:black|block)[ _-]?list|cleaned|abgemeldet"
)


def seems_to_hold_who_left(name: str) -> bool:
    """Whether a file's *name* is that of a list of suppressions, as providers give them out: nothing in it says so."""
    return _OF_THOSE_WHO_LEFT.search(name.lower()) is not None
