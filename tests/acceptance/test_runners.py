"""The short form of `./nl drill --runners`: the real steps of send.yml, killed and doubled, with the state in Git."""

from __future__ import annotations

from pathlib import Path

from tests.drill.runners import Runners


def test_runners_that_forget_their_disk_and_are_killed_mail_nobody_twice_and_lose_nobody(tmp_path: Path) -> None:
    scene = Runners(tmp_path / "letters", "resend", people=120, seed=7)
    found = scene.play(kills=4)
    assert found.good, found
    assert found.kills["runner"] >= 3
    assert found.accepted + found.in_doubt == 120
    assert found.accepted >= 40
    assert any('"sent"' in log for log in scene.logs)
