"""Lists as people really have them."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.columns import column_name, is_tag, read_tags, read_text
from newsletter.audience.importing import Entry, ImportCounts, Noted, Rejected
from newsletter.audience.listing import Listing
from newsletter.audience.subscriber import State
from newsletter.errors import ImportHasProblems


def read(text: str) -> list[Entry | Rejected]:
    return list(Listing(io.StringIO(text, newline="")))


def only(text: str) -> Entry:
    (found,) = read(text)
    assert isinstance(found, Entry)
    return found


def test_a_whole_row():
    found = only(
        "E-Mail,Name,First Name,Time Zone,Language,Tags,Status,Favourite Food\n"
        'Ana@EXAMPLE.org,"Ana ""the"" Example, MA",Ana,europe/berlin,pt_BR,"Tea, Book club",Active,rice\n'
    )
    assert found == Entry(
        address="Ana@example.org",
        name='Ana "the" Example, MA',
        first_name="Ana",
        zone="Europe/Berlin",
        language="pt-br",
        tags=frozenset({"tea", "book-club"}),
        attributes={"favourite_food": "rice"},
        state=State.ACTIVE,
    )
    assert found.key == "ana@example.org"


@pytest.mark.parametrize(
    "header", ["email", "E-mail", "\ufeffEmail Address", "  eMail  ", "address", "MAIL", '"email"']
)
def test_the_column_of_addresses_has_many_names(header):
    assert only(f"{header}\nana@example.org\n").address == "ana@example.org"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_line_ends(mark, end):
    found = only(mark.join(("email", "name")) + end + mark.join(("ana@example.org", "Ana")) + end)
    assert (found.address, found.name) == ("ana@example.org", "Ana")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("", State.ACTIVE), ("subscribed", State.ACTIVE), ("ACTIVE", State.ACTIVE), ("left", State.UNSUBSCRIBED),
        ("Unsubscribed", State.UNSUBSCRIBED), ("cleaned", State.BOUNCED), ("bounced", State.BOUNCED),
        ("spam", State.COMPLAINED), ("complained", State.COMPLAINED), ("unconfirmed", State.PENDING),
        ("pending", State.PENDING),
    ],
)  # fmt: skip
def test_words_for_consent(word, state):
    assert only(f"email,status\nana@example.org,{word}\n").state is state


def test_an_unknown_word_for_consent_is_not_guessed():
    (found,) = read("email,status\nana@example.org,maybe\n")
    assert isinstance(found, Rejected)
    assert "status" in found.reason


def test_rejected_rows_name_row_and_line_and_no_address():
    text = 'email,note\n\nana@example.org,"two\nlines"\nbad@@example.org,\nbob@example.org,x,y\n,\nc@nowhere,\n'
    found = read(text)
    assert [type(each).__name__ for each in found] == ["Entry", "Rejected", "Rejected", "Rejected"]
    assert [(each.row, each.line) for each in found[1:]] == [(4, 5), (5, 6), (7, 8)]
    assert all("@example" not in each.reason and "nowhere" not in each.reason for each in found[1:])
    assert found[0].attributes == {"note": "two lines"}


def test_an_unknown_time_zone_is_noted_and_the_person_kept():
    notes: list[Noted] = []
    rows = io.StringIO("email,timezone\nana@example.org,Berlin\nbob@example.org,\n")
    found = list(Listing(rows, note=notes.append))
    assert [each.zone for each in found] == [None, None]
    assert [(each.row, each.line) for each in notes] == [(2, 2)]


def test_a_header_that_looks_like_a_slip_is_noted():
    notes: list[Noted] = []
    found = list(Listing(["email,frist_name\n", "ana@example.org,Ana\n"], note=notes.append))
    assert found[0].attributes == {"frist_name": "Ana"}
    assert "did you mean 'first_name'" in notes[0].reason


def test_a_short_row_has_empty_fields():
    assert only("email,name,city\nana@example.org\n") == Entry(address="ana@example.org")


def test_a_postal_address_beside_the_email_is_a_field_of_your_own():
    found = only("address,email\nSome Street 1,ana@example.org\n")
    assert (found.address, found.attributes) == ("ana@example.org", {"address": "Some Street 1"})


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "no column of addresses", "email"),
        ("emial,name\n", "no column of addresses", "did you mean 'emial'"),
        ("name\n", "no column of addresses", "email"),
        ("ana@example.org,Ana\n", "holds a person", "email,name"),
        ("email,City,city\n", "two columns are called 'city'", "rename"),
        ("email,E-Mail,email\n", "two columns are called 'email'|'email' and 'e_mail' mean the same", "rename"),
        ("email,status,State\n", "the columns 'status' and 'state' mean the same", "remove"),
        ("name,email,full name\n", "the columns 'name' and 'full_name' mean the same", "remove"),
        ("email,mail\n", "the columns 'email' and 'mail' mean the same", "remove"),
        ("address,email,address\n", "two columns are called 'address'", "rename"),
    ],
)
def test_a_header_that_will_not_do(text, message, hint):
    with pytest.raises(ImportHasProblems, match=message) as caught:
        read(text)
    assert hint in caught.value.hint
    assert "ana@" not in str(caught.value)


def broken(opened: str, *, after: int) -> str:
    rows = [f"reader{n}@example.org,Reader {n}\n" for n in range(2, 7312)]
    return "email,name\n" + "".join(rows) + opened + "".join(rows[:1] * after)


@pytest.mark.parametrize("after", [0, 1, 100_000])
def test_a_quotation_mark_that_is_never_closed_is_found_where_it_was_opened(after):
    text = io.StringIO(broken('ana@example.org,"Ana\n', after=after), newline="")
    tracemalloc.start()
    with pytest.raises(ImportHasProblems, match="quotation mark") as caught:
        for _ in Listing(text):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.at == "row 7,312, which begins on line 7,312"
    assert peak < 8_000_000
    assert text.tell() < 600_000  # it did not read on to the end


def test_a_quotation_mark_closed_in_a_later_row_is_found_too():
    text = broken('ana@example.org,"Ana\nbob@example.org,"Bob"\n', after=5)
    with pytest.raises(ImportHasProblems) as caught:
        read(text)
    assert caught.value.at == "row 7,312, which begins on line 7,312"


def test_a_field_that_swallowed_a_row_is_rejected():
    for column in ("name", "city"):
        first, second = read(f'email,{column}\na@example.org,"A\nb@example.org,B"\nc@example.org,C\n')
        assert isinstance(first, Rejected)
        assert (first.row, first.line) == (2, 2)
        assert second.address == "c@example.org"


def test_of_several_rows_the_first_holds_and_a_later_one_can_only_say_that_the_person_left():
    first, again, left, third = read(
        "email,name,city,status\nana@example.org,Ana,Ulm,pending\nANA@Example.org,Anna,Bonn,active\n"
        "Ana@example.org,Anna,Bonn,left\nana@example.org,Anna,Bonn,active\n"
    )
    assert first == Entry(address="ana@example.org", name="Ana", attributes={"city": "Ulm"}, state=State.PENDING)
    assert again == Entry(address="ANA@example.org", state=State.PENDING, again=True)
    assert left == Entry(address="Ana@example.org", state=State.UNSUBSCRIBED, again=True)
    assert third == Entry(address="ana@example.org", state=State.PENDING, again=True)


def test_a_row_that_was_not_taken_is_no_first_one():
    _, found = read("email,name,status\nana@example.org,Ana,maybe\nana@example.org,Anna,active\n")
    assert found == Entry(address="ana@example.org", name="Anna")


@pytest.mark.parametrize(
    ("column", "longest"), [("name", 200), ("first_name", 200), ("language", 35), ("tags", 1000), ("city", 1000)]
)
def test_what_is_longer_than_anybody_writes_is_left_out_and_noted(column, longest):
    notes: list[Noted] = []
    rows = [f"email,{column}\n", f"a@example.org,  {'x' * longest} \n", f"b@example.org,{'x' * (longest + 1)}\n"]
    kept, left_out = Listing(rows, note=notes.append)
    assert kept != Entry(address="a@example.org")
    assert left_out == Entry(address="b@example.org")
    (note,) = notes
    assert (note.row, f"longer than {longest:,} characters" in note.reason) == (3, True)


def test_old_line_ends_are_named():
    with pytest.raises(ImportHasProblems, match="CR alone"):
        list(Listing(["email,name\rana@example.org,Ana\r"]))


@given(
    st.lists(
        st.tuples(st.text(max_size=12), st.text(max_size=12), st.frozensets(st.sampled_from(["tea", "a.b", "x-y_z"]))),
        max_size=5,
    )
)
def test_what_is_written_as_csv_is_read_back(people):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["email", "name", "tags", "status", "city"])
    expected = []
    # As they come from the database: on one line already.
    for number, (name, city, tags) in enumerate(
        (read_text(one), read_text(other), tags) for one, other, tags in people
    ):
        writer.writerow([f"r{number}@example.org", name, " ".join(sorted(tags)), "pending", city])
        expected.append(
            Entry(
                address=f"r{number}@example.org",
                name=name,
                tags=tags,
                attributes={"city": city} if city else {},
                state=State.PENDING,
            )
        )
    assert read(out.getvalue()) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("  Ana\t\n", "Ana"),
        ('O\'Hara, "Max" 👩‍👩‍👧', 'O\'Hara, "Max" 👩‍👩‍👧'),
        ("דנה", "דנה"),
        ("a\0b\x1bc\u2028d", "a b c d"),
        ("=1+1", "=1+1"),
    ],
)
def test_names_keep_their_letters_and_lose_what_nobody_sees(name, expected):
    assert read_text(name) == expected


@given(st.text())
def test_every_tag_that_is_read_is_a_tag(cell):
    assert all(is_tag(tag) for tag in read_tags(cell))


@given(st.text())
def test_every_column_has_a_plain_name_or_none(header):
    name = column_name(header)
    assert name == "" or name.isidentifier()
    assert column_name(name) == name


@pytest.mark.parametrize(
    "wrong",
    [{"tags": frozenset({"Tea"})}, {"tags": frozenset({"a|b"})}, {"attributes": {'x"': "1"}}, {"state": State.ERASED}],
)
def test_an_entry_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"tag|attribute|erased"):
        Entry(address="ana@example.org", **wrong)


def test_counts_add_up():
    one = ImportCounts(added=1, refreshed=2, unchanged=3, departed=4, kept_away=5)
    assert one + one == ImportCounts(added=2, refreshed=4, unchanged=6, departed=8, kept_away=10)
