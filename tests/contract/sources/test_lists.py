"""Files as people have them: what is no list is told so in words, and no line is too long to survive."""

from __future__ import annotations

import stat
import tracemalloc
from pathlib import Path

import pytest

from newsletter.errors import ImportHasProblems, NewsletterError
from newsletter.sources.lists import LONGEST_LINE, for_owner_alone, lines_of

TEXT = "email;name\r\nana@example.org;Zoë\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_as_excel_saves_it(file, encoding):
    file.write_bytes(TEXT.encode(encoding))
    assert list(lines_of(file)) == TEXT.splitlines(keepends=True)


def test_an_empty_file_has_no_lines(file):
    file.touch()
    assert list(lines_of(file)) == []


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (TEXT.encode("latin-1"), "not UTF-8", "iconv -f WINDOWS-1252"),
        (TEXT.encode("utf-16-le"), "UTF-16 without a mark", "CSV UTF-8"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le") + b"\xd8\x00\xd8", "not UTF-8", "CSV UTF-8"),
        (b"PK\x03\x04rest", "a workbook or a ZIP file", "unpack it"),
        (b"\xd0\xcf\x11\xe0rest", "a workbook of Excel", "CSV UTF-8"),
        (b"\x1f\x8brest", "a compressed file", "gunzip"),
        (b"%PDF-1.7", "a PDF", "the list itself"),
        (b"email\r" + b"ana@example.org\r" * 100_000, "CR alone", "CSV UTF-8"),
    ],
)
def test_what_is_no_list_is_refused_in_words(file, content, message, hint):
    file.write_bytes(content)
    with pytest.raises(ImportHasProblems, match=message) as caught:
        list(lines_of(file))
    assert hint in caught.value.hint
    assert str(file) in caught.value.at
    assert "@" not in caught.value.at + caught.value.message


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
def test_a_line_without_an_end_is_not_held_in_memory(file, mark):
    with file.open("wb") as sparse:
        sparse.write(mark + b"email\n\x00"[: 6 + len(mark)])
        sparse.truncate(1_000_000_000)
    tracemalloc.start()
    with pytest.raises(ImportHasProblems, match=r"longer than a million|UTF-16 without"):
        list(lines_of(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * LONGEST_LINE


def test_the_line_that_stops_being_text_is_named(file):
    file.write_bytes(b"email\nana@example.org\nb\xe9n@example.org\n")
    with pytest.raises(ImportHasProblems) as caught:
        list(lines_of(file))
    assert caught.value.at == f"{file}:3"


def test_what_is_written_is_for_its_owner_alone(file):
    with for_owner_alone(file) as write:
        write("ana@example.org\n")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("ana@example.org\n", 0o600)


def test_a_file_to_which_nothing_was_written_is_not_left_behind(file):
    with for_owner_alone(file):
        assert file.exists()
    assert not file.exists()


def test_a_file_that_is_there_is_left_as_it_is(file):
    file.write_text("mine")
    with pytest.raises(NewsletterError, match="exists"), for_owner_alone(file):
        pass
    assert file.read_text() == "mine"


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    with pytest.raises(NewsletterError, match="cannot be written"), for_owner_alone(tmp_path / "none" / "list.csv"):
        pass
