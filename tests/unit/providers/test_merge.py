from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.message import Batch, Body, Letter, Row
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import ProviderRefused
from newsletter.pieces import Pieces, Slot
from newsletter.providers.http import to_json
from newsletter.providers.mailgun_form import SYNTAX as PERCENT
from newsletter.providers.mailgun_form import forms
from newsletter.providers.merge import (
    Template,
    Unfit,
    ascii_address,
    encoded_mailbox,
    own_headers,
    personal,
    templates,
    twins,
)
from newsletter.providers.ses_entries import SYNTAX as BRACES
from newsletter.providers.ses_entries import calls

BOTH = pytest.mark.parametrize("syntax", [BRACES, PERCENT], ids=lambda each: each.provider)
NAME_HTML = Slot(value="first_name", encoder="html")
NAME_TEXT = Slot(value="first_name", encoder="text")
CITY_URL = Slot(value="city", encoder="url")
LEAVE = Slot(value="unsubscribe_url", encoder="raw")
LEAVE_LINK = Slot(value="unsubscribe_url", encoder="href")
VALUES = {"first_name": "Ada", "city": "Köln", "unsubscribe_url": "https://letters.example.org/leave/abc"}


def letter(*html: bytes | Slot, text: tuple[bytes | Slot, ...] = (b"Hi",), subject: tuple[bytes | Slot, ...] = (b"S",)):
    return Letter(
        issue_id="2026-11-23-a-letter",
        edition_hash="sha256:0",
        domain="letters.example.org",
        sender=("The Monday Letter", "letter@letters.example.org"),
        reply_to="",
        subject=Pieces(subject),
        headers=(
            ("From", Pieces((b"The Monday Letter <letter@letters.example.org>",))),
            ("List-Id", Pieces((b"The Monday\r\n Letter <monday.letters.example.org>",))),
            ("List-Unsubscribe", Pieces((b"<", LEAVE, b">,\r\n <mailto:leave@letters.example.org?subject=leave>"))),
        ),
        bodies=(Body(html=Pieces(html), text=Pieces(text), mime=Pieces((b"",))),),
    )


def row(address: str = "ada@example.org", **values: str) -> Row:
    return Row(seq=1, ref="1-abc", address=address, name="Ada", variant=0, values={**VALUES, **values})


def filled(template: Template, text: str, values: dict[str, str]) -> str:
    """What a provider makes of it that replaces each mark once and looks at nothing twice."""
    before, after = re.escape(template.syntax.before), re.escape(template.syntax.after)
    return re.sub(f"{before}(\\w+){after}", lambda found: values[found[1]], text)


@BOTH
def test_each_distinct_slot_has_one_variable_and_every_place_its_mark(syntax):
    one = letter(
        b"<p>", NAME_HTML, b" of ", CITY_URL, b" ", NAME_HTML, b"</p>", text=(NAME_TEXT, b"!"), subject=(NAME_TEXT,)
    )
    (template,) = templates(one, syntax)
    assert list(template.names.values()) == ["v0", "v1", "v2"]
    assert template.subject == syntax.mark("v0")
    assert template.html == f"<p>{syntax.mark('v1')} of {syntax.mark('v2')} {syntax.mark('v1')}</p>"
    assert template.text == f"{syntax.mark('v0')}!"


@BOTH
@given(name=st.text(max_size=12), city=st.text(alphabet="{}%&<> recipient.ö", max_size=20))
def test_filling_the_template_gives_what_we_would_have_written(syntax, name, city):
    one = letter(
        b'<a href="https://e.org/?c=', CITY_URL, b'">', NAME_HTML, b" / ", Slot(value="city", encoder="html"), b"</a>"
    )
    (template,) = templates(one, syntax)
    reader = row(first_name=name, city=city)
    merged = filled(template, template.html, template.values(reader))
    assert unescape(merged) == unescape(one.bodies[0].html.fill(reader.values).decode())


