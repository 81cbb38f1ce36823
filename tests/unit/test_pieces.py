"""Filling holes: every value is safe for the place where it lands, whatever it holds."""

from __future__ import annotations

import html
import quopri
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.policy import default
from email.utils import parseaddr
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import pieces
from newsletter.pieces import ENCODERS, Pieces, Slot, address_header, header_text, one_line, quoted_printable

ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def test_one_value_fills_all_its_places() -> None:
    pieces = Pieces((b"Dear ", Slot(value="name", encoder="text"), b"! ", Slot(value="name", encoder="html"), b""))
    assert pieces.fill({"name": "A & B"}) == b"Dear A & B! A &amp; B"


def test_a_missing_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(KeyError):
        Pieces((Slot(value="name", encoder="text"),)).fill({})


def test_a_slot_knows_its_encoders() -> None:
    with pytest.raises(ValueError, match="no encoder"):
        Slot(value="name", encoder="javascript")


@given(ANYTHING)
def test_html_shows_the_value_and_nothing_else(value: str) -> None:
    encoded = ENCODERS["html"](value).decode()
    assert not set(encoded) & set("<>\"'")
    assert html.unescape(encoded) == one_line(value)


@given(ANYTHING)
def test_a_part_of_an_address_stays_a_part(value: str) -> None:
    encoded = ENCODERS["url"](value).decode()
    assert not set(encoded) & set("/?#&=:\"'<> ")
    assert unquote(encoded) == one_line(value)


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@example.org", "a\u2028b", "a\u202eb", "a\x00b", "a\x85b"])
def test_nothing_in_a_value_breaks_a_line_or_turns_the_text_around(evil: str) -> None:
    for encoder in ENCODERS:
        if encoder in ("raw", "last step"):  # what we make ourselves
            continue
        assert not set(ENCODERS[encoder](evil).decode()) & set("\x00\x85\u2028\u202e"), encoder
        assert b"Bcc" not in ENCODERS[encoder](evil).split(b"\n")[-1] or b"\n" not in ENCODERS[encoder](evil), encoder


def test_the_last_step_of_an_address_is_what_tells_who() -> None:
    assert ENCODERS["last step"]("https://letters.example.org/below/leave/aB-_9") == b"aB-_9"


@given(ANYTHING.filter(lambda text: "\r" not in text))
def test_quoted_printable_is_read_back_by_the_standard_library(text: str) -> None:
    encoded = quoted_printable(text.encode())
    assert quopri.decodestring(encoded) == text.encode().replace(b"\n", b"\r\n")
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
        assert line.isascii()


@given(ANYTHING, st.sampled_from(["text", "html", "url"]))
def test_a_value_between_soft_breaks_decodes_to_what_was_meant(value: str, encoder: str) -> None:
    pieces = Pieces((b"=\r\n", Slot(value="v", encoder=f"{encoder}/qp"), b"=\r\n"))
    encoded = pieces.fill({"v": value})
    assert quopri.decodestring(encoded) == ENCODERS[encoder](value)
    assert all(len(line) <= 76 and not line.startswith(b".") for line in encoded.split(b"\r\n"))


@given(ANYTHING)
def test_a_subject_reads_as_it_was_written(subject: str) -> None:
    encoded = header_text(subject)
    assert encoded.isascii()
    lines = encoded.split(b"\r\n")
    assert all(len(line) <= 78 for line in lines)
    assert all(len(word) <= 75 for line in lines for word in line.split() if word.startswith(b"=?"))
    assert all(line[:1] == b" " and line.strip() for line in lines[1:])
    if encoded:
        unfolded = encoded.decode().replace("\r\n", "")
        meant = one_line(subject).strip()  # blanks around a header mean nothing
        assert str(make_header(decode_header(unfolded))) == meant or meant.isascii()
        message = BytesParser(policy=default).parsebytes(b"Subject: " + encoded + b"\r\n\r\n")
        assert message["subject"] == meant
        assert not message["subject"].defects


@given(ANYTHING.filter(lambda text: not text.isascii()))
def test_a_line_with_encoded_words_has_76_characters_at_most_with_the_name_of_its_field(value: str) -> None:
    """RFC 2047 §2; the longest names of fields that hold such words are Subject and List-Id."""
    for line in (b"Subject: " + header_text(value)).split(b"\r\n"):
        assert b"=?" not in line or len(line) <= 76
    for line in f"List-Id: {address_header(value, 'monday.letters.example.org')}".split("\r\n"):
        assert "=?" not in line or len(line) <= 76


def test_a_name_of_nothing_but_blanks_is_no_name() -> None:
    assert address_header("   ", "zoe@example.org") == "zoe@example.org"
    assert address_header("\u202e ", "zoe@example.org") == "zoe@example.org"


NAMES = st.one_of(
    ANYTHING,
    st.sampled_from(
        [
            "",
            'Joan "J" Example',
            "Example, Joan",
            "Back\\slash",
            "=?utf-8?q?x?=",
            "ليلى مثال",
            "Zoë 🌱",
            "a" * 80,
            "A. B.",
            "a  b",
        ]
    ),
)


@given(NAMES)
def test_a_name_and_an_address_come_back_apart(name: str) -> None:
    encoded = address_header(name, "zoe@example.org")
    assert encoded.isascii()
    assert all(len(line) <= 78 for line in f"To: {encoded}".split("\r\n"))
    # Not EmailMessage: up to Python 3.12 it reads a space between two encoded-words of a display name.
    phrase, address = parseaddr(encoded.replace("\r\n", ""))
    assert address == "zoe@example.org"
    assert str(make_header(decode_header(phrase))) == one_line(name).strip()


def test_what_is_printable_is_safe_on_one_line() -> None:
    unsafe = [chr(point) for point in range(0x10000) if pieces._UNSAFE.search(chr(point))]
    assert len(unsafe) > 2048
    assert not any(character.isprintable() for character in unsafe)
