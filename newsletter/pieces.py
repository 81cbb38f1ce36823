"""A text with holes: literal pieces, and between them slots that differ per recipient.

The ground on which rendering (which cuts the text), delivery (which carries it) and providers (which
fill it) meet. Filling is the hot path of a send: one look-up and one escape per distinct slot, then a join.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote

Encoder = Callable[[str], bytes]

# The values of a message that belong to its envelope and not to the text of the letter.
TO, SUBJECT, DATE, MESSAGE_ID = "@to", "@subject", "@date", "@message_id"

# What may break a line, end a header or reorder its surroundings unseen never leaves a hole: C0 and C1
# controls, line and paragraph separators, and the bidi overrides and isolates (Unicode UAX #9).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]+")


def one_line(value: str) -> str:
    """*value* on one line: runs of control, separator and bidi override characters become one space."""
    # Whatever is unsafe is also unprintable, and asking that first is several times quicker.
    return value if value.isprintable() or not _UNSAFE.search(value) else _UNSAFE.sub(" ", value).strip()


def _text(value: str) -> bytes:
    return one_line(value).encode()


def _html_text(value: str) -> bytes:
    # Five replacements that mostly find nothing take half the time of one regular expression.
    plain = one_line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace('"', "&quot;").replace("'", "&#39;").encode()


def _url_part(value: str) -> bytes:
    return quote(one_line(value), safe="").encode()


def _ascii(value: str) -> bytes:
    return value.encode("ascii")


def _last_step(value: str) -> bytes:
    return _ascii(value.rpartition("/")[2])


_QP_LINE = 75  # RFC 2045 §6.7 allows 76 with the soft break's "="
# What is its own quoted-printable, wherever it stands: no "=", no blank at an end, no "." or "From " in front;
# and what is its own HTML too, as most values are.
_QP_SAFE = re.compile(rb"(?!\.|From )[!-<>-~](?:[ !-<>-~]*[!-<>-~])?")
_QP_AND_HTML_SAFE = re.compile(r"(?!\.|From )[!#-%(-;?-~](?:[ !#-%(-;?-~]*[!#-%(-;?-~])?")
_QP_SPECIAL = re.compile(rb"[^\t -<>-~]|[\t ]\Z")


def quoted_printable(data: bytes) -> bytes:
    """*data* as quoted-printable that may be cut or continued at either end: no line over 75 characters.

    A dot or "From " at the start of a line is encoded, so that neither SMTP nor an mbox has to change it.
    """
    return b"\r\n".join(_qp_line(line) for line in data.replace(b"\r\n", b"\n").split(b"\n"))


def _qp_line(line: bytes) -> bytes:
    encoded = _QP_SPECIAL.sub(lambda found: b"=%02X" % found[0][0], line)
    rows: list[bytes] = []
    start = 0
    while start < len(encoded):
        front = b""
        if encoded.startswith((b".", b"From "), start):
            front = b"=%02X" % encoded[start]
            start += 1
        end = start + _QP_LINE - len(front)
        if end < len(encoded):
            split = encoded.rfind(b"=", end - 2, end)  # of an "=XX" that would be torn apart
            end = split if split >= 0 else end
        rows.append(front + encoded[start:end])
        start = end
    return b"=\r\n".join(rows)


@lru_cache(maxsize=4096)
def _qp_value(value: bytes) -> bytes:
    return quoted_printable(value)


def _in_qp(escape: Encoder) -> Encoder:
    """The encoder *escape* followed by quoted-printable.

    The skeleton puts a soft break before and after every slot, so a value starts on a line of its own
    and cannot push its neighbours over the limit.
    """

    def encode(value: str) -> bytes:
        escaped = escape(value)
        return escaped if len(escaped) <= _QP_LINE and _QP_SAFE.fullmatch(escaped) else _qp_value(escaped)

    return encode


def _unless_plain(encode: Encoder) -> Encoder:
    """The encoder *encode* for text or HTML in quoted-printable, quicker where the value needs none of it."""

    def encode_or_take(value: str) -> bytes:
        if len(value) <= _QP_LINE and _QP_AND_HTML_SAFE.fullmatch(value):
            return value.encode()
        return encode(value)

    return encode_or_take


_ROOM = 60  # characters beside a header's name on its first line
# Base64 of 39 bytes in the frame "=?utf-8?b?…?=" has 64 characters: with "Subject: " or "List-Id: " before it,
# the line stays under the 76 of RFC 2047 §2.
_WORD_BYTES = 39


@lru_cache(maxsize=4096)
def header_text(value: str, room: int = _ROOM) -> bytes:
    """*value* as an unstructured header body or a display name: plain if it can be, else RFC 2047 words.

    `room` is how many characters are left on the first line; longer plain text is folded at spaces.
    ASCII that holds "=?" is encoded too, since readers would decode it.
    """
    value = one_line(value).strip()
    if value.isascii() and "=?" not in value and "  " not in value:
        folded = _fold(value, room)
        if folded is not None:
            return folded.encode()
    return encoded_words(value)


def encoded_words(value: str) -> bytes:
    """*value* as RFC 2047 encoded-words of whole characters, one a line."""
    words, current = [], b""
    for character in value:
        octets = character.encode()
        if len(current) + len(octets) > _WORD_BYTES:
            words.append(current)
            current = b""
        current += octets
    words.append(current)
    return b"\r\n ".join(b"=?utf-8?b?" + b2a_base64(word, newline=False) + b"?=" for word in words)


def _fold(value: str, room: int) -> str | None:
    lines: list[str] = []
    line = ""
    for word in value.split(" "):
        longer = f"{line} {word}" if line else word
        if len(longer) > (room if not lines else 76):
            if not line:
                return None
            lines.append(line)
            line = word
            if len(word) > 76:
                return None
        else:
            line = longer
    return "\r\n ".join([*lines, line])


_ATOM_TEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


def address_header(name: str, address: str) -> str:
    """A name and an address as one header mailbox (RFC 5322 §3.4), ASCII and folded where it is long."""
    phrase = _phrase(name)
    if not phrase:
        return address
    gap = "\r\n " if len(phrase.rpartition("\n")[2]) + len(address) > _ROOM else " "
    return f"{phrase}{gap}<{address}>"


@lru_cache(maxsize=4096)  # names come again, addresses do not
def _phrase(name: str) -> str:
    name = one_line(name).strip()
    if name.isascii() and "=?" not in name and len(name) <= _WORD_BYTES:
        if not name or (_ATOM_TEXT.fullmatch(name) and "  " not in name):
            return name
        return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return encoded_words(name).decode()


ENCODERS: Mapping[str, Encoder] = {
    "text": _text,  # a place in plain text
    "html": _html_text,  # HTML text, or a part of an attribute that is no address
    "url": _url_part,  # a part of an address in an attribute: percent-encoded, hence HTML-safe
    "href": _html_text,  # a whole address of our own making in an attribute
    "raw": _ascii,  # made by us, ASCII, already right for where it stands
    "last step": _last_step,  # what stands last in the path of such an address
    "header": header_text,
    "text/qp": _unless_plain(_in_qp(_text)),
    "html/qp": _unless_plain(_in_qp(_html_text)),
    "url/qp": _in_qp(_url_part),
    "href/qp": _unless_plain(_in_qp(_html_text)),
}


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A hole: which value goes in, and how it is escaped for the place where it stands."""

    value: str
    encoder: str

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            msg = f"no encoder {self.encoder!r}"
            raise ValueError(msg)


@dataclass(frozen=True)
class Pieces:
    """Literal pieces and slots in the order of the text; equal parts make an equal text."""

    parts: tuple[bytes | Slot, ...]

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The distinct slots, in order of first appearance."""
        return tuple(dict.fromkeys(part for part in self.parts if isinstance(part, Slot)))

    @cached_property
    def _plan(self) -> tuple[list[bytes], list[tuple[str, Encoder, list[int]]]]:
        places: dict[Slot, list[int]] = {slot: [] for slot in self.slots}
        frame: list[bytes] = []
        for index, part in enumerate(self.parts):
            if isinstance(part, Slot):
                places[part].append(index)
                frame.append(b"")
            else:
                frame.append(part)
        return frame, [(slot.value, ENCODERS[slot.encoder], where) for slot, where in places.items()]

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The text for one recipient. Raises KeyError if a slot has no value."""
        frame, plan = self._plan
        filled = frame.copy()
        for name, encode, places in plan:
            encoded = encode(values[name])
            for index in places:
                filled[index] = encoded
        return b"".join(filled)