@BOTH
@pytest.mark.parametrize("encoder", ["html", "href"])
def test_a_value_with_a_mark_is_made_harmless_in_html(syntax, encoder):
    (template,) = templates(letter(b"<p>", Slot(value="first_name", encoder=encoder), b"</p>"), syntax)
    wicked = f"{syntax.mark('v0')}{syntax.before}{syntax.mark('ref')}<b>"
    (value,) = template.values(row(first_name=wicked)).values()
    assert not syntax.confusing.search(value)
    assert unescape(value) == wicked
    assert "<" not in value


@BOTH
def test_a_value_with_a_mark_holds_its_row_where_nothing_can_be_escaped(syntax):
    (template,) = templates(letter(b"", text=(b"Dear ", NAME_TEXT)), syntax)
    with pytest.raises(Unfit) as held:
        template.values(row(first_name=syntax.mark("v0")))
    receipt = held.value.receipt(row())
    assert receipt == Receipt(seq=1, status=Status.HELD, reason=str(held.value))
    assert syntax.provider in receipt.reason
    assert syntax.before not in receipt.reason


@BOTH
def test_a_value_that_is_missing_holds_its_row(syntax):
    (template,) = templates(letter(b"", Slot(value="shoe_size", encoder="html")), syntax)
    with pytest.raises(Unfit, match="no value"):
        template.values(row())


@pytest.mark.parametrize(
    ("syntax", "html"),
    [
        (BRACES, (b"write {{name}} for the name",)),
        (BRACES, (b"<style>a{{</style>",)),
        (BRACES, (b"{", NAME_HTML)),  # would be the start of {{{
        (BRACES, (b"C:\\", NAME_HTML)),  # \{{ is a literal {{
        (BRACES, (NAME_HTML, b"}")),  # }}} would end a {{{
        (PERCENT, (b"write %recipient.name% for the name",)),
        (PERCENT, (b"%Unsubscribe_URL%",)),
        (PERCENT, (b"%tag_unsubscribe_url%",)),
        (PERCENT, (b"%recipient_email%",)),
        (PERCENT, (b"100%", NAME_HTML)),
    ],
)
def test_text_that_the_provider_would_fill_is_refused_with_a_hint(syntax, html):
    with pytest.raises(ProviderRefused, match=f"HTML.*{syntax.provider}") as refused:
        templates(letter(*html), syntax)
    assert "write" in refused.value.hint


@pytest.mark.parametrize(
    ("syntax", "html"),
    [
        (BRACES, (b"@media print{p{color:red}} {x} %recipient.name%",)),
        (BRACES, (b"{ ", NAME_HTML, b" }")),
        (BRACES, (NAME_HTML, CITY_URL)),
        (PERCENT, (NAME_HTML, CITY_URL)),
        (PERCENT, (b"100 % of {{name}}, a recipient. 5% off, https://e.org/%20x?", NAME_HTML, b"20%")),
    ],
)
def test_text_that_only_looks_like_it_passes_untouched(syntax, html):
    (template,) = templates(letter(*html), syntax)
    assert filled(template, template.html, template.values(row())) == Pieces(html).fill(VALUES).decode()


def test_the_subject_and_the_plain_text_are_looked_at_too():
    with pytest.raises(ProviderRefused, match="subject"):
        templates(letter(b"", subject=(b"{{name}}",)), BRACES)
    with pytest.raises(ProviderRefused, match="plain text"):
        templates(letter(b"", text=(b"{{name}}",)), BRACES)


def test_headers_are_data_on_one_line_and_only_the_personal_ones_differ():
    shared, own = own_headers(letter(b""))
    assert shared == {"List-Id": "The Monday Letter <monday.letters.example.org>"}
    assert personal(own, row(), BRACES) == {
        "List-Unsubscribe": "<https://letters.example.org/leave/abc>, <mailto:leave@letters.example.org?subject=leave>"
    }


def test_a_header_that_the_provider_would_fill_holds_its_row():
    _, own = own_headers(letter(b""))
    with pytest.raises(Unfit):
        personal(own, row(unsubscribe_url="https://letters.example.org/%recipient.v0%"), PERCENT)


