"""Founding: a new newsletter's folder, and its database."""

from __future__ import annotations

import secrets
from pathlib import Path

from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import KEY_FILE
from newsletter.sources.files import Workspace, starter

# People's data and keys must be out of Git's reach before there are any.
# (The outbox looks after itself.)
IGNORED = """\
*
!.gitignore
!sample.csv
!segments.toml
"""


def found(folder: Path) -> list[str]:
    """Start a newsletter in *folder* with what is not there yet; the names of the files written."""
    workspace = Workspace(folder)
    contents = {"subscribers/.gitignore": IGNORED.encode()} | {
        name: source.read_bytes() for name, source in starter().items()
    }
    written = [name for name in contents if not (folder / name).exists()]
    for name in written:
        workspace.write(name, contents[name])
    if not (folder / KEY_FILE).exists():
        path = workspace.write(KEY_FILE, f"{secrets.token_urlsafe(36)}\n".encode(), secret=True)
        written.append(workspace.relative(path))
    return written


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
