"""What a tick did, as data for machines and as the summary of a job on GitHub; counts only."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from newsletter.pieces import one_line

if TYPE_CHECKING:
    from newsletter.usecases.tick import Did


# What became of news of people, for people.
NEWS = {
    "left": "left",
    "bounced": "address does not work",
    "complained": "complained",
    "soft": "came back, this time",
    "known": "known already",
    "unknown": "not on the list",
}

# An error never names a reader, but a file may be called anything, and a summary may be read by everybody.
_ADDRESS = re.compile(r"""[^\s<>"'(),;:/]+@[^\s<>"'(),;:/]*""")


def problems_of(did: Did) -> list[str]:
    """What went wrong, a line each, without addresses."""
    return [_ADDRESS.sub("…", one_line(problem)) for problem in did.problems]


def heard_words(did: Did) -> str:
    """What was heard of people, in numbers."""
    return ", ".join(f"{count:,} {what}" for what, count in did.heard.items())


def as_data(did: Did) -> dict[str, object]:
    """The same keys every time; counts are people by letter."""
    return {
        "heard": dict(did.heard),
        "planned": dict(did.planned),
        "sent": dict(did.sent),
        "settled": dict(did.settled),
        "in_doubt": dict(did.in_doubt),
        "held": dict(did.held),
        "problems": problems_of(did),
        "next_due_at": did.next_due_at.isoformat() if did.next_due_at else None,
        "elsewhere": did.elsewhere,
        "stopped": did.stopped,
    }


def as_markdown(did: Did, *, dry_run: bool) -> str:
    """A table with a row for each letter, and what somebody has to look at."""
    columns = (did.planned, did.sent, did.settled, did.in_doubt, did.held)
    letters = sorted({letter for counts in columns for letter in counts})
    lines = ["### The newsletter" + (", rehearsed: nothing was done" if dry_run else ""), ""]
    if did.heard:
        lines += [f"Heard of people: {heard_words(did)}.", ""]
    if did.elsewhere:
        lines.append("Another tick was at work.")
    elif letters:
        lines += ["| letter | planned | sent | settled | in doubt | held |", "|---|---:|---:|---:|---:|---:|"]
        for letter in letters:
            cells = (f"{counts[letter]:,}" if letter in counts else "" for counts in columns)
            lines.append(f"| {letter} | {' | '.join(cells)} |")
    else:
        lines.append("Nothing was due.")
    lines += ["", *(f"- **Problem:** {html.escape(problem, quote=False)}" for problem in problems_of(did))]
    if did.next_due_at:
        lines += ["", f"Next: {did.next_due_at:%a %d %b %Y %H:%M} UTC."]
    return "\n".join(lines) + "\n"
