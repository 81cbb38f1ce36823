"""Pages in front of the browser: letters by day and in the dark, on a phone and on a desktop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.samples import SAMPLES

PHONE, DESKTOP = 375, 800

each_letter = pytest.mark.parametrize("letter", SAMPLES, ids=[sample.name for sample in SAMPLES])
in_both_lights = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
at_both_widths = pytest.mark.parametrize("width", [PHONE, DESKTOP])


@dataclass(frozen=True)
class Viewer:
    """Shows pages."""

    browser: Chromium
    file: Path

    def show(self, html: str, *, width: int = DESKTOP, dark: bool = False, scale: int = 1) -> Chromium:
        """The browser with this page."""
        self.file.write_text(html)
        self.browser.show(self.file, width=width, dark=dark, scale=scale)
        return self.browser
