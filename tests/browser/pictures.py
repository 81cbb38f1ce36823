"""Pictures of pages: kept small, and compared so that a moved block is seen and a smoother letter is not."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter

HALF = 2  # references are kept at half the size
COLOURS = 64
BLUR = 1.5  # pixels of the half-size picture: another rasteriser draws a stem a shade darker, or half a pixel on
STRONG, STRONG_SHARE = 32, 0.03  # of 255; another rasteriser stays below 25, what moves by three pixels goes above 50
BROAD, BROAD_SHARE = 10, 0.8  # a ground that changed its colour a little, everywhere
TILE = 24  # pixels; judged tile by tile, or a lost button would drown in a long letter


@dataclass(frozen=True)
class Difference:
    """What is not alike in two pictures, in words ("" if nothing), and where."""

    what: str
    marks: Image.Image  # white where it differs


def read_shot(png: bytes, *, scale: int = 1) -> Image.Image:
    """A screenshot at half the size of the page; *scale* is how many of its pixels make one of the page."""
    return Image.open(io.BytesIO(png)).convert("RGB").reduce(HALF * scale)


def reference(picture: Image.Image) -> Image.Image:
    """The picture as it is kept: with few colours, the plain grounds among them."""
    return picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=2)


def compare(golden: Image.Image, now: Image.Image) -> Difference:
    """How two pictures differ to an eye that does not care for the edges of letters."""
    if golden.size != now.size:
        sizes = " and ".join(f"{HALF * width} by {HALF * height}" for width, height in (golden.size, now.size))
        both = (0, 0, min(golden.width, now.width), min(golden.height, now.height))
        cropped = [picture.crop(both) for picture in (golden, now)]
        return Difference(f"the sizes differ: {sizes}", compare(*cropped).marks)
    apart = _apart(golden.convert("RGB"), now)
    strong, broad = (_tiles(apart, above) for above in (STRONG, BROAD))
    worst, broadest = (max(tiles.tobytes()) / 255 for tiles in (strong, broad))
    what = ""
    if worst > STRONG_SHARE:
        what = f"{worst:.0%} of one place is not as it was"
    elif broadest > BROAD_SHARE:
        what = "a ground has another colour"
    return Difference(what, apart.point(lambda value: 255 if value > BROAD else 0))


def side_by_side(golden: Image.Image, now: Image.Image, difference: Difference) -> Image.Image:
    """As it was, as it is, and as it is with what differs in red."""
    marked = now.copy()
    marked.paste((255, 0, 0), (0, 0), difference.marks)
    width, height = now.width + 8, max(golden.height, now.height)
    sheet = Image.new("RGB", (3 * width, height), "grey")
    for place, picture in enumerate((golden, now, marked)):
        sheet.paste(picture.convert("RGB"), (place * width, 0))
    return sheet


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG, as small as it can be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "PNG", optimize=True)


def _apart(one: Image.Image, other: Image.Image) -> Image.Image:
    """For each pixel by how much it differs, in the colour in which it differs most."""
    soft = [picture.filter(ImageFilter.GaussianBlur(BLUR)) for picture in (one, other)]
    red, green, blue = ImageChops.difference(*soft).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _tiles(apart: Image.Image, above: int) -> Image.Image:
    """A pixel for each tile: which share of it differs by more than *above*."""
    hard = apart.point(lambda value: 255 if value > above else 0)
    across, down = (-(-side // TILE) for side in hard.size)
    whole = Image.new("L", (across * TILE, down * TILE))
    whole.paste(hard)
    return whole.reduce(TILE)
