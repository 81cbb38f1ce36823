"""A newsletter with a series that a test writes, and what its readers got of it."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.acceptance.workplace import Workplace

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PART = """---
title: {title}
subject: {title}
preheader: What is said after the subject, to fill the line in the inbox.
after: {after} days
---

::: text
{text}
:::
"""


class Course(Workplace):
    """A newsletter whose series `course` is written by the test; nothing else is due."""

    def begin(self) -> Course:
        self.done("init", str(self.root))
        self.done("db", "upgrade")
        for path in (self.root / "issues").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.folder.mkdir(parents=True)
        (self.folder / "series.toml").write_text("since = 2026-11-23\nquiet = []\n")
        return self

    @property
    def folder(self) -> Path:
        return self.root / "issues" / "series" / "course"

    def write(self, number: int, name: str, after: int, *, text: str = "Good morning.") -> None:
        (self.folder / f"{number:02}-{name}.md").write_text(PART.format(title=f"About {name}", after=after, text=text))
        self.done("approve", f"course.{name}")

    def join(self, *readers: str, at: datetime = MONDAY, zone: str = "Europe/Berlin") -> None:
        rows = "".join(f"{reader}@example.org,{zone}\n" for reader in readers)
        listed = self.root / "subscribers" / "sample.csv"
        listed.write_text("email,timezone\n" + rows)
        self.done("subscribers", "import", str(listed), "--evidence", "invented for a test", now=at.isoformat())

    def live(self, days: int, *, start: datetime = MONDAY) -> dict[str, list[tuple[str, str]]]:
        """Tick every six hours; what each reader got, as (day and hour, part)."""
        for hours in range(0, days * 24, 6):
            self.done("tick", now=(start + timedelta(hours=hours)).isoformat())
        return self.got()

    def got(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for path in sorted((self.root / "outbox").glob("course.*/*.eml")):
            message = path.read_text()
            to, date = (re.search(rf"(?m)^{name}: (.*)$", message) for name in ("To", "Date"))
            assert to
            assert date
            day = datetime.strptime(date[1], "%a, %d %b %Y %H:%M:%S %z")
            found.setdefault(to[1].partition("@")[0], []).append((f"{day:%d %H}", path.parent.name[7:]))
        return {reader: sorted(parts) for reader, parts in found.items()}
