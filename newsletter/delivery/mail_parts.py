"""A mail taken apart, whatever its bytes are: within bounds of depth, number and length, and never with an error."""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from itertools import islice

_MOST_PARTS, _DEEPEST = 40, 8
_HEAD_BYTES = 64 * 1024  # of the fields before a body; what follows is not looked at
_FIELD = 2000  # characters of one field
_TEXT = 20_000  # characters of one text

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_BETWEEN_GROUPS = re.compile(rb"\r?\n(?:[ \t]*\r?\n)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A mail, or a part of one: its fields, and what they stand over, still encoded."""

    fields: Message
    body: bytes

    @property
    def type(self) -> str:
        """Its media type, in lower case."""
        return self.fields.get_content_type()

    def values(self, name: str) -> list[str]:
        """All fields of that name, each decoded, on one line and not too long."""
        return [_decoded(str(value)[:_FIELD]) for value in self.fields.get_all(name, [])]

    def value(self, name: str) -> str:
        """The first field of that name, or nothing."""
        return next(iter(self.values(name)), "")

    def parameter(self, name: str) -> str:
        """A parameter of its media type, or nothing."""
        try:
            found = self.fields.get_param(name)
            return collapse_rfc2231_value(found) if found else ""
        except (TypeError, LookupError, ValueError):  # the library trips over numbered ones with gaps (3.11, RFC 2231)
            return ""

    @property
    def content(self) -> bytes:
        """Its body as it was before it was encoded for the way; as it stands if that cannot be undone."""
        encoding = str(self.fields.get("Content-Transfer-Encoding", "")).strip().lower()
        if encoding == "base64":
            letters = re.sub(rb"[^A-Za-z0-9+/]", b"", self.body)
            try:
                return binascii.a2b_base64(letters[: len(letters) // 4 * 4])
            except binascii.Error:
                return self.body
        return quopri.decodestring(self.body) if encoding == "quoted-printable" else self.body

    @property
    def text(self) -> str:
        """Its content as text with LF at the ends of lines; without tags where it is HTML."""
        charset = self.parameter("charset") or "utf-8"
        content = self.content[: 4 * _TEXT]
        try:
            text = content.decode(charset, "replace")
        except (LookupError, ValueError):  # a charset that nobody knows, or that is none of texts
            text = content.decode("utf-8", "replace")
        if self.type == "text/html":
            text = re.sub(r"<[^<>]*>", "\n", text)
        return text[:_TEXT].replace("\r\n", "\n").replace("\r", "\n")


def read_part(raw: bytes) -> Part:
    """The mail, or the part, that *raw* is."""
    found = _END_OF_HEAD.search(raw, 0, _HEAD_BYTES)
    head, body = (raw[: found.end()], raw[found.end() :]) if found else (raw[:_HEAD_BYTES], b"")
    return Part(fields=BytesHeaderParser().parsebytes(head), body=body)


def leaves(root: Part) -> tuple[Part, ...]:
    """What *root* holds in the end, in order; a mail inside it counts as one thing and stays whole."""
    return tuple(islice(_leaves(root, 0), _MOST_PARTS))


def _leaves(part: Part, depth: int) -> Iterator[Part]:
    boundary = part.parameter("boundary").rstrip() if part.type.startswith("multipart/") else ""
    if not boundary:
        yield part
    elif depth < _DEEPEST:
        for each in _between(part.body, boundary.encode("utf-8", "surrogateescape")):
            yield from _leaves(read_part(each), depth + 1)


def field_groups(content: bytes) -> list[Part]:
    """Groups of fields with empty lines between them, as reports are made of."""
    groups = _BETWEEN_GROUPS.split(content.strip(), _MOST_PARTS)[:_MOST_PARTS]
    return [read_part(group + b"\r\n\r\n") for group in groups]


def _between(body: bytes, boundary: bytes) -> list[bytes]:
    """The parts of a multipart body; the last goes as far as there is anything where its end is missing."""
    line = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
    parts: list[bytes] = []
    start = -1
    for found in line.finditer(body):
        if start >= 0:
            parts.append(body[start : found.start()])
        start = found.end()
        if found[1] or len(parts) == _MOST_PARTS:
            return parts
    return [*parts, body[start:]] if start >= 0 else parts


def _decoded(value: str) -> str:
    """A field's value with its encoded words read; as it stands where they are none."""
    with suppress(MessageError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())
