"""A new letter to begin with: the blocks most letters have, with a line of advice in each."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import date, time

_BODY = """\
::: quote {by="Whose words"}
An opening quotation, or delete this block.
:::

::: reflection
Dear {{ first_name | default("friend") }},

a text that lets readers pause. ==One phrase== may stand out.
:::

::: action
This week, I commit to one small thing.
- When …, I will …
- When …, I will …
:::

::: spread-the-word
text: A sentence worth passing on.
:::
"""


def draft(title: str, *, day: date, at: time) -> tuple[str, str]:
    """The id and the text of a new letter. Raises ValueError if nothing of *title* can stand in a file name."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", letters))[:60].strip("-")
    if not slug:
        msg = "the title has no letters or digits of the alphabet a to z"
        raise ValueError(msg)
    head = (
        f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n"
        f"subject: {json.dumps(title, ensure_ascii=False)}\n"
        "preheader: The line that inboxes show after the subject, 35 to 130 characters.\n"
        f"send: {day} {at:%H:%M}          # at each reader's own clock\n---\n\n"
    )
    return f"{day}-{slug}", head + _BODY
