"""What a tick tells machines and GitHub names nobody."""

from __future__ import annotations

import json

from newsletter.cli.summary import as_data, as_markdown
from newsletter.usecases.tick import Did

DID = Did(problems=("issues/2026-11-23-reader1@example.org.md no such thing\n| a | b |\n## <b>Look</b>",))


def test_a_problem_stays_on_its_line_and_names_nobody() -> None:
    """A file may be called anything, and what is said of it goes into an issue that everybody can read."""
    for text in (as_markdown(DID, dry_run=False), json.dumps(as_data(DID))):
        assert "reader1" not in text
        assert "issues/… no such thing" in text or "issues/\\u2026 no such thing" in text
    line = next(line for line in as_markdown(DID, dry_run=False).splitlines() if line.startswith("- "))
    assert line.endswith("| a | b | ## &lt;b&gt;Look&lt;/b&gt;")
