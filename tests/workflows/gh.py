"""Stands for GitHub's `gh`: keeps issues in a file and notes every call. Only what our scripts ask for."""

import json
import os
import re
import sys
from pathlib import Path

DESK = Path(os.environ["GH_DESK"])
words = sys.argv[1:]
answer = ""
kept = json.loads(DESK.read_text()) if DESK.exists() else {"calls": [], "issues": [], "last": ""}
kept["calls"].append(words)
assert os.environ.get("GH_TOKEN"), "gh was called without a token"


def option(name: str) -> str:
    return words[words.index(name) + 1]


if words[:2] == ["issue", "list"]:
    title = re.search(r'\.title == "(.*?)"', option("--jq"))
    numbers = [str(number) for number, issue in enumerate(kept["issues"], 1) if title and issue["title"] == title[1]]
    answer = "".join(numbers[:1])
elif words[:2] == ["issue", "create"]:
    kept["issues"].append({"title": option("--title"), "said": [option("--body")]})
elif words[:2] == ["issue", "view"]:
    answer = kept["issues"][int(words[2]) - 1]["said"][-1]
elif words[:2] == ["issue", "comment"]:
    kept["issues"][int(words[2]) - 1]["said"].append(option("--body"))
elif words[:2] == ["pr", "list"]:
    open_ones = [str(n) for n, pull in enumerate(kept.get("pulls", []), 1) if pull["head"] == option("--head")]
    answer = "\n".join(open_ones)
elif words[:2] == ["pr", "create"]:
    pull = {name: option(f"--{name}") for name in ("head", "base", "title", "body")}
    kept.setdefault("pulls", []).append(pull)
elif words[0] == "api" and "/runs?" in words[1]:
    answer = json.dumps({"workflow_runs": [{"created_at": kept["last"]}] if kept.get("last") else []})
elif words[0] == "api" and "PUT" not in words:
    answer = json.dumps(
        {"state": kept.get("state", "active"), "created_at": kept.get("created", "2026-01-01T00:00:00Z")}
    )
elif words[0] != "api" and words[:2] != ["label", "create"]:
    sys.exit(f"gh: nobody knows {words}")
DESK.write_text(json.dumps(kept))
sys.stdout.write(f"{answer}\n" if answer else "")
