"""Lists as lines of JSON, as spreadsheets leave them, and rows that are given back to be mended."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.columns import guarded, read_instant, unguarded
from newsletter.audience.importing import Entry, Noted, Rejected
from newsletter.audience.listing import Listing
from newsletter.audience.listrows import refused
from newsletter.audience.subscriber import Frequency, State
from newsletter.errors import ImportHasProblems


def read(text: str, *, notes: list[Noted] | None = None, back: list[str] | None = None) -> list[Entry | Rejected]:
    def refuse(row, why):
        if back is not None:
            back.append(refused(row, why, first=not back))

    note = (notes if notes is not None else []).append
    return list(Listing(io.StringIO(text, newline=""), note=note, refuse=refuse))


def test_a_json_object_a_line():
    first, second = read(
        '\ufeff{"email": "ana@example.org", "name": "Ana", "tags": ["tea", "b"], '
        '"fields": {"city": "Ulm", "joined": "x"}}\r\n'
        '\n{"status": "left", "email": "ben@example.org", "age": 1e400, "vip": true, "city": null, '
        '"frequency": "monthly"}'
    )
    assert first == Entry(
        address="ana@example.org",
        name="Ana",
        tags=frozenset({"tea", "b"}),
        attributes={"city": "Ulm", "joined": "x"},
    )
    assert second == Entry(
        address="ben@example.org",
        attributes={"age": "1e400", "vip": "true"},
        state=State.UNSUBSCRIBED,
        frequency=Frequency.MONTHLY,
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('["ana@example.org"]', "no JSON object"),
        ('{"email": "ana@example.org", "fields": 3}', "no JSON object"),
        ('{"email": "ana@example.org", "email": "ben@example.org"}', "twice"),
        ('{"name": "Ana"}', "no column of addresses"),
    ],
)
def test_a_line_that_will_not_do_is_refused_alone(line, why):
    back: list[str] = []
    text = f'{{"email": "first@example.org"}}\n{line}\n{{"email": "last@example.org"}}\n'
    first, wrong, last = read(text, back=back)
    assert (first.address, last.address) == ("first@example.org", "last@example.org")
    assert isinstance(wrong, Rejected)
    assert (wrong.line, why in wrong.reason, "example.org" in wrong.reason) == (2, True, False)
    assert "not_taken_because" in json.loads(back[0])


def test_one_json_value_is_told_how_to_become_lines():
    with pytest.raises(ImportHasProblems, match="one object a line") as caught:
        read('[{"email": "ana@example.org"}]')
    assert "jq" in caught.value.hint


def test_a_first_line_that_is_no_json_ends_it():
    with pytest.raises(ImportHasProblems, match="no JSON object"):
        read('{"email": "ana@example.org"\n')


@pytest.mark.parametrize(
    ("first", "mended"),
    [
        ('email,name,note\n"ana@example.org",Ana,"a\nb"\nbad@@example.org,"Bo, B",=1\n', ("@@", "@")),
        ('{"email": "ana@example.org"}\n{"email": "bad@@example.org", "name": "Bo, B", "note": "=1"}\n', ("@@", "@")),
        ('email,name,note\nbad@example.org,"Bo, B",=1,,x\n', (",,x", "")),
    ],
)
def test_a_refused_row_can_be_mended_and_imported(first, mended):
    back: list[str] = []
    read(first, back=back)
    (found,) = read("".join(back).replace(*mended))
    assert found == Entry(address="bad@example.org", name="Bo, B", attributes={"note": "=1"})


def test_a_refused_row_opens_in_a_spreadsheet_without_harm():
    back: list[str] = []
    read("email,note\n=cmd()@@x,+1\n", back=back)
    assert back[0].splitlines()[1].endswith(",'=cmd()@@x,'+1")


def test_a_header_in_the_middle_is_passed_over():
    notes: list[Noted] = []
    found = read("email,name\nana@example.org,Ana\nemail,name\nben@example.org,Ben\n", notes=notes)
    assert [each.address for each in found] == ["ana@example.org", "ben@example.org"]
    assert [(note.line, "header once more" in note.reason) for note in notes] == [(3, True)]


def test_what_excel_says_of_the_separator_is_heard():
    (found,) = read("sep=;\r\nemail;name\r\nana@example.org;Ana, B\r\n")
    assert found == Entry(address="ana@example.org", name="Ana, B")
    (wrong,) = read("sep=|\nemail|name\nana|Ana\n")
    assert (wrong.row, wrong.line) == (2, 3)


def test_a_field_that_is_too_long_for_a_field():
    with pytest.raises(ImportHasProblems, match="more than 131,072 characters"):
        read(f"email,name\nana@example.org,{'x' * 200_000}\n")


def test_nul_is_no_letter():
    assert read("email,name\nana@example.org,A\0na\n")[0].name == "A na"
    assert isinstance(read("email,name\nana\0@example.org,Ana\n")[0], Rejected)


@given(st.text(alphabet="'=+-@;\t\r\n\"x\uff1d", max_size=12) | st.text(max_size=12))
def test_an_apostrophe_is_taken_off_exactly_as_it_was_put_on(cell):
    safe = guarded(cell)
    assert unguarded(safe) == cell
    assert not any(
        part[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20")
        for part in safe.replace("\t", ";").replace("\n", ";").split(";")
    )
    assert safe[:1] not in ("\t", "\r")


@pytest.mark.parametrize(
    ("cell", "iso"),
    [
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        (" 2026-11-20 08:30 ", "2026-11-20T08:30:00+00:00"),
        ("2026-11-20T08:30:01.5Z", "2026-11-20T08:30:01+00:00"),
        ("2026-11-20T08:30:01+02:00", "2026-11-20T06:30:01+00:00"),
        ("2026-11-20 08:30:01 UTC", "2026-11-20T08:30:01+00:00"),
        ("2026-11-20 08:30:01.123456789 -0330 NST", "2026-11-20T12:00:01+00:00"),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
        ("03/04/2024", None),
        ("0001-01-01 00:00:00 +0000 UTC", None),
        ("1", None),
        ("99999999999", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("\u0662\u0660\u0662\u0666-11-20", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments_are_read_and_never_guessed(cell, iso):
    at = read_instant(cell)
    assert (at and at.isoformat()) == iso


def test_a_date_that_cannot_be_read_is_noted():
    notes: list[Noted] = []
    (found,) = read("email,joined,paused_until,frequency\nana@example.org,03/04/2024,soon,daily\n", notes=notes)
    assert found == Entry(address="ana@example.org")
    assert len(notes) == 3
