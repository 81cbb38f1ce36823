"""Founding: a new newsletter's folder, and its database."""

from __future__ import annotations

import secrets
from pathlib import Path

from newsletter.app.newsletter import Newsletter
from newsletter.settings import KEY_FILE
from newsletter.sources.files import Workspace, starter


def found(folder: Path) -> list[str]:
    """Start a newsletter in *folder* with what is not there yet; the names of the files written."""
    workspace = Workspace(folder)
    written = []
    for name, source in starter().items():
        if not (folder / name).exists():
            workspace.write(name, source.read_bytes())
            written.append(name)
    if not (folder / KEY_FILE).exists():
        path = workspace.write(KEY_FILE, f"{secrets.token_urlsafe(36)}\n".encode(), secret=True)
        written.append(workspace.relative(path))
    return written


def upgrade_database(newsletter: Newsletter) -> None:
    """Make the database, or bring it to this program's version."""
    from newsletter.store.db import connect
    from newsletter.store.schema import upgrade

    database = connect(newsletter.settings.database)
    try:
        upgrade(database, now=newsletter.clock())
    finally:
        database.close()
