"""SpamAssassin, asked about many messages at once, without a network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("spamassassin.pl")
ANSWER_S = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """Its score, 5 of which are spam by default, and the rules that made it."""

    score: float
    rules: dict[str, float]


def judge(messages: Sequence[bytes], folder: Path) -> list[Verdict]:
    """A verdict on each message; *folder* is an empty one for its notes."""
    files = [folder / f"{number:03}.eml" for number, _ in enumerate(messages)]
    for file, message in zip(files, messages, strict=True):
        file.write_bytes(message)
    (folder / "prefs").touch()
    done = subprocess.run(
        ["/usr/bin/perl", SCRIPT, folder, *files], capture_output=True, text=True, timeout=ANSWER_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Verdict(**each) for each in json.loads(done.stdout)]
