"""Files that are brought along: what they may be, how they are read, and those that are refused."""

from __future__ import annotations

import codecs
import os
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.acceptance.workplace import Said, Workplace
from tests.articles import Bit, Piece, as_docx

TWO = [Piece("title", ((Bit("The chair"),),)), Piece("p", ((Bit("Somebody kept it."),),))]
PAGE = "<h1>The chair</h1><p>Somebody kept it.</p>"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


@pytest.fixture(scope="module")
def letters(tmp_path_factory) -> Workplace:
    workplace = Workplace(tmp_path_factory.mktemp("bringing") / "letters")
    workplace.done("init", str(workplace.root))
    return workplace


def bring(letters: Workplace, name: str, content: bytes) -> tuple[str, Said]:
    """The blocks of the draft made of *content*, "" if none was; and what was said."""
    file = letters.root.parent / name
    file.write_bytes(content)
    before = set((letters.root / "issues").iterdir())
    said = letters.run("new", "--from", str(file))
    made = set((letters.root / "issues").iterdir()) - before
    assert len(made) == (said.exit_code == 0)
    draft = ""
    for path in made:
        draft = path.read_text()
        path.unlink()
    return draft, said


ENCODINGS = {
    "UTF-8": ("é “a”".encode(), ""),
    "UTF-8 with a mark": (codecs.BOM_UTF8 + "é “a”".encode(), ""),
    "UTF-16, little end first": (codecs.BOM_UTF16_LE + "é “a”".encode("utf-16-le"), ""),
    "UTF-16, big end first": (codecs.BOM_UTF16_BE + "é “a”".encode("utf-16-be"), ""),
    "Windows-1252": ("é “a”".encode("windows-1252"), "read as Windows-1252"),
}


