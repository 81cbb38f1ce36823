"""The state in Git, wired: made, brought, put back and encrypted anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from newsletter.app.keepers import file_of
from newsletter.app.newsletter import Newsletter
from newsletter.errors import SettingsError
from newsletter.settings.read import FILE
from newsletter.store.gitstate import CANNOT_ERASE


class Keeping:
    """What an operator does with the state."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work on the state of *newsletter*. Raises SettingsError if it has none."""
        if newsletter.keeper is None:
            hint = 'set database = "git+age" in newsletter.toml, and read docs/operations.md'
            raise SettingsError("the database of this newsletter is not kept in Git", at=FILE, hint=hint)
        self._keeper, self._clock = newsletter.keeper, newsletter.clock
        self._state = newsletter.keeper.state
        self._path = file_of(newsletter.settings)

    def begin(self) -> None:
        """Make the branch, with the database that is here, or an empty one. Raises StateError if there is one."""
        from newsletter.store.db import connect
        from newsletter.store.schema import upgrade

        database = connect(f"sqlite:///{self._path}")
        try:
            upgrade(database)
        finally:
            database.close()
        self._state.init(self._path)

    def pull(self, into: Path) -> int:
        """Let a file be the database as it is on the remote; its generation."""
        return self._state.load(into)

    def push(self, source: Path) -> tuple[int, list[str]]:
        """Put the database in a file, as from a backup, in the place of the state.

        Its generation, and the letters that were called off because more of them was sent than it knows.
        """
        return self._state.adopt(source, self._keeper.path, now=self._clock())

    def rotate(self, recipients: Sequence[str]) -> int:
        """Encrypt the state for other *recipients*; its generation."""
        return self._state.rotate(recipients)

    def recreate(self) -> tuple[int, str]:
        """Take the branch away and make it anew; its generation, and what that cannot do."""
        return self._state.recreate(), CANNOT_ERASE


def new_key() -> tuple[str, str]:
    """A secret key for the state, and the public one that belongs to it."""
    from pyrage import x25519  # type: ignore[import-untyped]

    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())
