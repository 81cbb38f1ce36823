"""The drill in short; `./nl drill` is the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.scene import Scene


@pytest.mark.parametrize("provider", ["smtp", "resend", "mailgun", "ses"])
def test_killed_again_and_again_nobody_is_mailed_twice_or_lost(provider: str, tmp_path: Path) -> None:
    home = tmp_path / "letter"
    url = f"sqlite:///{home}/subscribers/newsletter.db"
    scene = Scene(home, provider, people=200, senders=2, postgres=None, url=url, seed=len(provider))
    found = scene.play(kills=4)
    assert found.good, found
    assert found.kills.total() >= 3
    assert found.accepted + found.in_doubt == 200
    assert found.accepted >= 20
