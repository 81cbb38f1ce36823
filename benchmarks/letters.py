"""The letter that is measured: made up, as long as wanted, in the theme that comes with the newsletter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

from newsletter.content.parse import Defaults, parse
from newsletter.rendering.compile import Setting, compile_issue
from newsletter.rendering.edition import Condition, Edition, Identity
from newsletter.rendering.inline import inline_css
from newsletter.rendering.theme import read_theme

ROOT = Path(__file__).resolve().parents[1]
ISSUE_ID = "2026-11-23-measured"
EVERYONE: Mapping[str, Any] = {"all": []}
WORKPLACE: Mapping[str, Any] = {"is": "tags", "values": ["workplace"]}

_HEAD = """\
---
title: A letter to be measured
subject: "{{ first_name | default('Friend') }}, one small thing for this week"
preheader: A line that says what the subject does not say yet, long enough for most inboxes.
send: 2026-11-23 08:00
audience: everyone
---
"""
# Plain holes: a field, or a field with a fallback.
_PLAIN = """\
::: reflection {title="How it began"}
Dear {{ first_name | default("friend") }},

you told us that you live in {{ city | default("a town of your own") }}, and we write to {{ name | default("you") }}.
:::

::: keep-going {for="segment:workplace" url="https://example.org/talk" date="2026-12-03 17:00 Europe/Berlin" label="Go"}
### A talk for people who work together
An hour, {{ first_name | default("friend") }}, on what was promised and what was kept.
:::
"""
# What only Jinja2 itself can evaluate.
_ARBITRARY = """\
::: reflection {title="How it began"}
{{ "Dear " ~ first_name if first_name else "Hello" }}, or shorter, {{ first_name | upper }}:

you told us that you live in {{ city | title | truncate(20) }}, and your name has
{{ name | length }} letters and {{ "many" if name | length > 12 else "few" }} of them are seen here.
:::
"""
_SENTENCES = (
    "The notebook on the shelf has a page that nobody has read aloud since spring.",
    "Whoever holds the agenda holds the door, and a door can be left open.",
    "We counted to seven, and in the eighth second somebody spoke who never had.",
    "A plan that fits on one line is kept more often than one that fills a page.",
    "Ask once, listen to the end, and write down whose idea it was.",
    "Müller & Söhne wrote “thank you” on the wall beside the coffee machine.",
    "What is invisible to a guest is heavy to whoever carries it every day.",
)
_IDENTITY = Identity(
    name="The Measured Letter",
    address="letter@letters.example.org",
    reply_to="hello@letters.example.org",
    newsletter="The Measured Letter",
    list_id="measured.letters.example.org",
    leave_mode="own",
    leave_mailto="leave@letters.example.org",
)
SETTING = Setting(
    identity=_IDENTITY,
    tagline="one reflection, one action, every week",
    postal_address=("The Measured Letter", "1 Example Street", "10115 Berlin, Germany"),
    reason="You receive this letter because you asked for it.",
    site_url="https://letters.example.org",
    custom_fields=("city",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A compiled letter, and its pages (one for each variant) as they were before inlining."""

    edition: Edition
    pages: tuple[str, ...]


def source(kilobytes: int, *, arbitrary: bool = False) -> str:
    """The Markdown of a letter whose HTML comes to about *kilobytes*."""
    chance = random.Random(kilobytes)
    body = _ARBITRARY if arbitrary else _PLAIN
    # A part is about 9.5 KB of HTML, all around them about as much.
    for number in range(max(1, round(kilobytes / 9.5) - 1)):
        paragraphs = "\n\n".join(" ".join(chance.choices(_SENTENCES, k=4)) for _ in range(3))
        steps = "\n".join(f"{step}. **Step.** {' '.join(chance.choices(_SENTENCES, k=2))}" for step in range(1, 8))
        body += f'\n::: reflection {{title="Part {number + 1}"}}\n{paragraphs}\n:::\n'
        body += f'\n::: steps {{title="What to do, part {number + 1}"}}\n{steps}\n:::\n'
    return _HEAD + body


def compiled(kilobytes: int, *, arbitrary: bool = False) -> Sample:
    """That letter, compiled."""
    issue, problems = parse(
        source(kilobytes, arbitrary=arbitrary),
        path=f"issues/{ISSUE_ID}.md",
        issue_id=ISSUE_ID,
        defaults=Defaults(at=time(8), audience="everyone", language="en"),
    )
    files = {path.name: path.read_text() for path in (ROOT / "templates" / "letter").iterdir() if path.is_file()}
    pages: list[str] = []

    def inline(page: str) -> str:
        pages.append(page)
        return inline_css(page)

    edition, more = compile_issue(
        issue,
        theme=read_theme("letter", files, language="en"),
        setting=SETTING,
        audience=Condition(name="everyone", rule=EVERYONE),
        rules={"segment:workplace": WORKPLACE},
        finish=inline,
    )
    if edition is None:
        raise AssertionError([*problems, *more])
    return Sample(edition=edition, pages=tuple(pages))
