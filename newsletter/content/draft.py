"""A new letter to begin with: the blocks that most letters have, still to be written."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import date, time

_BODY = """\
::: reflection
:::

::: action
:::

::: spread-the-word
text:
:::
"""


def draft(title: str, *, day: date, at: time) -> tuple[str, str]:
    """The id and the text of a new letter, empty where its author must write, so that `check` names what is missing."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", letters))[:60].strip("-") or "letter"
    head = (
        f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n"
        f"subject: {json.dumps(title, ensure_ascii=False)}\n"
        "preheader:                     # what inboxes show after the subject, 35 to 130 characters\n"
        f"send: {day} {at:%H:%M}         # at each reader's own clock\n---\n\n"
    )
    return f"{day}-{slug}", head + _BODY