def test_a_long_name_is_one_line_of_ascii():
    written = encoded_mailbox("Žofie Nováková-Černá ze Starého Města", "zofie@example.org")
    assert written.isascii()
    assert written.isprintable()
    assert written.endswith("= <zofie@example.org>")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("ada@example.org", "ada@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),  # not strasse.example, which is somebody else's
    ],
)
def test_a_domain_is_written_in_a_labels(address, written):
    assert ascii_address(address) == written


@pytest.mark.parametrize("address", ["žofie@example.org", f"ada@{'ü' * 64}.example"])
def test_an_address_that_cannot_be_written_is_refused_without_being_quoted(address):
    with pytest.raises(Unfit) as refused:
        ascii_address(address)
    assert refused.value.status is Status.REFUSED
    assert "@e" not in str(refused.value)


def realistic(count: int) -> Batch:
    """A letter of the usual size with what a letter usually has of holes."""
    filler = b'<p style="margin:0 0 18px; font-size:17px">Two of them I had done. Three had become easier.</p>\n'
    links = (
        b'<a href="',
        LEAVE_LINK,
        b'">Leave</a><a href="',
        Slot(value="profile_url", encoder="href"),
        b'">Change</a>',
    )
    one = letter(
        filler * 150,
        NAME_HTML,
        filler * 150,
        *links,
        text=(b"x" * 5000, NAME_TEXT, Slot(value="unsubscribe_url", encoder="text")),
    )
    token = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"
    rows = tuple(
        Row(
            seq=number,
            ref=f"12-{'abcdefgh' * 4}",
            address=f"reader{number}@example.org",
            name=f"Reader Number{number}",
            variant=0,
            values={
                "first_name": f"Reader{number}",
                "unsubscribe_url": f"https://letters.example.org/leave/{token}{number:06}",
                "profile_url": f"https://letters.example.org/profile/{token}{number:06}",
            },
        )
        for number in range(1, count + 1)
    )
    return Batch(letter=one, claimed_at=datetime(2026, 11, 23, tzinfo=UTC), rows=rows)


def needed(batch: Batch, template: Template) -> int:
    """The template once, and what differs for each recipient: values, leave header, name, address and reference."""
    _, own = own_headers(batch.letter)
    once = len((template.subject + template.html + template.text).encode())
    each = sum(
        sum(len(value.encode()) for value in template.values(row).values())
        + sum(len(value) for value in personal(own, row, template.syntax).values())
        + len(encoded_mailbox(row.name, row.address))
        + len(row.ref)
        for row in batch.rows
    )
    return once + each


@pytest.mark.parametrize("count", [50, 1000])
def test_a_call_to_mailgun_says_the_letter_once_and_little_beside_the_values(count):
    batch = realistic(count)
    (form,) = forms(batch, sandbox=False)
    narrow, entries = form.narrowed([form.entry(each) for each in batch.rows])
    (call,) = narrow.calls(entries)
    assert len(narrow.encoded(call)[0]) <= 1.15 * needed(batch, form.template)


def test_a_call_to_ses_says_the_letter_once_and_little_beside_the_values_and_the_names_ses_wants():
    batch = realistic(50)
    (call,) = calls(batch, configuration_set="")
    entries = [call.entry(each) for each in batch.rows]
    names = sum(
        len(to_json(replace(each, to="", headers={"List-Unsubscribe": ""}, values={}).data(()))) for each in entries
    )
    assert len(call.body(entries)) <= 1.15 * (needed(batch, call.template) + names)


def test_values_that_are_always_equal_are_said_once():
    both = letter(b"", NAME_HTML, text=(NAME_TEXT,))
    (template,) = templates(both, PERCENT)
    rows = [template.values(row(first_name=name)) for name in ("Ada", "Grace")]
    assert twins(rows) == {"v1": "v0"}
    narrow = template.without(twins(rows))
    assert narrow.text == PERCENT.mark("v0")
    assert narrow.values(row()) == {"v0": "Ada"}
    assert twins([*rows, template.values(row(first_name="<"))]) == {}
    assert twins([]) == {}
