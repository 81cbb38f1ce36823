"""`./nl demo`: the main job, from an empty folder to a letter in every reader's (embedded) mailbox.

Works in demo/, which Git ignores, at a pretended instant when it is past eight on Monday in every zone.
Every step is a command that can be typed; running the demo again shows that nobody gets a letter twice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from newsletter.cli.main import cli

ISSUE = "2026-11-23-renew-your-goals"
FOLDER = Path(__file__).resolve().parent.parent / "demo"
# The last zone's Monday 08:00 is 19:00 UTC (Pacific/Pago_Pago), and the first zone's 36 hours are not over.
NOW = "2026-11-23T20:00:00+00:00"


def step(about: str, *words: str, home: Path | None = FOLDER) -> None:
    """Run one command as if it had been typed, after saying what it is for."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(
        f"\n\033[1m{about}\033[0m\n$ newsletter {shown}" if sys.stdout.isatty() else f"\n{about}\n$ newsletter {shown}",
        flush=True,
    )
    arguments = [*(["--config", str(home)] if home else []), *words]
    try:
        cli.main(arguments, prog_name="newsletter", standalone_mode=True)
    except SystemExit as stop:
        if stop.code:
            print(f"\nThe demo stopped here (exit {stop.code}). To begin afresh: rm -r {FOLDER}", file=sys.stderr)
            raise
    finally:
        sys.stdout.flush()


def main() -> None:
    """Show it."""
    os.environ["NEWSLETTER_NOW"] = NOW
    os.environ.pop("NEWSLETTER_DATABASE_URL", None)
    again = (FOLDER / "outbox").exists()
    print(f"A newsletter in {os.path.relpath(FOLDER)}, at Monday 23 November 2026, 20:00 UTC: past eight everywhere.")
    step("Start a newsletter: settings, a theme, sample letters and an invented list", "init", str(FOLDER), home=None)
    os.chdir(FOLDER)
    step("Make its database (one file)", "db", "upgrade")
    step(
        "Enter the list; wrong rows are named, people who left stay away",
        "subscribers",
        "import",
        "subscribers/sample.csv",
        "--evidence",
        "invented for the demo",
    )
    step("Find what is wrong with the letters", "check")
    step("Freeze the letter as it is", "approve", ISSUE)
    step("Freeze who gets it, and when", "plan", ISSUE, "--yes")
    step("Send what is due", "send", ISSUE, "--yes")
    step("Where does it stand?", "status")
    step("And for one reader?", "explain", "zoe@example.org", ISSUE)
    outbox = FOLDER / "outbox" / ISSUE
    messages = sorted(outbox.glob("*.eml"))
    print(f"\nLook: {len(messages)} messages in {outbox}; open one in a mail program:\n  {messages[0]}")
    if again:
        print("This was not the first run: the messages are the same as before, and nobody got a second one.")
    print(
        f"\nNext, from {FOLDER}:\n"
        f"  ../nl render {ISSUE} > letter.html    and open it in a browser\n"
        '  ../nl new "Your own letter"           writes issues/<next Monday>-your-own-letter.md\n'
        "  ../nl demo                            once more: nobody gets anything twice"
    )


if __name__ == "__main__":
    main()
