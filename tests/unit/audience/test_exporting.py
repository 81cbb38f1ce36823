"""What is given out can be brought in again, and nobody is another person then."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.columns import read_text
from newsletter.audience.exporting import csv_row, header, json_row
from newsletter.audience.importing import Entry
from newsletter.audience.listing import Listing
from newsletter.audience.subscriber import Frequency, State, Subscriber

words = st.text(max_size=8).map(read_text)
names = st.sampled_from(["city", "größe", "joined", "email", "status", "not_taken_because", "address", "a1", "_x"])
instants = st.integers(631_152_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
people = st.builds(
    Subscriber,
    id=st.just(0),
    address=st.text("ab=+-'", min_size=1, max_size=5).map(lambda local: f"{local}@example.org"),
    name=words,
    first_name=words,
    state=st.sampled_from([state for state in State if state is not State.ERASED]),
    paused_until=st.none() | instants,
    zone=st.none() | st.sampled_from(["Africa/Nairobi", "America/Argentina/Buenos_Aires"]),
    language=st.sampled_from(["", "en", "pt-br"]),
    tags=st.frozensets(st.sampled_from(["tea", "a.b", "x-y_z"])),
    attributes=st.dictionaries(names, words.filter(bool), max_size=2),
    joined_at=instants,
    frequency=st.sampled_from(Frequency),
)


def same(person: Subscriber, entry: Entry) -> None:
    """Assert that an empty database with *entry* in it would have *person* again."""
    shared = ("address", "name", "first_name", "state", "zone", "language", "tags", "attributes", "paused_until")
    for name in (*shared, "joined_at", "frequency"):
        assert getattr(entry, name) == getattr(person, name), name


@given(st.lists(people, max_size=3, unique_by=lambda person: person.address))
def test_csv_is_read_back(everyone):
    fields = sorted({name for person in everyone for name in person.attributes})
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([header(fields), *(csv_row(person, fields) for person in everyone)])
    found = list(Listing(io.StringIO(out.getvalue(), newline="")))
    assert len(found) == len(everyone)
    for person, entry in zip(everyone, found, strict=True):
        same(person, entry)


@given(st.lists(people, min_size=1, max_size=3, unique_by=lambda person: person.address))
def test_lines_of_json_are_read_back(everyone):
    lines = [json.dumps(json_row(person), ensure_ascii=False) + "\n" for person in everyone]
    for person, entry in zip(everyone, Listing(lines), strict=True):
        same(person, entry)


@given(people)
def test_no_cell_is_a_formula(person):
    assert not any(
        cell[:1] in tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20") for cell in csv_row(person, sorted(person.attributes))
    )


def test_who_must_not_be_mailed_again_goes_out_as_departed():
    person = Subscriber(id=1, address="ana@example.org", suppressed=True)
    assert json_row(person)["status"] == "unsubscribed"
    assert (
        json_row(Subscriber(id=1, address="b@example.org", suppressed=True, state=State.BOUNCED))["status"] == "bounced"
    )
