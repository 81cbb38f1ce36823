"""The pictures of a letter: which it names, what is wrong with them, and how they get to readers.

A picture lies beside its letter and is named there as in any Markdown. Readers fetch it from the site under a
name made of its content, or find it inside the message; either way the edition knows its digest.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from urllib.parse import unquote

from markdown_it.token import Token

from newsletter.content.issue import Block, Issue, Problem, Span
from newsletter.rendering.edition import Image
from newsletter.rendering.holes import MARK
from newsletter.rendering.markdown import tokens_of

WIDTH = 580  # of the text, and so of the widest picture, in the pixels of a plain screen

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_ANY_MARK = f"zq{'0' * 16}H0Hqz"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that lies in the workspace, as *file*."""

    file: str
    data: bytes = field(repr=False)
    kind: str  # png | jpg | gif
    width: int
    height: int
    animated: bool = False
    turned: bool = False  # a note in it says which way up it is
    located: bool = False  # a note in it says where it was taken

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of its bytes, in hexadecimal."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A place of the letter with a picture of the workspace, and how wide it is there."""

    picture: Picture
    at: Span
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a picture cannot be used; *what* goes on where its name ended."""

    what: str
    hint: str


PictureOf = Callable[[str], Picture | Unreadable]  # by the name that the letter calls it


def local_name(address: str) -> str | None:
    """The name of a file that *address* is, None if it is an address, or nothing."""
    return None if not address or _SCHEME.match(address) or MARK.search(address) else address


def names_in(issue: Issue) -> list[str]:
    """The files that a letter names as pictures."""
    return list(dict.fromkeys(name for name, _, _ in _named(issue)))


def _named(issue: Issue) -> Iterator[tuple[str, Span, Block | None]]:
    """The files that a letter names, and where; with its block, if that is what it is for."""
    for block in issue.blocks:
        src = block.attributes.get("src", "")
        if block.kind == "image" and "{{" not in src and (name := local_name(src)):
            yield name, block.at, block
        for token in tokens_of(_EXPRESSION.sub(_ANY_MARK, block.body)):  # as Markdown will see it
            at = Span(block.at.path, block.body_line + (token.map[0] if token.map else 0))
            for child in _images([token]):
                if name := _name_of(child):
                    yield name, at, None


def _images(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "image":
            yield token
        yield from _images(token.children or [])


def _name_of(token: Token) -> str | None:
    """The file that a picture in Markdown is; the parser has written blanks and umlauts as in an address."""
    name = local_name(str(token.attrGet("src") or ""))
    return unquote(name) if name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """The pictures of one letter, by name, and how they travel: by address, or (`inline`) inside the message."""

    found: Mapping[str, Picture | Unreadable] = field(default_factory=dict)
    site_url: str
    domain: str  # that Content-IDs are made under
    inline: bool = False

    def images(self) -> tuple[Image, ...]:
        """What the edition keeps of them: each file once."""
        pictures = {each.file: each for each in self.found.values() if isinstance(each, Picture)}
        return tuple(
            Image(
                file=file,
                digest=picture.digest,
                kind=picture.kind,
                address=self._address(picture),
                data=encodebytes(picture.data).decode().rstrip("\n") if self.inline else "",
            )
            for file, picture in sorted(pictures.items())
        )

    def addresses(self) -> frozenset[str]:
        """Under which addresses the letter shows them."""
        return frozenset(self._address(each) for each in self.found.values() if isinstance(each, Picture))

    def _address(self, picture: Picture) -> str:
        short = picture.digest[:16]
        return f"cid:{short}@{self.domain}" if self.inline else f"{self.site_url}/images/{short}.{picture.kind}"

    def placed(self, block: Block) -> Block:
        """*block* with the address and the size of its picture, if it is one that lies in the workspace."""
        picture = self.found.get(block.attributes.get("src", "")) if block.kind == "image" else None
        if not isinstance(picture, Picture):
            return block
        width, height = _stated(block, picture)
        sizes = {"src": self._address(picture), "width": str(width), "height": str(height)}
        return replace(block, attributes={**block.attributes, **sizes})

    def dressed(self, tokens: Sequence[Token]) -> list[Token]:
        """*tokens* with addresses and sizes for the pictures among them; they are shared, and so never changed."""
        return [self._dressed(token) if token.type in ("inline", "image") else token for token in tokens]

    def _dressed(self, token: Token) -> Token:
        if token.type == "inline":
            return token.copy(children=self.dressed(token.children or []))
        picture = self.found.get(_name_of(token) or "")
        if not isinstance(picture, Picture):
            return token
        width = min(picture.width, WIDTH)
        attributes: dict[str, str | int | float] = {
            "class": "picture soft",
            "src": self._address(picture),
            "alt": "",  # written by the renderer, from what stands in the brackets
            "width": width,
            "height": max(1, round(picture.height * width / picture.width)),
            "style": f"max-width:{width}px",
        }
        return token.copy(attrs=attributes)


def seen_here(html: bytes, images: Iterable[Image], contents: Mapping[str, bytes]) -> bytes:
    """*html* with its pictures in it, as browsers read them and mail programs do not: they may be nowhere else yet."""
    for image in images:
        if content := contents.get(image.file):
            data = f"data:{image.media_type};base64,".encode() + b64encode(content)
            html = html.replace(image.address.encode(), data)
    return html


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,3}", text) else 0


def _stated(block: Block, picture: Picture) -> tuple[int, int]:
    """The width and height that a block states, and what it leaves out as the file has it."""
    width, height = _number(block.attributes.get("width", "")), _number(block.attributes.get("height", ""))
    width = width or max(1, round(height * picture.width / picture.height)) if height else width or picture.width
    return width, height or max(1, round(width * picture.height / picture.width))


def image_problems(issue: Issue, found: Mapping[str, Picture | Unreadable]) -> list[Problem]:
    """The pictures of *issue* that cannot be shown, or not in the size that it states."""
    problems = []
    for name, at, block in _named(issue):
        picture = found[name]
        if isinstance(picture, Unreadable):
            what = f"the picture {name!r} {picture.what}"
            problems.append(Problem(at=at, what=what, hint=picture.hint, check="image-file"))
        elif block:
            problems += _size(picture, at, block)
    return problems


def _size(picture: Picture, at: Span, block: Block) -> Iterator[Problem]:
    width, height = _stated(block, picture)
    is_ = f"{picture.width} by {picture.height} pixels"
    true_height = width * picture.height / picture.width
    if width > picture.width:
        hint = "leave width and height out, or bring a larger picture: this one would be blurred"
        yield Problem(at=at, what=f"width={width}, but {picture.file} has {is_}", hint=hint, check="image-size")
    elif abs(true_height - height) > 1:
        hint = f'leave height out, or write height="{max(1, round(true_height))}"'
        what = f"width={width} and height={height} would distort {picture.file}, which has {is_}"
        yield Problem(at=at, what=what, hint=hint, check="image-size")


def shown_in(issue: Issue, found: Mapping[str, Picture | Unreadable]) -> tuple[Shown, ...]:
    """Every place where *issue* shows a picture of the workspace."""
    shown = []
    for name, at, block in _named(issue):
        picture = found[name]
        if isinstance(picture, Picture):
            width = _stated(block, picture)[0] if block else picture.width
            shown.append(Shown(picture=picture, at=at, width=min(width, WIDTH)))
    return tuple(shown)
