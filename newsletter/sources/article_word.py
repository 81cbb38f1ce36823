"""A Word document as events, by mammoth; refused before it is unpacked where it would be too much."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from io import BytesIO
from typing import Any
from xml.parsers import expat

from newsletter.errors import NewsletterError
from newsletter.sources.article_given import Given
from newsletter.sources.article_pages import read_page

MAX_MEMBERS = 2_000
MAX_UNPACKED = 100_000_000  # bytes of all members
MAX_XML = 12_000_000  # bytes of those that are read, which take about fifty times as much memory
DEEPEST = 120  # elements within each other

# Beside mammoth's own: what Word calls a title and a quotation.
_STYLES = """\
p[style-name='Title'] => h1:fresh
p[style-name='Quote'] => blockquote > p:fresh
p[style-name='Intense Quote'] => blockquote > p:fresh
"""


class _Refused(Exception):
    """Something no document of an article has."""


def read_word(raw: bytes, *, name: str) -> Given:
    """The article in the document *raw*."""
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        hint = "take the password off, or open it and save it as .docx"
        raise NewsletterError("an old Word document, or one with a password", at=name, hint=hint)
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            words = _looked_through(archive)
        html, notes = _by_mammoth(raw)
    except _Refused as err:
        hint = "open it and save it again as .docx, or as .html or .txt"
        raise NewsletterError(str(err), at=name, hint=hint) from err
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as err:
        hint = "open it in Word or LibreOffice and save it again as .docx"
        raise NewsletterError("called .docx by its ending, but it is no Word document", at=name, hint=hint) from err
    _, events, _ = read_page(f"<html><body>{html}", at=name, is_word=True)
    left_out = words - Counter(re.findall(r"\w+", " ".join(text for what, text, _ in events if what == "text")))
    if left_out:
        shown = " ".join(list(left_out)[:20])
        notes += (f"{left_out.total()} words of the document could not be read, such as: {shown}",)
    return Given(name=name, events=events, notes=notes)


def _looked_through(archive: zipfile.ZipFile) -> Counter[str]:
    """The words of a document that is no trap. Sizes are summed before anything is unpacked."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
        raise _Refused("unpacked it would be more than any article is")
    texts = [member for member in members if member.filename.lower().endswith((".xml", ".rels"))]
    if sum(member.file_size for member in texts) > MAX_XML:
        raise _Refused("unpacked it would be more than any article is")
    if "word/document.xml" not in archive.namelist():
        raise zipfile.BadZipFile
    words: Counter[str] = Counter()
    for member in texts:
        is_text = member.filename in ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
        found = _words_of(archive.read(member))
        words += found if is_text else Counter()
    return words


def _words_of(xml: bytes) -> Counter[str]:
    """The words of a part of a document. Raises _Refused where it declares entities or is too deep."""
    parser = expat.ParserCreate(namespace_separator="}")
    open_tags: list[str] = []
    paragraphs: list[str] = []

    def declared(*_: object) -> None:
        raise _Refused("its XML declares a document type, which Word never does")

    def opened(tag: str, _attributes: dict[str, str]) -> None:
        open_tags.append(tag.rpartition("}")[2])
        if len(open_tags) > DEEPEST:
            raise _Refused("its elements are too deep within each other")
        if open_tags[-1] in ("p", "br", "tab", "cr"):
            paragraphs.append(" ")

    def closed(_tag: str) -> None:
        if open_tags.pop() == "p":
            paragraphs.append(" ")

    def said(text: str) -> None:
        if open_tags and open_tags[-1] == "t" and "Fallback" not in open_tags and "del" not in open_tags:
            paragraphs.append(text)

    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = said
    try:
        parser.Parse(xml, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as err:
        raise _Refused("a part of it is damaged") from err
    return Counter(re.findall(r"\w+", "".join(paragraphs)))


def _by_mammoth(raw: bytes) -> tuple[str, tuple[str, ...]]:
    import mammoth  # noqa: PLC0415 - the rest of this file is quicker than it

    def picture(_image: Any) -> dict[str, str]:  # noqa: ANN401 - mammoth ships no types
        return {"src": "within the document"}

    try:
        # A style map that came with the document could hide some of its words.
        found = mammoth.convert_to_html(
            BytesIO(raw),
            style_map=_STYLES,
            include_embedded_style_map=False,
            external_file_access=False,
            convert_image=mammoth.images.img_element(picture),
        )
    except (RecursionError, KeyError, ValueError, AttributeError, TypeError, IndexError, OSError) as err:
        raise _Refused("it cannot be read") from err
    return str(found.value), ()
