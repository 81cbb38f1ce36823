"""What a pull request of a draft says of titles and feeds: their words as they are, and nothing that Markdown makes."""

from __future__ import annotations

import runpy
from html import unescape
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "draft.py"


@pytest.mark.parametrize("text", ["a *b* | #1 @x", "[a](b) <i> `c` \\ _d_", "R&#38;D &lt; AT&T"])
def test_signs_are_shown_as_they_were_written(text: str) -> None:
    plain = runpy.run_path(str(SCRIPT))["plain"]
    assert unescape(plain(text)) == text
    assert not set(plain(text)) & set("\\`*_[]<>|@")
