"""A newsletter to try commands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.workplace import Workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """An empty folder that is to become a newsletter."""
    return Workplace(tmp_path / "letters")
