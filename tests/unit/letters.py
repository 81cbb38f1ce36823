"""Letters and desks for tests, with everything a test does not care about already in place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from functools import cache
from pathlib import Path
from typing import Any

from newsletter.content.parse import Defaults
from newsletter.rendering.compile import Setting
from newsletter.rendering.edition import Identity
from newsletter.usecases.build import Built, Desk, build

ROOT = Path(__file__).resolve().parents[2]
ISSUE_ID = "2026-11-23-a-letter"
DEFAULTS = Defaults(at=time(8), audience="everyone", language="en")
HEAD = """\
---
title: A letter
subject: One small thing for Monday
preheader: A line that says what the subject does not say yet.
send: 2026-11-23 08:00
---
"""
FIRST_BODY_LINE = HEAD.count("\n") + 1

IDENTITY = Identity(
    name="The Monday Letter",
    address="letter@letters.example.org",
    reply_to="hello@letters.example.org",
    newsletter="The Monday Letter",
    list_id="monday.letters.example.org",
    leave_mode="own",
    leave_mailto="leave@letters.example.org",
)
SETTING = Setting(
    identity=IDENTITY,
    tagline="one reflection, one action, every week",
    postal_address=("The Monday Letter", "1 Example Street", "10115 Berlin, Germany"),
    reason="You receive this letter because you asked for it.",
    site_url="https://letters.example.org",
    custom_fields=("city",),
)


THEMES = sorted(path.parent.name for path in (ROOT / "templates").glob("*/theme.toml"))


@cache
def theme_files(name: str = "letter") -> dict[str, str]:
    """A theme that comes with the newsletter."""
    return {path.name: path.read_text() for path in (ROOT / "templates" / name).iterdir() if path.is_file()}


def desk(
    *,
    segments: Mapping[str, Mapping[str, Any]] | None = None,
    theme: Mapping[str, str] | None = None,
    theme_name: str = "letter",
) -> Desk:
    """An editor's desk with two segments; *theme* has files that stand in for those of the theme."""
    return Desk(
        defaults=DEFAULTS,
        setting=SETTING,
        theme_name=theme_name,
        theme_files={**theme_files(theme_name), **(theme or {})},
        segments=segments or {"everyone": {"all": []}, "workplace": {"is": "tags", "values": ["workplace"]}},
    )


def letter(body: str, *, head: str = HEAD) -> str:
    """The text of a letter with this body."""
    return head + body


def built(body: str, *, head: str = HEAD, **options: Any) -> Built:
    """A letter with this body, built; its file is named after the day it is sent."""
    text = letter(body, head=head)
    day = re.search(r"^send: (\d{4}-\d\d-\d\d)", text, re.MULTILINE)
    issue_id = f"{day[1]}-a-letter" if day else ISSUE_ID
    return build(text, path="issues/a.md", issue_id=issue_id, desk=desk(**options))
