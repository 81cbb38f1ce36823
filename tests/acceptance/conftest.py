"""A newsletter to try commands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.course import Course
from tests.acceptance.workplace import Workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """An empty folder that is to become a newsletter."""
    return Workplace(tmp_path / "letters")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A newsletter whose series has no parts yet."""
    return Course(root=tmp_path / "letters").begin()
