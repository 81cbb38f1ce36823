"""A newsletter in a folder of its own, and its commands as a person would type them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from newsletter.cli.main import cli
from tests.leaks import leaks_in

ISSUE = "2026-11-23-renew-your-goals"
AFTER_ALL_ZONES = "2026-11-23T20:00:00+00:00"  # it is past eight on Monday everywhere, and nowhere 36 hours ago


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """Its output, read as JSON."""
        return json.loads(self.stdout)


@dataclass(slots=True)
class Workplace:
    """A newsletter's folder, at a pretended time."""

    root: Path
    now: str = AFTER_ALL_ZONES
    environment: dict[str, str | None] = field(default_factory=dict)

    def run(self, *words: str, now: str | None = None) -> Said:
        """Type a command and see what it says; it never finds a terminal to ask on."""
        environment = {"NEWSLETTER_NOW": now or self.now, "NEWSLETTER_DATABASE_URL": None, "COLUMNS": "120"}
        result = CliRunner().invoke(cli, ["--config", str(self.root), *words], env=environment | self.environment)
        assert leaks_in(result.stderr) == []
        return Said(result.exit_code, result.stdout, result.stderr)

    def done(self, *words: str, now: str | None = None) -> Said:
        """`run`, where nothing may go wrong."""
        said = self.run(*words, now=now)
        assert said.exit_code == 0, said.stderr
        return said

    def outbox(self, issue: str = ISSUE) -> list[Path]:
        """What is in the outbox, beside its own journal."""
        return sorted(path for path in (self.root / "outbox" / issue).glob("*") if path.name != ".written")

    def ready(self, *, people: str | None = None) -> Workplace:
        """With a database, a list (the sample, unless *people* has the rows of another) and an approved letter."""
        self.done("init", str(self.root))
        self.done("db", "upgrade")
        listed = self.root / "subscribers" / "sample.csv"
        if people is not None:
            listed.write_text(people)
        self.done("subscribers", "import", str(listed), "--evidence", "invented for a test")
        self.done("approve", ISSUE)
        return self
