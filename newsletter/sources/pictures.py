"""Pictures as files: where one lies, and what its bytes are. Pillow is loaded when the first one is looked at."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_FILE_BYTES = 10_000_000  # more than this is not even read
MAX_PIXELS = 20_000_000  # a small file can unpack to gigabytes, here and in a reader's mail program

_KINDS = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "GIF": "gif"}  # MPO: what some phones make of a JPEG
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
_ORIENTATION, _GPS = 0x0112, 0x8825  # Exif 2.32, tables 4 and 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a picture's bytes say of it. `turned` and `located` are notes of the camera: which way up, and where."""

    kind: str  # png | jpg | gif
    width: int
    height: int
    animated: bool
    turned: bool
    located: bool


def file_of(letter: str, name: str) -> str:
    """The path within the workspace of the file that the letter at *letter* calls *name*: beside it or below.

    Raises NewsletterError where the name leads elsewhere: what a letter shows, everybody can fetch.
    """
    hint = "put the picture beside the letter, or into a folder beside it, and write its name from there"
    if "\\" in name or not name.isprintable():
        raise NewsletterError("is no name of a file", hint=f"{hint}, with / between folder and file")
    if name.startswith(("/", "~")):
        raise NewsletterError("is an absolute path", hint=hint)
    parts = PurePosixPath(name).parts
    if ".." in parts:
        raise NewsletterError("leads out of the letter's folder", hint=hint)
    if not parts or any(part.startswith(".") for part in parts):
        raise NewsletterError("is hidden, or no file at all", hint=hint)
    return str(PurePosixPath(letter).parent.joinpath(*parts))


def look_at(data: bytes) -> Look:
    """What the picture in *data* is. Raises NewsletterError if mail programs could not show it, or not all of it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise NewsletterError("is a WebP picture, which Outlook does not show", hint="save it as PNG or JPEG")
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - most letters have no picture

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is looked at here: sizes, and notes it cannot read
            with Image.open(BytesIO(data), formats=("PNG", "JPEG", "GIF")) as image:
                return _look(image)
    except NewsletterError:
        raise
    except Image.DecompressionBombError as err:
        raise _too_large() from err
    except UnidentifiedImageError as err:
        if data.startswith(_BEGINNINGS):
            raise _damaged() from err
        hint = "save it as PNG, JPEG or GIF: mail programs show nothing else everywhere"
        raise NewsletterError("is no picture that mail can carry", hint=hint) from err
    except Exception as err:  # a decoder that is fed anything may raise anything
        raise _damaged() from err


def _look(image: Image) -> Look:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large()
    if not width * height:
        raise _damaged()
    kind = _KINDS[image.format or ""]
    notes = image.getexif()
    animated = kind != "jpg" and bool(getattr(image, "is_animated", False))
    image.load()  # only now is it known that the file is whole
    return Look(
        kind=kind,
        width=width,
        height=height,
        animated=animated,
        turned=notes.get(_ORIENTATION, 1) != 1,
        located=bool(notes.get_ifd(_GPS)),
    )


def _damaged() -> NewsletterError:
    hint = "it may have been cut short on its way: save it again, or fetch it again"
    return NewsletterError("is damaged, and cannot be shown whole", hint=hint)


def _too_large() -> NewsletterError:
    what = f"has more than {MAX_PIXELS // 1_000_000} million pixels"
    return NewsletterError(
        what, hint="save it smaller: a letter shows at most 580 pixels in width, 1160 on fine screens"
    )
