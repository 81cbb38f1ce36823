"""An edition as messages: the MIME skeleton, encoded once, with a slot for everything personal.

Headers follow the letter of the standards rather than the standard library, whose EmailMessage ruins long
List-Unsubscribe fields and some subjects (docs/adr/0004-own-message-skeleton.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from newsletter.pieces import DATE, MESSAGE_ID, SUBJECT, TO, Pieces, Slot, address_header, quoted_printable
from newsletter.rendering.edition import Edition, Image, Variant
from newsletter.rendering.expressions import Expression, read_expression
from newsletter.rendering.holes import Holes, cut_html, cut_text

_CRLF = b"\r\n"
# So that no machine answers it (RFC 3834 §5).
_AUTOMATIC = ("Auto-Submitted", Pieces((b"auto-generated",)))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One variant, cut: its HTML, its text, and the whole message around them."""

    html: Pieces
    text: Pieces
    mime: Pieces


@dataclass(frozen=True, kw_only=True)
class Cut:
    """An edition, cut at its holes and ready to be filled for one reader after another."""

    subject: Pieces
    headers: tuple[tuple[str, Pieces], ...]
    variants: tuple[Parts, ...]
    expressions: tuple[Expression, ...]


def cut_edition(edition: Edition, *, automatic: bool = False) -> Cut:
    """*edition* cut into literal pieces and slots; *automatic* if nobody wrote it for this occasion."""
    expressions = tuple(read_expression(source) for source in edition.holes)
    holes = Holes(edition.mark_word, expressions, edition.constants)
    headers = (*_headers(edition), *((_AUTOMATIC,) if automatic else ()))
    boundary = f"=_{edition.hash.rpartition(':')[2][:32]}"  # "=_" cannot stand in quoted-printable
    parts = []
    for variant in edition.variants:
        html, text = cut_html(variant.html, holes), cut_text(_text(variant), holes)
        inside = [image for image in edition.images if image.data and image.address in variant.html]
        parts.append(Parts(html=html, text=text, mime=_mime(headers, boundary, text, _best(html, inside, boundary))))
    return Cut(
        subject=cut_text(edition.subject, holes),
        headers=headers,
        variants=tuple(parts),
        expressions=tuple(each for each in expressions if each.source not in holes.constants),
    )


def _text(variant: Variant) -> str:
    return variant.text.strip("\n") + "\n"


def _headers(edition: Edition) -> Iterator[tuple[str, Pieces]]:
    """The headers that do not belong to one recipient alone; how to leave comes by `leave_mode`."""
    who = edition.identity
    yield "From", Pieces((address_header(who.name, who.address).encode(),))
    if who.reply_to:
        yield "Reply-To", Pieces((address_header("", who.reply_to).encode(),))
    phrase = address_header(who.newsletter, who.list_id).encode()  # `Name <label.domain>`, RFC 2919 §2
    yield "List-Id", Pieces((phrase if who.newsletter else b"<" + phrase + b">",))
    if who.leave_mode in ("provider", "none"):
        return  # the provider writes both headers, with an address of its own; or there is nothing to leave
    link: tuple[bytes | Slot, ...] = (b"<", Slot(value="unsubscribe_url", encoder="raw"), b">")
    if who.leave_mode == "mailto":
        yield "List-Unsubscribe", Pieces(link)
        return
    if who.leave_mailto:  # some mail programs prefer it, so it says as well as the page who leaves
        by_mail = f",\r\n <mailto:{who.leave_mailto}?subject=leave%20".encode()
        link = (b"<", link[1], b">" + by_mail, Slot(value="unsubscribe_url", encoder="last step"), b">")
    yield "List-Unsubscribe", Pieces(link)
    yield "List-Unsubscribe-Post", Pieces((b"List-Unsubscribe=One-Click",))  # RFC 8058 §3.1


def _mime(headers: tuple[tuple[str, Pieces], ...], boundary: str, text: Pieces, best: Iterable[bytes | Slot]) -> Pieces:
    parts: list[bytes | Slot] = [b"Date: ", Slot(value=DATE, encoder="raw")]
    for name, pieces in headers:
        parts += [_CRLF, f"{name}: ".encode(), *pieces.parts]
    parts += [_CRLF, b"To: ", Slot(value=TO, encoder="raw"), _CRLF, b"Subject: ", Slot(value=SUBJECT, encoder="header")]
    parts += [_CRLF, b"Message-ID: <", Slot(value=MESSAGE_ID, encoder="raw"), b">", _CRLF]
    parts.append(f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode())
    parts += [f"\r\n--{boundary}\r\n".encode(), *_readable("plain", text)]
    parts += [f"\r\n--{boundary}\r\n".encode(), *best]
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return Pieces(tuple(_joined(parts)))


def _readable(subtype: str, body: Pieces) -> Iterator[bytes | Slot]:
    """A part that is text."""
    yield (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
    )
    yield from _quoted(body)


def _best(html: Pieces, images: Sequence[Image], outer: str) -> Iterator[bytes | Slot]:
    """The HTML; where pictures travel with it, in one part with them (RFC 2387), named as it calls them (RFC 2392)."""
    if not images:
        yield from _readable("html", html)
        return
    boundary = f"=_p{outer[3:]}"  # of the same length, and neither begins the other
    yield f'Content-Type: multipart/related; type="text/html";\r\n boundary="{boundary}"\r\n'.encode()
    yield f"\r\n--{boundary}\r\n".encode()
    yield from _readable("html", html)
    for image in {each.address: each for each in images}.values():
        yield (
            f"\r\n--{boundary}\r\nContent-Type: {image.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-ID: <{image.address.removeprefix('cid:')}>\r\n"
            f'Content-Disposition: inline; filename="{image.name}"\r\n\r\n'.encode()
        )
        yield image.data.replace("\n", "\r\n").encode()
    yield f"\r\n--{boundary}--".encode()


def _quoted(pieces: Pieces) -> Iterator[bytes | Slot]:
    """*pieces* in quoted-printable, with a soft break on either side of every slot."""
    for part in pieces.parts:
        if isinstance(part, Slot):
            yield b"=\r\n"
            yield Slot(value=part.value, encoder=f"{part.encoder}/qp")
            yield b"=\r\n"
        else:
            yield quoted_printable(part)


def _joined(parts: list[bytes | Slot]) -> Iterator[bytes | Slot]:
    """*parts* with neighbouring literals made one, so that filling joins as few as possible."""
    literal = b""
    for part in parts:
        if isinstance(part, Slot):
            yield literal
            yield part
            literal = b""
        else:
            literal += part
    yield literal
