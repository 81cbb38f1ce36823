"""The short form of `./nl drill --year`: two weeks of it, in which clocks change in America."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.year import Year


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_everybody_gets_every_letter_once_at_their_time_whatever_the_ticks_do(tmp_path: Path) -> None:
    found = Year(tmp_path / "letters", people=200, weeks=2, kills=6, seed=20260302).live()
    assert found.good, found
    assert found.letters == 2
    assert found.killed >= 3
    assert found.delivered > 2 * 200 * 0.9
