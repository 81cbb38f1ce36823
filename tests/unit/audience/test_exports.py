"""What other services give out is read as it is: who, since when, with which tags, and who left."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from newsletter.audience.columns import column_name
from newsletter.audience.exports import EXPORTS, recognised, said_by_file_name
from newsletter.audience.importing import Entry, Noted, Rejected
from newsletter.audience.listing import Listing, Told
from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems

AT = datetime(2024, 3, 14, 9, 14, tzinfo=UTC)
_MAILCHIMP = (
    '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,'
    "LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
)
# The header of each, a row of somebody who is subscribed, and what becomes of it.
ACTIVE = {
    "Mailchimp": (
        (
            f"{_MAILCHIMP}\n"
            'ana@example.org,Ana,Example,4,"2024-03-14 09:12:31",192.0.2.1,"2024-03-14 09:14:00",192.0.2.1,47.6,'
            '-122.2,-8,-7,America/Los_Angeles,US,WA,"2024-03-14 09:14:00",55,89a,"a note","""Book Club"",""VIP"""'
        ),
        Entry(
            address="ana@example.org",
            name="Ana Example",
            first_name="Ana",
            zone="America/Los_Angeles",
            tags=frozenset({"book-club", "vip"}),
            joined_at=AT,
            evidence="Mailchimp: signed up 2024-03-14 09:12:31, confirmed 2024-03-14 09:14:00",
        ),
    ),
    "Substack": (
        (
            "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
            "ana@example.org,false,,other,false,2024-03-14T09:14:00.178Z,"
        ),
        Entry(address="ana@example.org", joined_at=AT, evidence="Substack: signed up 2024-03-14T09:14:00.178Z"),
    ),
    "Substack (dashboard)": (
        (
            "Email,Name,Subscription type,Activity,Subscription date,Revenue,Emails opened (last 6 months)\n"
            "ana@example.org,Ana Example,Free,5,2024-03-14T09:14:00.000Z,$0,12"
        ),
        Entry(
            address="ana@example.org",
            name="Ana Example",
            joined_at=AT,
            evidence="Substack (dashboard): signed up 2024-03-14T09:14:00.000Z",
        ),
    ),
    "Ghost": (
        (
            "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,"
            "labels,tiers\n"
            'm1,ana@example.org,Ana Example,Early,true,false,cus_1,2024-03-14T09:14:00.000Z,,"Book Club,VIP",Bronze'
        ),
        Entry(
            address="ana@example.org",
            name="Ana Example",
            tags=frozenset({"book-club", "vip"}),
            joined_at=AT,
            evidence="Ghost: signed up 2024-03-14T09:14:00.000Z",
        ),
    ),
    "listmonk": (
        (
            "uuid,email,name,attributes,status,created_at,updated_at\n"
            '1-2,ana@example.org,Ana Example,"{""city"": ""Ulm"", ""ip"": ""192.0.2.1""}",enabled,'
            "2024-03-14 10:14:00.123456 +0100 CET,2024-03-14 10:14:00 +0100 CET"
        ),
        Entry(
            address="ana@example.org",
            name="Ana Example",
            attributes={"city": "Ulm"},
            joined_at=AT,
            evidence="listmonk: signed up 2024-03-14 10:14:00.123456 +0100 CET",
        ),
    ),
    "Buttondown": (
        (
            "id,email_address,type,creation_date,tags,notes,metadata,ip_address\n"
            'x,ana@example.org,regular,2024-03-14T09:14:00Z,"Book Club",,"{""city"": ""Ulm""}",192.0.2.1'
        ),
        Entry(
            address="ana@example.org",
            tags=frozenset({"book-club"}),
            attributes={"city": "Ulm"},
            joined_at=AT,
            evidence="Buttondown: signed up 2024-03-14T09:14:00Z",
        ),
    ),
    "Kit": (
        (
            "id,first_name,email,status,created_at,tags,city,referrer\n"
            '7,Ana,ana@example.org,confirmed,2024-03-14 09:14:00 UTC,"Book Club, VIP",Ulm,https://example.org'
        ),
        Entry(
            address="ana@example.org",
            first_name="Ana",
            tags=frozenset({"book-club", "vip"}),
            attributes={"city": "Ulm"},
            joined_at=AT,
            evidence="Kit: signed up 2024-03-14 09:14:00 UTC",
        ),
    ),
    "beehiiv": (
        (
            "Email,Status,Created At,Subscription Tier,UTM Source,City\n"
            "ana@example.org,Active,1710407640,free,web,Ulm"
        ),
        Entry(
            address="ana@example.org",
            attributes={"city": "Ulm"},
            joined_at=AT,
            evidence="beehiiv: signed up 1710407640",
        ),
    ),
}  # fmt: skip


def listing(text: str, *, status: State | None = State.ACTIVE, notes: list[Noted] | None = None) -> Listing:
    told = Told(status=status, fields=frozenset({"city"}))
    return Listing(io.StringIO(text, newline=""), told=told, note=(notes if notes is not None else []).append)


def test_every_export_has_a_case():
    assert set(ACTIVE) == {export.name for export in EXPORTS}


@pytest.mark.parametrize("name", ACTIVE)
def test_a_subscribed_person_is_taken_over(name):
    text, expected = ACTIVE[name]
    found = listing(text)
    assert (found.export and found.export.name, list(found)) == (name, [expected])


@pytest.mark.parametrize("name", ACTIVE)
def test_what_is_left_out_is_named_once_and_nothing_of_it_kept(name):
    notes: list[Noted] = []
    text, _ = ACTIVE[name]
    (person,) = listing(f"{text}\n", notes=notes)
    assert [(note.line, "under [fields]" in note.reason) for note in notes] in ([], [(1, True)])
    said = " ".join(note.reason for note in notes)
    header, row = csv.reader(io.StringIO(text))
    for column, cell in zip(header, row, strict=True):
        if "ip" in column.lower().split("_") or column in ("LATITUDE", "UTM Source", "Activity", "note", "notes"):
            assert column_name(column) in said
            assert cell not in person.attributes.values()


def test_what_is_left_out_is_named_in_the_order_of_the_file() -> None:
    notes: list[Noted] = []
    list(listing(ACTIVE["Mailchimp"][0], notes=notes))
    assert "member_rating, optin_ip, confirm_ip, latitude" in notes[0].reason


def with_cell(name: str, column: str, value: str) -> str:
    """The case of *name* with another value in a column, which is added if it is not there."""
    header, row = csv.reader(io.StringIO(ACTIVE[name][0]))
    cells = dict(zip(header, row, strict=True)) | {column: value}
    out = io.StringIO()
    csv.writer(out).writerows([list(cells), list(cells.values())])
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "column", "value", "state"),
    [
        ("Mailchimp", "UNSUB_TIME", "2025-01-01 00:00:00", State.UNSUBSCRIBED),
        ("Mailchimp", "CLEAN_TIME", "2025-01-01 00:00:00", State.BOUNCED),
        ("Substack", "email_disabled", "TRUE", State.UNSUBSCRIBED),
        ("Substack", "active_subscription", "true", State.ACTIVE),
        ("Ghost", "subscribed_to_emails", "false", State.UNSUBSCRIBED),
        ("Ghost", "deleted_at", "2025-01-01T00:00:00.000Z", State.UNSUBSCRIBED),
        ("listmonk", "status", "blocklisted", State.UNSUBSCRIBED),
        ("listmonk", "status", "disabled", State.UNSUBSCRIBED),
        ("Buttondown", "type", "premium", State.ACTIVE),
        ("Buttondown", "type", "unactivated", State.PENDING),
        ("Buttondown", "type", "unsubscribed", State.UNSUBSCRIBED),
        ("Buttondown", "type", "undeliverable", State.BOUNCED),
        ("Buttondown", "type", "complained", State.COMPLAINED),
        ("Kit", "status", "cancelled", State.UNSUBSCRIBED),
        ("Kit", "status", "inactive", State.PENDING),
        ("Kit", "status", "bounced", State.BOUNCED),
        ("Kit", "status", "complained", State.COMPLAINED),
        ("beehiiv", "Status", "Inactive", State.UNSUBSCRIBED),
        ("beehiiv", "Status", "Pending", State.PENDING),
        ("beehiiv", "Status", "Invalid", State.BOUNCED),
    ],
)
def test_who_left_there_comes_in_as_departed(name, column, value, state):
    (person,) = listing(with_cell(name, column, value))
    assert person.state is state


def test_a_word_for_the_state_that_a_service_did_not_have_then_is_not_guessed():
    (found,) = listing(with_cell("Buttondown", "type", "enchanted"))
    assert isinstance(found, Rejected)


@pytest.mark.parametrize("name", ["Mailchimp", "Substack (dashboard)"])
def test_an_export_that_does_not_say_who_left_needs_to_be_told(name):
    with pytest.raises(ImportHasProblems, match="does not say who left") as caught:
        listing(ACTIVE[name][0], status=None)
    assert "--status" in caught.value.hint
    (person,) = listing(ACTIVE[name][0], status=State.BOUNCED)
    assert person.state is State.BOUNCED


def test_told_that_all_left_no_cell_says_otherwise():
    (person,) = listing(with_cell("Kit", "status", "active"), status=State.UNSUBSCRIBED)
    assert person.state is State.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("subscribed_email_audience_export_1a2b.csv", ("subscribed", State.ACTIVE)),
        ("Unsubscribed_members_export_1a2b.csv", ("unsubscribed", State.UNSUBSCRIBED)),
        ("cleaned_email_audience_export_1a2b.csv", ("cleaned", State.BOUNCED)),
        ("nonsubscribed_email_audience_export_1a2b.csv", ("nonsubscribed", None)),
        ("list.csv", None),
        ("my_subscribed_people.csv", None),
    ],
)
def test_the_state_that_a_file_is_named_for(name, said):
    assert said_by_file_name(name) == said


def test_a_list_of_our_own_is_nobodys_export():
    assert recognised(["email", "name", "first_name", "status", "joined", "tags", "tier"]) is None


def test_twins_among_columns_that_nobody_uses_do_no_harm():
    header, row = ACTIVE["Mailchimp"][0].split("\n")
    (person,) = listing(f"{header},UNSUB_CAMPAIGN_ID,UNSUB_CAMPAIGN_ID\n{row},,\n")
    assert person.state is State.ACTIVE


def test_a_field_called_state_is_no_state_where_another_column_is():
    (person,) = listing(with_cell("Kit", "State", "California"))
    assert person.state is State.ACTIVE


def test_of_two_services_that_it_could_be_the_surer_one_is_taken():
    found = recognised(["email_address", "euid", "optin_time", "first_name", "state", "created_at"])
    assert found is not None
    assert found.name == "Mailchimp"


def test_broken_attributes_are_left_out_and_noted():
    notes: list[Noted] = []
    (person,) = listing(with_cell("listmonk", "attributes", "{broken"), notes=notes)
    assert person.attributes == {}
    assert "no JSON object" in notes[-1].reason
