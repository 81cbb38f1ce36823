"""Whether the workflows on GitHub hold least rights and run nothing that can be changed under us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from newsletter.sources.finding import Finding, error, fine, warning

SENDING = "send.yml"
_FOLDER = Path(".github/workflows")
_PINNED = re.compile(r".+@([0-9a-f]{40}|sha256:[0-9a-f]{64})|\./.+")
_STRANGERS = ("pull_request", "pull_request_target")


def examine(root: Path) -> list[Finding]:
    """What is wrong with the workflows of a newsletter; nothing is said where there are none."""
    folder = root / _FOLDER
    files = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])
    if not files:
        return []
    found = [each for file in files for each in _file(file)]
    if not (folder / SENDING).exists():
        fix = f"copy {_FOLDER / SENDING} from the program's repository, or let a timer of yours run newsletter tick"
        found.append(warning("workflows", f"{SENDING} is not among them: on GitHub, nothing sends by itself", fix))
    return found or [fine("workflows", ", ".join(file.name for file in files))]


def _file(file: Path) -> Iterator[Finding]:
    """Of the one that sends, what is wrong is an error: it holds the keys to everybody's address."""
    found = error if file.name == SENDING else warning
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        wrong = list(_wrong(data))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, AttributeError, TypeError):
        yield found("workflows", f"{file.name} cannot be read", "GitHub does not run it: correct it")
        return
    for detail, fix in wrong:
        yield found("workflows", f"{file.name}: {detail}", fix)


def _wrong(data: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - whatever stands in the file
    if data.get("permissions") != {}:
        yield "every job has more rights than it needs", "write permissions: {} at the top, and per job what it needs"
    loose = sorted({uses for uses in _uses(data) if not _PINNED.fullmatch(uses)})
    if loose:
        names = ", ".join(ascii(uses)[1:-1] for uses in loose)
        yield f"{names} can be changed by others at any time", "pin it to a full commit SHA, with its version beside"
    triggers = data.get("on", data.get(True)) or ()  # YAML 1.1 reads the key `on` as a truth value
    triggers = {triggers} if isinstance(triggers, str) else set(triggers)
    if "schedule" in triggers and triggers & {"push", *_STRANGERS}:
        yield (
            "a schedule stands beside other triggers; GitHub switches both off after 60 quiet days",
            ("give the schedule a file of its own"),
        )


def _uses(data: dict[str, Any]) -> Iterator[str]:
    for job in data["jobs"].values():
        yield from (str(each["uses"]) for each in (job, *job.get("steps", ())) if "uses" in each)
