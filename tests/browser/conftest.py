"""One browser for all tests that need to see a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium
from tests.conftest import find_program


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Chromium; whoever asks for it is marked needs("chromium")."""
    program = find_program("chromium")
    assert program is not None
    with Chromium(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened
