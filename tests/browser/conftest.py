"""One browser for all tests that need to see a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.fonts import liberation, write_configuration
from tests.browser.viewer import Viewer
from tests.conftest import find_program


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Chromium; whoever asks for it is marked needs("chromium")."""
    program, fonts = find_program("chromium"), liberation()
    assert program is not None
    folder = tmp_path_factory.mktemp("browser")
    with Chromium(program, folder / "profile", fonts=write_configuration(folder, fonts) if fonts else None) as opened:
        yield opened


@pytest.fixture
def viewer(browser: Chromium, tmp_path: Path) -> Viewer:
    """The browser, ready to show a page."""
    return Viewer(browser, tmp_path / "page.html")
