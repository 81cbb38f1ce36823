"""A column that says who left is never taken for any field: everybody in it would be mailed."""

from __future__ import annotations

import pytest

from newsletter.audience.exporting import header
from newsletter.audience.importing import Entry
from newsletter.audience.importmap import ImportMap
from newsletter.audience.listing import Listing, Told
from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems

LIST = "email,{}\nzoe@example.org,{}\n"


@pytest.mark.parametrize(
    "name",
    [
        "unsubscribed",
        "unsubscribed_at",
        "Unsubscribed from all email",
        "Opted out",
        "opt-in",
        "Email Opt-Out",
        "Blacklisted",
        "EMAIL_BLACKLISTED",
        "bounced",
        "Subscription status",
        "Email status",
        "subscribed",
        "do not email",
        "Accepts Email Marketing",
        "Abgemeldet",
    ],
)
def test_a_list_is_refused_in_which_a_column_seems_to_say_who_left(name: str) -> None:
    with pytest.raises(ImportHasProblems, match="seems to say who left"):
        list(Listing(LIST.format(name, "yes").splitlines(keepends=True)))


@pytest.mark.parametrize("name", ["subscribed_at", "subscription_date", "city", "bouncer", "estate", "role"])
def test_other_columns_are_fields_as_ever(name: str) -> None:
    (entry,) = Listing(LIST.format(name, "yes").splitlines(keepends=True))
    assert isinstance(entry, Entry)
    assert entry.attributes == {name: "yes"}


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (Told(map=ImportMap(columns={"Opted out": "status"}, states={"yes": State.UNSUBSCRIBED})), State.UNSUBSCRIBED),
        (Told(map=ImportMap(columns={"Opted out": ""})), State.ACTIVE),
        (Told(status=State.BOUNCED), State.BOUNCED),
    ],
)
def test_whoever_says_what_it_means_can_import_it(told: Told, state: State) -> None:
    (entry,) = Listing(LIST.format("Opted out", "yes").splitlines(keepends=True), told=told)
    assert isinstance(entry, Entry)
    assert entry.state is state


def test_a_column_called_status_says_it_already() -> None:
    (entry,) = Listing(["email,status,unsubscribed_at\n", "zoe@example.org,unsubscribed,2026-11-20\n"])
    assert isinstance(entry, Entry)
    assert entry.state is State.UNSUBSCRIBED


def test_a_field_of_such_a_name_is_marked_in_an_export_and_comes_back_as_it_was() -> None:
    names = header(["bounced"])
    (entry,) = Listing([",".join(names) + "\n", "zoe@example.org" + "," * (len(names) - 1) + "no\n"])
    assert isinstance(entry, Entry)
    assert entry.attributes == {"bounced": "no"}
