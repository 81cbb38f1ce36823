"""Assembles the draft of the next letter and opens a pull request with it; a draft that is there is never touched.

    python3 scripts/draft.py MAIN

MAIN is the branch it is to be merged into. Needs git, gh and GH_TOKEN.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

BOT = ("-c", "user.name=github-actions[bot]", "-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com")
THERE = "there is a letter for"  # what `assemble` says where it leaves everything as it is
SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "&\\`*_[]<>|@#"}  # all at once: what stands for one holds others


def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A program's answer; its own words for errors go where ours do."""
    return subprocess.run(words, check=check, stdout=subprocess.PIPE, text=True)


def propose(main: str) -> int:
    """Assemble, push, open; 1 if nothing could be assembled."""
    assembled = subprocess.run(["./nl", "assemble", "--json"], check=False, capture_output=True, text=True)
    sys.stderr.write(assembled.stderr)
    if assembled.returncode:
        return 0 if THERE in assembled.stderr else 1
    draft = json.loads(assembled.stdout)
    branch = f"draft/{draft['issue'][:10]}"
    if run("git", "ls-remote", "origin", f"refs/heads/{branch}").stdout:
        print(f"{branch} is there already, and somebody may have written on it: it was left as it is.")
    else:
        run("git", "switch", "--quiet", "--create", branch)
        run("git", "add", "--", draft["path"])
        run("git", *BOT, "commit", "--quiet", "--message", f"Draft: {draft['title']}")
        run("git", "push", "--quiet", "origin", f"{branch}:{branch}")
    told = ("--title", f"Draft for {draft['issue'][:10]}: {draft['title']}", "--body", said(draft))
    number = run(
        "gh", "pr", "list", "--head", branch, "--state", "open", "--json", "number", "--jq", ".[].number"
    ).stdout
    if not number.strip():
        run("gh", "pr", "create", "--head", branch, "--base", main, *told)
    return 0


def said(draft: Mapping[str, Any]) -> str:
    """What the pull request says: what was chosen and why, what was not to be had, and how to go on."""
    issue = draft["issue"]
    lines = [f"The draft of **{plain(draft['title'])}**, yours to rewrite.", ""]
    lines += ["| part | block | why |", "|---|---|---|"]
    lines += [
        f"| {row['kind'] or ' or '.join(row['kinds'])} | {plain(row['block'] or 'none')} | {plain(row['why'] or '')} |"
        for row in draft["blocks"]
    ]
    lines += [*bullets("The library lacks", draft["lacks"]), *bullets("To know", draft["notes"])]
    lines += ["", "Then, on this branch:", "", "```sh", f"newsletter preview {issue}", f"newsletter check {issue}"]
    lines += [f"newsletter approve {issue}", "```"]
    return "\n".join(lines)


def bullets(title: str, texts: Sequence[str]) -> Sequence[str]:
    """A list under its title, if there is anything in it."""
    return ["", f"**{title}**", "", *(f"- {plain(text)}" for text in texts)] if texts else []


def plain(text: str) -> str:
    """*text* without anything that a table, a mention or a link would make of it."""
    return " ".join(text.translate(SIGNS).split())


if __name__ == "__main__":
    sys.exit(propose(sys.argv[1]))
