"""Pictures beside a letter: what they weigh, and what they do or tell that nobody meant."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.content.issue import Level
from newsletter.rendering.checks.reading import Reading
from newsletter.rendering.checks.rule import Check, Found

HEAVY_BYTES, TOO_HEAVY_BYTES, HEAVY_LETTER_BYTES = 200_000, 1_000_000, 800_000


def _too_heavy(reading: Reading) -> Iterator[Found]:
    for each in reading.shown:
        if len(each.picture.data) > TOO_HEAVY_BYTES:
            yield Found(at=each.at, what=f"{each.picture.file} weighs {_kb(len(each.picture.data))}")


def _heavy(reading: Reading) -> Iterator[Found]:
    for each in reading.shown:
        if HEAVY_BYTES < len(each.picture.data) <= TOO_HEAVY_BYTES:
            yield Found(at=each.at, what=f"{each.picture.file} weighs {_kb(len(each.picture.data))}")
    whole = sum({each.picture.digest: len(each.picture.data) for each in reading.shown}.values())
    if whole > HEAVY_LETTER_BYTES:
        yield Found(at=reading.issue.span("title"), what=f"the pictures weigh {_kb(whole)} together")


def _kb(count: int) -> str:
    return f"{-(-count // 1000):,} kB"


def _width(reading: Reading) -> Iterator[Found]:
    for each in reading.shown:
        if each.picture.width > 2 * each.width:
            what = f"{each.picture.file} is {each.picture.width} pixels wide and shown at {each.width}"
            hint = f"save it {2 * each.width} pixels wide: the finest screen shows no more"
            yield Found(at=each.at, what=what, hint=hint)


def _moves(reading: Reading) -> Iterator[Found]:
    for each in reading.shown:
        if each.picture.animated:
            yield Found(at=each.at, what=f"{each.picture.file} moves, and Outlook shows its first frame only")


def _turned(reading: Reading) -> Iterator[Found]:
    for each in reading.shown:
        if each.picture.turned:
            what = f"{each.picture.file} is turned by a note of the camera that some mail programs do not read"
            yield Found(at=each.at, what=what)


def _place(reading: Reading) -> Iterator[Found]:
    for each in reading.shown:
        if each.picture.located:
            yield Found(at=each.at, what=f"{each.picture.file} tells everybody where it was taken")


CHECKS = (
    Check(
        id="image-weight",
        level=Level.ERROR,
        about="a picture of more than 1 MB",
        fix="save it smaller: 1160 pixels wide is enough for any screen, and JPEG suits photographs",
        find=_too_heavy,
    ),
    Check(
        id="image-heavy",
        level=Level.WARNING,
        about="a picture of more than 200 kB, or more than 800 kB of them: readers on the road wait for it",
        fix="save it smaller: 1160 pixels wide is enough for any screen, and JPEG suits photographs",
        find=_heavy,
    ),
    Check(
        id="image-place",
        level=Level.WARNING,
        about="a photograph that tells where it was taken, by a note of the camera (GPS)",
        fix="export it as for the web, without its place",
        find=_place,
    ),
    Check(
        id="image-turned",
        level=Level.WARNING,
        about="a photograph that lies on its side where a mail program does not read the camera's note",
        fix="turn it the right way up in any program for pictures, and save it again",
        find=_turned,
    ),
    Check(
        id="image-width",
        level=Level.NOTE,
        about="pixels that the finest screen does not show: more than twice the width in the letter",
        fix="save it smaller",
        find=_width,
    ),
    Check(
        id="image-moves",
        level=Level.NOTE,
        about="a picture that moves, of which Outlook shows the first frame",
        fix="let that frame say everything, and let it stop within five seconds",
        find=_moves,
    ),
)
