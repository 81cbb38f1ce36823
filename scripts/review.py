"""Shows what a pull request does to letters: problems beside their lines, pictures, and what readers would see change.

    python3 scripts/review.py BASE FOLDER

BASE is the revision to compare with; what readers would get is written into FOLDER, and the rest into the job's
summary. Needs git, and a browser for the pictures. Exit code 3 if a letter has an error.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SHARED = ("templates/", "newsletter.toml", "subscribers/segments.toml")  # what all letters are made of
LETTER = re.compile(r"issues/(\d{4}-\d\d-\d\d-[^/.]+)(?:\.md|/.+)")
PART = re.compile(r"issues/series/([^/]+)/\d+-([^/.]+)\.md")
LONGEST = 20_000  # characters of a letter's changes; GitHub keeps a megabyte of summary


def nl(*words: str) -> subprocess.CompletedProcess[bytes]:
    """What the newsletter answers."""
    return subprocess.run(["./nl", *words], check=False, capture_output=True)


def review(base: str, folder: Path) -> int:
    """Check all, show those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    checked = nl("check", "--github")
    word = secrets.token_hex(16)  # until it is said, no line of a letter that is quoted can give the runner orders
    said = [checked.stdout, f"::stop-commands::{word}\n".encode(), checked.stderr, f"\n::{word}::\n".encode()]
    sys.stdout.buffer.write(b"".join(said))
    summary = ["## Letters", "", "```text", *checked.stderr.decode().splitlines(), "```", ""]
    for letter in changed(base):
        summary += [f"### {letter}", "", *show(letter, base, folder), ""]
    with Path(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull)).open("a", encoding="utf-8") as page:
        page.write("\n".join(summary) + "\n")
    return checked.returncode


def changed(base: str) -> list[str]:
    """The letters that look different from *base* on, or might: all of them, if what they share changed."""
    asked = subprocess.run(
        ("git", "diff", "--name-only", "-z", f"{base}...HEAD"),  # noqa: S607 - of the PATH
        check=True,
        capture_output=True,
        text=True,
    )
    names = asked.stdout.split("\0")
    if any(name.startswith(SHARED) for name in names):
        names += [path.as_posix() for path in Path("issues").rglob("*.md")]
    found = {match[1] for name in names if (match := LETTER.fullmatch(name))}
    found |= {f"{match[1]}.{match[2]}" for name in names if (match := PART.fullmatch(name))}
    return sorted(letter for letter in found if nl("render", letter).returncode == 0)


def show(letter: str, base: str, folder: Path) -> Iterator[str]:
    """The lines of the summary for one letter; its renderings go into *folder*."""
    (folder / f"{letter}.html").write_bytes(nl("render", letter).stdout)
    (folder / f"{letter}.txt").write_bytes(nl("render", letter, "--text").stdout)
    for name, options in {"phone": ("--width", "375"), "desktop": (), "dark": ("--width", "375", "--dark")}.items():
        drawn = nl("render", letter, "--png", str(folder / f"{letter}-{name}.png"), *options)
        if drawn.returncode:
            yield f"No picture: {drawn.stderr.decode().splitlines()[0]}"
            break
    compared = nl("diff", letter, "--rev", base)
    if compared.returncode:
        yield f"Not compared with what it was: {compared.stderr.decode().splitlines()[0]}"
        return
    yield from fenced(compared.stdout.decode(), "diff")
    yield " ".join(compared.stderr.decode().split())


def fenced(text: str, kind: str) -> Iterator[str]:
    """*text* as code, in a fence that nothing in it can close."""
    if text:
        fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
        yield from (f"{fence}{kind}", text[:LONGEST].rstrip("\n"), fence)


if __name__ == "__main__":
    sys.exit(review(sys.argv[1], Path(sys.argv[2])))
