"""Writes into the job's summary how many people each segment has; numbers, and nobody's name.

python3 scripts/recipients.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def count() -> int:
    """Ask, and write a table."""
    asked = subprocess.run(
        ["./nl", "subscribers", "segments", "--count", "--json"], check=False, stdout=subprocess.PIPE, text=True
    )
    if asked.returncode:
        return asked.returncode
    rows = [f"| {row['name']} | {row['mailable']:,} |" for row in json.loads(asked.stdout)]
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as page:
        page.write("\n".join(["## Who would get a letter now", "", "| segment | people |", "|---|---:|", *rows]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(count())
