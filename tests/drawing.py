"""Pictures for tests, drawn when they are needed."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

VIOLET, YELLOW = (74, 44, 143), (255, 228, 92)


def picture(kind: str = "PNG", width: int = 600, height: int = 400, **options: Any) -> bytes:
    """A yellow ring on violet."""
    image = Image.new("RGB", (width, height), VIOLET)
    inset = min(width, height) // 5
    line = max(1, inset // 3)
    ImageDraw.Draw(image).ellipse((inset, inset, width - inset, height - inset), outline=YELLOW, width=line)
    return saved(image, kind, **options)


def heavy(weight: int, *, width: int = 580) -> bytes:
    """A picture of about that many bytes, since noise cannot be packed."""
    height = max(1, weight // (3 * width))
    return saved(Image.frombytes("RGB", (width, height), random.Random(7).randbytes(3 * width * height)), "PNG")


def moving(kind: str = "GIF") -> bytes:
    """Two frames."""
    frames = [Image.new("RGB", (40, 40), colour) for colour in (VIOLET, YELLOW)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=200)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
