"""A message as its bytes say, read line by line by the standards alone: nothing here trusts the code under test.

RFC 5322 (lines, fields), RFC 2045 and 2046 (parts, quoted-printable), RFC 2047 (encoded-words).
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from functools import cached_property

ENCODED_WORD = re.compile(r"=\?([^?\s]*)\?([^?\s]*)\?([^?\s]*)\?=")


class Malformed(ValueError):
    """The bytes break a rule of the grammar."""


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: its name, and its lines as they stand, without their CRLF."""

    name: str
    lines: tuple[bytes, ...]

    @property
    def body(self) -> str:
        """The value unfolded (RFC 5322 §2.2.3): line ends taken out, blanks kept; bytes beyond ASCII stay visible."""
        return b"".join(self.lines).decode("ascii", "backslashreplace").partition(":")[2].strip(" \t")


def read_fields(block: bytes) -> tuple[Field, ...]:
    """The fields of a header block. Raises Malformed."""
    fields: list[Field] = []
    for line in block.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            if not fields or not line.strip():
                raise Malformed(f"a continuation of nothing: {line!r}")
            fields[-1] = Field(fields[-1].name, (*fields[-1].lines, line))
            continue
        found = re.match(rb"([!-9;-~]+):", line)
        if not found:
            raise Malformed(f"no header field: {line[:60]!r}")
        fields.append(Field(found[1].decode(), (line,)))
    return tuple(fields)


@dataclass(frozen=True)
class Entity:
    """A message, or a part of one: fields, an empty line, a body."""

    raw: bytes

    @cached_property
    def _halves(self) -> tuple[bytes, bytes]:
        head, gap, body = self.raw.partition(b"\r\n\r\n")
        if not gap:
            raise Malformed("no empty line after the header")
        return head, body

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return read_fields(self._halves[0])

    @property
    def body(self) -> bytes:
        return self._halves[1]

    def named(self, name: str) -> list[Field]:
        """The fields of that name, whatever its case."""
        return [field for field in self.fields if field.name.lower() == name.lower()]

    def value(self, name: str) -> str:
        """The unfolded value of the first field of that name; "" without one."""
        return next((field.body for field in self.named(name)), "")

    @property
    def media_type(self) -> str:
        return self.value("Content-Type").partition(";")[0].strip().lower()

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type, "" without it."""
        found = re.search(rf";\s*{name}=(\"[^\"]*\"|[^\s;\"]+)", self.value("Content-Type"), re.IGNORECASE)
        return found[1].strip('"') if found else ""

    @cached_property
    def parts(self) -> tuple[Entity, ...]:
        """The parts of a multipart, cut at its boundary. Raises Malformed."""
        boundary = self.parameter("boundary").encode()
        if not boundary:
            raise Malformed("no boundary")
        pieces = (b"\r\n" + self.body).split(b"\r\n--" + boundary)
        if len(pieces) < 3 or pieces[-1] not in (b"--", b"--\r\n"):
            raise Malformed("the last boundary is not closed")
        if any(piece[:2] != b"\r\n" for piece in pieces[1:-1]):
            raise Malformed("something stands behind a boundary")
        return tuple(Entity(piece[2:]) for piece in pieces[1:-1])

    @property
    def encoding(self) -> str:
        return self.value("Content-Transfer-Encoding").lower()

    @cached_property
    def octets(self) -> bytes:
        """The body, decoded. Raises Malformed."""
        if self.encoding == "quoted-printable":
            return unquote_printable(self.body)
        if self.encoding == "base64":
            return b64decode(self.body.replace(b"\r\n", b""), validate=True)
        return self.body

    @cached_property
    def text(self) -> str:
        """The body as text, with LF line ends. Raises Malformed if it is not UTF-8."""
        try:
            return self.octets.decode().replace("\r\n", "\n")
        except UnicodeDecodeError as err:
            raise Malformed(f"not UTF-8: {err}") from err


_QP_LINE = re.compile(rb"(?:[\t -<>-~]|=[0-9A-F]{2})*")


def unquote_printable(body: bytes) -> bytes:
    """Quoted-printable, read strictly (RFC 2045 §6.7): upper-case digits, no blank at an end. Raises Malformed."""
    out: list[bytes] = []
    lines = body.split(b"\r\n")
    for number, line in enumerate(lines):
        soft = line.endswith(b"=")
        content = line[:-1] if soft else line
        if not _QP_LINE.fullmatch(content):
            raise Malformed(f"no quoted-printable: {line[:80]!r}")
        if not soft and content[-1:] in (b" ", b"\t"):
            raise Malformed(f"a blank at a line's end: {line[-20:]!r}")
        if soft and number == len(lines) - 1:
            raise Malformed("a soft break ends the body")
        out.append(re.sub(rb"=(..)", lambda found: bytes.fromhex(found[1].decode()), content))
        if not soft and number < len(lines) - 1:
            out.append(b"\r\n")
    return b"".join(out)


def decode_word(charset: str, encoding: str, text: str) -> str:
    """One encoded-word. Raises Malformed if it is empty or cuts a character in two."""
    try:
        if encoding.lower() == "b":
            octets = b64decode(text, validate=True)
        elif encoding.lower() == "q":
            octets = unquote_printable(text.replace("_", "=20").encode())
        else:
            raise Malformed(f"no such encoding: {encoding}")
        decoded = octets.decode(charset)
    except (ValueError, LookupError) as err:
        raise Malformed(f"not decodable: {text}") from err
    if not decoded:
        raise Malformed("an empty encoded-word")
    return decoded


def decode_words(value: str) -> str:
    """*value* with its encoded-words read, and the blanks between two of them dropped (RFC 2047 §6.2)."""
    joined = re.sub(rf"({ENCODED_WORD.pattern})[ \t]+(?==\?)", r"\1", value)
    return ENCODED_WORD.sub(lambda found: decode_word(found[1], found[2], found[3]), joined)


def read_mailbox(value: str) -> tuple[str, str]:
    """(display name, address) of a header that holds one mailbox (RFC 5322 §3.4). Raises Malformed."""
    found = re.fullmatch(r"(?:(?P<phrase>.*?)\s*<(?P<angle>[^<>\s]+)>|(?P<bare>[^<>\s,]+))", value)
    if not found:
        raise Malformed(f"no mailbox: {value}")
    address, phrase = found["angle"] or found["bare"], found["phrase"] or ""
    if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", address):
        raise Malformed(f"no address: {address}")
    if phrase.startswith('"'):
        quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', phrase)
        if not quoted:
            raise Malformed(f"no quoted string: {phrase}")
        return re.sub(r"\\(.)", r"\1", quoted[1]), address
    if re.search(r'[()<>\[\]:;@\\,."]', ENCODED_WORD.sub("", phrase)):
        raise Malformed(f"specials outside quotes: {phrase}")
    return decode_words(phrase), address
