"""A newsletter that is only looked at: nothing of it is written, fetched or saved."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.app.newsletter import Newsletter
from newsletter.errors import NewsletterError, StoreError
from newsletter.settings.read import Settings
from newsletter.sources.watching import NotingWorkspace

if TYPE_CHECKING:
    from newsletter.store.db import Database

ASK_AGAIN_S = 60.0


class Onlooker(Newsletter):
    """A newsletter that is only looked at: the database as it lies there, for reading only."""

    refusal = ""  # why the list could not be asked the last time
    _ask_again = 0.0

    def __init__(self, settings: Settings) -> None:
        """Look at the newsletter with *settings*."""
        super().__init__(settings)
        self.workspace: NotingWorkspace = NotingWorkspace(settings.root)

    @cached_property
    def keeper(self) -> None:
        """None: what is kept in Git is neither fetched nor saved."""
        return

    def has_database(self) -> bool:
        """Whether there is one to ask; for a while after a refusal there is none, so that no save waits for it."""
        url = self.settings.database
        if self.refusal and time.monotonic() < self._ask_again:
            return False
        return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()

    @cached_property
    def database(self) -> Database:
        """The database, which refuses every change. Raises StoreError."""
        from newsletter.store.db import connect  # SQLAlchemy, only where there is a list
        from newsletter.store.schema import check_version

        self.refusal = ""
        try:
            database = connect(self.settings.database, read_only=True)
            try:
                check_version(database)
            except StoreError:
                database.close()
                raise
        except NewsletterError as err:
            self.refusal, self._ask_again = str(err), time.monotonic() + ASK_AGAIN_S
            raise StoreError(err.message, at=err.at, hint=err.hint) from err
        return database
