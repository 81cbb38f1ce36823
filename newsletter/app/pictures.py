"""The pictures of one letter, wired: found beside it, looked at, and handed to whoever builds the letter."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from newsletter.errors import NewsletterError
from newsletter.rendering.images import Picture, Unreadable
from newsletter.sources.files import Workspace
from newsletter.sources.pictures import MAX_FILE_BYTES, file_of, look_at


class Pictures:
    """What lies beside one letter; every file is read once, so that what is compiled is what is digested."""

    def __init__(self, files: Workspace, *, letter: str) -> None:
        """The pictures of the *letter* at that path."""
        self._files = files
        self._letter = letter
        self._bytes = cache(self._read)

    def picture(self, name: str) -> Picture | Unreadable:
        """The picture that the letter calls *name*, or why it cannot be used."""
        try:
            file = file_of(self._letter, name)
            data = self._bytes(file)
            look = look_at(data)
        except NewsletterError as err:
            return Unreadable(what=err.message, hint=err.hint)
        return Picture(
            file=file,
            data=data,
            kind=look.kind,
            width=look.width,
            height=look.height,
            animated=look.animated,
            turned=look.turned,
            located=look.located,
        )

    def contents(self, files: Iterable[str]) -> dict[str, bytes]:
        """The bytes of those of the *files* that can be read, by their paths."""
        found = {}
        for file in files:
            try:
                found[file] = self._bytes(file)
            except NewsletterError:
                continue  # it was there when the letter was approved: its absence is the change
        return found

    def _read(self, file: str) -> bytes:
        return self._files.binary(file, limit=MAX_FILE_BYTES)
