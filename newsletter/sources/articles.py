"""An article's file, read with an end to everything: what it is, its text, and its tags as events."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from newsletter.errors import NewsletterError
from newsletter.sources.article_given import MAX_TEXT, Given, too_long

MAX_BYTES = 5_000_000

_KINDS = {
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".htm": "HTML",
    ".html": "HTML",
    ".txt": "plain text",
    ".docx": "Word",
}
# How other files begin, and what to do with them.
_BEGINNINGS = (
    (b"%PDF", "a PDF", "copy its text into a .txt file, or open the document it was made from"),
    (b"{\\rtf", "Rich Text", "open it and save it as .docx"),
    (b"\xd0\xcf\x11\xe0", "an old Word document, or one with a password", "open it and save it as .docx"),
    (b"PK\x03\x04", "a Word document or another archive", "if it is from Word, call it .docx"),
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_PAGE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TAG = re.compile(r"<[A-Za-z!/]")


def read_article(path: Path) -> Given:
    """The article in the file *path*. Raises NewsletterError, where it is not what its ending says or too much."""
    at = path.name
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise NewsletterError(
            "this is no file to bring along", at=at, hint=f"these are read, by their ending: {', '.join(_KINDS)}"
        )
    raw = _bytes(path)
    if kind == "Word":
        from newsletter.sources.article_word import read_word  # noqa: PLC0415 - mammoth takes a while to load

        return read_word(raw, name=at)
    for beginning, what, hint in _BEGINNINGS:
        if raw.startswith(beginning):
            raise NewsletterError(f"called {kind} by its ending, but it is {what}", at=at, hint=hint)
    text, notes = _decoded(raw, at=at, is_page=kind == "HTML")
    if kind != "HTML" and _PAGE.match(text):
        raise NewsletterError(f"called {kind} by its ending, but it is HTML", at=at, hint="call it .html")
    if kind == "HTML" and not _TAG.search(text):
        raise NewsletterError("called HTML by its ending, but it has no tags", at=at, hint="call it .txt")
    if kind != "HTML" and len(text) > MAX_TEXT:
        raise too_long(at)
    if kind == "plain text":
        return Given(name=at, lines=text, notes=notes)
    from newsletter.sources.article_pages import read_markdown, read_page  # noqa: PLC0415 - so do these

    title, events, said = read_page(text, at=at) if kind == "HTML" else read_markdown(text, at=at)
    return Given(name=at, events=events, title=title, notes=(*notes, *said))


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe or a device may have no end
            what = "is a folder" if path.is_dir() else "is no file" if path.exists() else "is not there"
            raise NewsletterError(what, at=path.name, hint="name the file that holds the text")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise NewsletterError(f"cannot be read: {err.strerror}", at=path.name) from err
    if len(raw) > MAX_BYTES:
        hint = "take the pictures out, or bring the text alone along"
        raise NewsletterError(f"more than {MAX_BYTES // 1_000_000} MB", at=path.name, hint=hint)
    if not raw.strip():
        raise NewsletterError("the file is empty", at=path.name, hint="was it saved?")
    return raw


def _decoded(raw: bytes, *, at: str, is_page: bool) -> tuple[str, tuple[str, ...]]:
    """*raw* as text, and a note if its encoding had to be guessed."""
    known = next((encoding for bom, encoding in _BOMS if raw.startswith(bom)), None)
    if known == "utf-8":
        raw, known = raw.removeprefix(codecs.BOM_UTF8), None
    if known is None and b"\0" in raw:
        raise NewsletterError("this is no text", at=at, hint="is the ending of its name the right one?")
    declared = _CHARSET.search(raw[:4096]) if is_page else None
    named = declared[1].decode("ascii") if declared else ""
    guesses = [(known, "")] if known else [("utf-8", ""), (_text_codec(named), f"read as {named}, as the page says")]
    guesses += [] if known else [("windows-1252", "it is not UTF-8 and was read as Windows-1252: look at its accents")]
    for encoding, note in guesses:
        try:
            return raw.decode(encoding), (note,) if note else ()
        except (UnicodeDecodeError, LookupError):
            continue
    raise NewsletterError("its characters cannot be read", at=at, hint="save it as UTF-8 in your editor")


def _text_codec(name: str) -> str:
    """*name*, if it is an encoding of text that a page may have; else one that always fails."""
    try:
        found = codecs.lookup(name) if name else None
    except LookupError:
        found = None
    # Not every codec gives text, and that of UTF-7 reads more into ASCII than is there.
    return name if found and found._is_text_encoding and found.name != "utf-7" else "utf-8"  # noqa: SLF001
