"""Founding: a new newsletter's folder, and its database."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.app import first_files
from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import KEY_FILE
from newsletter.sources.files import Workspace, runner, starter


def found(folder: Path) -> list[str]:
    """Start a newsletter in *folder* with what is not there yet; the names of the files written."""
    workspace = Workspace(folder)
    contents = dict(_contents(folder))
    written = [name for name in contents if not (folder / name).exists()]
    for name in written:
        workspace.write(name, contents[name], program=name == "nl" or name.endswith(".sh"))
    if not (folder / KEY_FILE).exists():
        path = workspace.write(KEY_FILE, f"{secrets.token_urlsafe(36)}\n".encode(), secret=True)
        written.append(workspace.relative(path))
    return written


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file a new workspace has but its key. A checkout of the program has its own door and workflows."""
    yield "subscribers/.gitignore", first_files.SUBSCRIBERS_IGNORED.encode()
    yield from _read(starter())
    yield ".gitignore", first_files.IGNORED.encode()
    yield "README.md", first_files.README.encode()
    if not (folder / "nl").exists():
        yield "nl", first_files.DOOR.encode()
        yield "requirements.txt", (first_files.REQUIREMENTS + _this_program()).encode()
        yield from _read(runner())


def _read(files: Mapping[str, Path]) -> Iterator[tuple[str, bytes]]:
    yield from ((name, source.read_bytes()) for name, source in files.items())


def _this_program() -> str:
    """The line that installs this very program again, where it came from Git; else one to complete."""
    try:
        return requirement(distribution("newsletter"))
    except PackageNotFoundError:
        return first_files.NOT_KNOWN


def requirement(installed: Distribution) -> str:
    """The line that installs a program again. https://packaging.python.org/en/latest/specifications/direct-url/."""
    told = json.loads(installed.read_text("direct_url.json") or "{}")
    version = told.get("vcs_info", {})
    url = urlsplit(str(told.get("url", "")))
    # Whoever installed it with a password in the address must not find it in Git.
    if version.get("vcs") != "git" or url.scheme not in ("https", "ssh") or url.password:
        return first_files.NOT_KNOWN
    return f"newsletter @ git+{url.geturl()}@{version['commit_id']}\n"


def upgrade_database(newsletter: Newsletter) -> None:
    """Make the database, or bring it to this program's version."""
    if newsletter.keeper:
        newsletter.keeper.load()
    _upgrade(newsletter.url)
    if newsletter.keeper:
        newsletter.keeper.save()


def _upgrade(url: str) -> None:
    from newsletter.store.db import connect
    from newsletter.store.schema import upgrade

    database = connect(url)
    try:
        upgrade(database)
    finally:
        database.close()
