"""Pictures as files: what is read of their bytes, and what is refused before anybody unpacks it."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from newsletter.app.pictures import Pictures
from newsletter.errors import NewsletterError
from newsletter.rendering.images import Picture, Unreadable
from newsletter.sources.files import Workspace
from newsletter.sources.pictures import MAX_FILE_BYTES, MAX_PIXELS, file_of, look_at
from tests.drawing import moving, picture, saved

LETTER = "issues/2026-11-23-a-letter.md"


@pytest.mark.parametrize(("kind", "name"), [("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("MPO", "jpg")])
def test_kind_and_size_are_what_the_bytes_say(kind: str, name: str) -> None:
    look = look_at(picture(kind, 320, 200))
    assert (look.kind, look.width, look.height) == (name, 320, 200)
    assert (look.animated, look.turned, look.located) == (False, False, False)


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_picture_that_moves_is_known(kind: str) -> None:
    assert look_at(moving(kind)).animated


def test_a_burst_of_a_phone_does_not_move() -> None:
    burst = [Image.new("RGB", (40, 40)), Image.new("RGB", (40, 40), "red")]
    assert not look_at(saved(burst[0], "MPO", save_all=True, append_images=burst[1:])).animated


def test_the_notes_of_a_camera_are_read() -> None:
    notes = Image.Exif()
    notes[0x0112] = 6
    notes[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    look = look_at(picture("JPEG", exif=notes))
    assert look.turned
    assert look.located


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (picture("WEBP"), "WebP"),
        (picture("BMP"), "no picture that mail can carry"),
        (picture("TIFF"), "no picture that mail can carry"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture that mail can carry"),
        (b"GIF89a" + bytes(7), "damaged"),
        (b"", "no picture that mail can carry"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
    ],
)
def test_what_mail_programs_do_not_show_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(NewsletterError, match=what) as raised:
        look_at(data)
    assert raised.value.hint


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_file_that_was_cut_short_is_refused(kind: str, part: float) -> None:
    whole = picture(kind)
    with pytest.raises(NewsletterError, match=r"damaged|no picture"):
        look_at(whole[: int(len(whole) * part)])


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and holds next to nothing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [5_000, 10_000, 60_000])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    assert side * side > MAX_PIXELS
    with pytest.raises(NewsletterError, match="million pixels"):
        look_at(png_of(side, side))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("chair.png", "issues/chair.png"),
        ("./2026-11-23-a-letter/chair.png", "issues/2026-11-23-a-letter/chair.png"),
        ("ein Stuhl für alle.png", "issues/ein Stuhl für alle.png"),
    ],
)
def test_a_picture_lies_beside_its_letter_or_below(name: str, file: str) -> None:
    assert file_of(LETTER, name) == file


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("../chair.png", "out of"),
        ("a/../../chair.png", "out of"),
        ("a/../chair.png", "out of"),
        ("/etc/passwd", "absolute"),
        ("~/chair.png", "absolute"),
        ("..\\chair.png", "no name"),
        ("chair\n.png", "no name"),
        ("chair\0.png", "no name"),
        (".git/config", "hidden"),
        ("a/.secret.png", "hidden"),
        (".", "hidden"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, what: str) -> None:
    with pytest.raises(NewsletterError, match=what):
        file_of(LETTER, name)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    (tmp_path / "root" / "issues").mkdir(parents=True)
    return Pictures(Workspace(tmp_path / "root"), letter=LETTER)


def why(pictures: Pictures, name: str) -> str:
    found = pictures.picture(name)
    assert isinstance(found, Unreadable), found
    return found.what


def test_a_picture_is_read_once_so_that_what_is_compiled_is_what_is_digested(
    pictures: Pictures, tmp_path: Path
) -> None:
    file = tmp_path / "root" / "issues" / "chair.png"
    first = picture()
    file.write_bytes(first)
    found = pictures.picture("chair.png")
    file.write_bytes(picture(width=10))
    assert isinstance(found, Picture)
    assert (found.file, found.width, found.data) == ("issues/chair.png", 600, first)
    assert pictures.contents(["issues/chair.png", "issues/gone.png"]) == {"issues/chair.png": first}


def test_links_are_not_followed_wherever_they_lead(pictures: Pictures, tmp_path: Path) -> None:
    issues = tmp_path / "root" / "issues"
    (tmp_path / "outside.png").write_bytes(picture())
    (issues / "inside.png").write_bytes(picture())
    (issues / "link.png").symlink_to(tmp_path / "outside.png")
    (issues / "near.png").symlink_to(issues / "inside.png")
    (issues / "folder").symlink_to(tmp_path)
    for name in ("link.png", "near.png", "folder/outside.png"):
        assert "links are not followed" in why(pictures, name)


def test_what_is_no_file_or_too_large_a_one_is_not_opened(pictures: Pictures, tmp_path: Path) -> None:
    issues = tmp_path / "root" / "issues"
    (issues / "folder.png").mkdir()
    with (issues / "huge.png").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert "is not there: issues/gone.png" in why(pictures, "gone.png")
    assert "is not there" in why(pictures, "folder.png")
    assert "has more than 10 MB" in why(pictures, "huge.png")


def test_pillow_is_loaded_for_the_first_picture_only() -> None:
    code = "import newsletter.app.letters, sys; print(sorted(name for name in sys.modules if name.startswith('PIL')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