@pytest.mark.parametrize(("raw", "note"), ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_encodings(letters, name, raw, note):
    draft, said = bring(letters, name, raw)
    assert "\né “a”\n" in draft
    assert note in said.stderr
    assert ("Windows" in said.stderr) == ("Windows" in note)


def test_a_page_is_read_as_it_says_of_itself(letters):
    page = f'<meta charset="iso-8859-2"><h1>T</h1><p>{chr(0x141)}a{chr(0x17C)}</p>'
    assert "\nŁaż\n" in bring(letters, "a.html", page.encode("iso-8859-2"))[0]
    page = '<?xml version="1.0" encoding="utf-7"?><meta charset="utf-7"><h1>T</h1><p>+ADw-b+AD4-é</p>'
    assert "+ADw-b+AD4-é" in bring(letters, "a.html", page.encode())[0]


@pytest.mark.parametrize("name", ["a.htm", "a.HTML", "a.markdown", "A.MD"])
def test_endings(letters, name):
    draft, _ = bring(letters, name, PAGE.encode())
    assert "\n::: reflection\nSomebody kept it.\n:::\n" in draft


def test_a_word_document(letters):
    pieces = [
        *TWO,
        Piece("h2", ((Bit("Do the work"),),)),
        Piece("p", ((Bit("I will "), Bit("ask", "strong"), Bit("her", "https://a.example/b", glued=True)),)),
        Piece("ul", ((Bit("One"),), (Bit("Two", "em"),))),
        Piece("ol", ((Bit("Three"),),)),
    ]
    draft, _ = bring(letters, "a.docx", as_docx(pieces))
    assert 'title: "The chair"' in draft
    assert (
        '::: action {title="Do the work"}\nI will **ask**[her](https://a.example/b)\n\n- One\n- *Two*\n\n1. Three\n:::'
        in draft
    )


def test_footnotes_of_word_are_kept(letters):
    said = '<w:footnote w:id="7"><w:p><w:r><w:t>It was oak.</w:t></w:r></w:p></w:footnote>'
    note = f'<w:footnotes xmlns:w="{WORD}">{said}</w:footnotes>'
    more = '<w:p><w:r><w:t>A chair</w:t><w:footnoteReference w:id="7"/><w:t> stood.</w:t></w:r></w:p>'
    draft, said = bring(letters, "a.docx", as_docx(TWO, more=more, members={"word/footnotes.xml": note.encode()}))
    assert "A chair\\[1] stood.\n" in draft
    assert "\n::: text\n1. It was oak.\n:::\n" in draft
    assert "could not be read" not in said.stderr


def test_footnotes_of_markdown_are_kept_and_code_is_left_alone(letters):
    text = "# T\n\nA[^1] and b[^n], not [^c] and `x[^1]`.\n\n[^1]: https://a.example\n[^n]: It was oak.\n"
    draft, _ = bring(letters, "a.md", text.encode())
    assert "A\\[1] and b\\[n], not \\[^c] and `x[^1]`.\n\n\\[1] https://a.example\\\n\\[n] It was oak.\n" in draft


def test_words_that_mammoth_does_not_read_are_told(letters):
    more = '<w:p><x:y xmlns:x="urn:x"><w:r><w:t>A hidden chair</w:t></w:r></x:y></w:p>'
    _, said = bring(letters, "a.docx", as_docx(TWO, more=more))
    told = said.stderr.partition("3 words of the document could not be read, such as: ")[2].split("\n")[0]
    assert sorted(told.split()) == ["A", "chair", "hidden"]


def test_tables_of_data_become_lines_and_others_vanish(letters):
    table = "<h1>T</h1><table><tr><th>A<th>B<tr><td>c<td><a href='https://a.example'>d</a></table>"
    draft, said = bring(letters, "a.html", table.encode())
    assert "**A | B**\\\nc | [d](https://a.example)\n" in draft
    assert "a table became lines" in said.stderr
    placed = "<table><tr><td><h1>T</h1><p>A.<td><h2>Share</h2><p>B.</table>"
    assert (
        '::: reflection\nA.\n:::\n\n::: spread-the-word {title="Share"}\ntext: B.\n'
        in bring(letters, "a.html", placed.encode())[0]
    )


def test_of_a_page_only_words_are_taken(letters):
    page = (
        "<!doctype html><title>Not this</title><style>x{}</style><h1>T</h1><script>alert(1)</script><p onclick=x>A"
        "<br>b<br><br>c<svg><text>no</text></svg><iframe src=https://a.example/v></iframe>"
        "\u202e\u2028d<pre>e\n  f</pre>"
    )
    draft, said = bring(letters, "a.html", page.encode())
    assert draft.endswith("A\\\nb\n\nc d\n\n```\ne\n  f\n```\n:::\n")
    assert "what the page played here was left out: https://a.example/v" in said.stderr
    assert "characters that no letter can show were left out" in said.stderr


def test_words_between_angles_are_words_in_markdown(letters):
    draft, _ = bring(letters, "a.md", b"# T\n\nA <name> and <b>this</b>.\n\n<your text>\n\n<div>c</div>\n")
    assert "A \\<name> and **this**.\n\n\\<your text>\n\nc\n" in draft


REFUSED = {
    "an unknown ending": ("a.odt", b"x", "no file to bring along"),
    "no ending": ("article", b"x", "no file to bring along"),
    "nothing": ("a.md", b" \n", "is empty"),
    "no words": ("a.html", b"<p> </p>", "no text in it"),
    "a PDF": ("a.txt", b"%PDF-1.7 x", "it is a PDF"),
    "an old Word document": ("a.docx", b"\xd0\xcf\x11\xe0 x", "an old Word document"),
    "Word under another name": ("a.md", as_docx(TWO), "it is a Word document or another archive"),
    "Rich Text": ("a.txt", rb"{\rtf1 x}", "it is Rich Text"),
    "a picture": ("a.txt", b"\x89PNG\0\0", "this is no text"),
    "text as Word": ("a.docx", b"just text", "it is no Word document"),
    "a page as text": ("a.txt", f"<!DOCTYPE html>{PAGE}".encode(), "it is HTML"),
    "text as a page": ("a.html", b"just 1 < 2 text", "it has no tags"),
    "what is no encoding": ("a.txt", b"\x81\x8d caf\xe9", "cannot be read"),
    "too many bytes": ("a.html", b"<p>" + b"x" * 5_000_000, "more than 5 MB"),
    "too much text": ("a.html", b"<p>" + b"x " * 250_000, "more than 200 kB of text"),
    "too much Markdown": ("a.md", b"x " * 150_000, "more than 200 kB of text"),
    "too many signs": ("a.txt", b"*a " * 60_000, "no letter can be made of it"),
    "tags too deep": ("a.html", b"<div>" * 3000 + b"x", "deeper within each other"),
    "too many tags": ("a.html", b"<p>x" * 60_000, "more tags"),
    "quotations too deep": ("a.md", b"> " * 95 + b"x", "too deep"),
    "another archive": ("a.docx", b"", "it is no Word document"),
}


def archive(members: dict[str, bytes]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in members.items():
            into.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(("name", "content", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(letters, name, content, why):
    _, said = bring(letters, name, content or archive({"a.txt": b"x"}))
    assert said.exit_code == 1
    assert why in said.stderr
    assert len(said.stderr) < 500


def bomb() -> bytes:
    return as_docx(TWO, members={"word/media/a.png": b"\0" * 101_000_000})


def xml_bomb() -> bytes:
    return as_docx(TWO, members={"word/comments.xml": b" " * 13_000_000})


def lying() -> bytes:
    """A document whose largest part says that it is small."""
    whole = bytearray(as_docx(TWO, members={"word/comments.xml": b"<a>" + b" " * 1_000_000 + b"</a>"}))
    size = struct.pack("<L", 1_000_007)
    assert whole.count(size) == 2
    return bytes(whole.replace(size, struct.pack("<L", 7)))


def with_entities() -> bytes:
    laughs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    xml = f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]><w:styles xmlns:w="{WORD}">&a9;</w:styles>'
    return as_docx(TWO, members={"word/styles.xml": xml.encode("utf-16")})


def outside() -> bytes:
    xml = f'<!DOCTYPE x SYSTEM "file:///etc/passwd"><w:comments xmlns:w="{WORD}"/>'
    return as_docx(TWO, members={"word/comments.xml": xml.encode()})


DOCUMENTS = {
    "too much within": (bomb, "unpacked it would be more"),
    "too much XML": (xml_bomb, "unpacked it would be more"),
    "too many members": (lambda: as_docx(TWO, members={f"a{n}": b"" for n in range(2001)}), "unpacked it would be"),
    "a size that is not true": (lying, "it is no Word document"),
    "entities": (with_entities, "declares a document type"),
    "a document type": (outside, "declares a document type"),
    "elements too deep": (lambda: as_docx(TWO, more="<w:sdt>" * 200 + "</w:sdt>" * 200), "too deep"),
    "XML that is none": (lambda: as_docx(TWO, more="<w:p>"), "damaged"),
    "a cut archive": (lambda: as_docx(TWO)[:-40], "it is no Word document"),
    "a changed byte": (lambda: as_docx(TWO).replace(b"PK\x01\x02", b"PK\x01\x03", 1), "it is no Word document"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "why"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_documents_that_are_traps(letters, make, why):
    _, said = bring(letters, "a.docx", make())
    assert said.exit_code == 1
    assert why in said.stderr


def test_a_letter_that_is_there_is_left_as_it_is(letters):
    file = letters.root.parent / "a.md"
    file.write_text("# One\n\nTwo.\n")
    path = letters.root / letters.done("new", "--from", str(file)).stdout.strip()
    path.write_text("mine")
    said = letters.run("new", "--from", str(file))
    assert (said.exit_code, path.read_text()) == (1, "mine")
    assert "the file exists" in said.stderr
    path.unlink()


def test_what_is_no_file(letters, tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "folder.md").mkdir()
    for name, why in (("pipe.md", "is no file"), ("folder.md", "is a folder"), ("nowhere.md", "is not there")):
        said = letters.run("new", "--from", str(tmp_path / name))
        assert (said.exit_code, why in said.stderr) == (1, True)


def test_a_letter_needs_a_title_or_an_article(letters):
    said = letters.run("new")
    assert said.exit_code == 2
    assert "--from FILE" in said.stderr


def test_the_day_is_taken_as_with_every_new_letter(letters):
    file = Path(letters.root.parent / "a.md")
    file.write_text("# One\n\nTwo.\n")
    said = letters.done("new", "--from", str(file), "--date", "2027-02-01")
    assert said.stdout == "issues/2027-02-01-one.md\n"
    assert "send: 2027-02-01 08:00" in (letters.root / "issues/2027-02-01-one.md").read_text()
