"""Publishing, wired: the web version of every approved letter, and the pictures it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from newsletter.app.newsletter import Newsletter
from newsletter.errors import NewsletterError
from newsletter.rendering.edition import Edition, Image
from newsletter.sources.files import Workspace
from newsletter.sources.pictures import MAX_FILE_BYTES
from newsletter.usecases.approve import approved_edition, paths, read_approval
from newsletter.usecases.publish import changes, site_of

FOLDER = "site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What building the site came to: files written, removed, and left as they were."""

    folder: Path
    written: tuple[str, ...]
    removed: tuple[str, ...]
    same: int


class Publishing:
    """The public pages of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Publish for *newsletter*."""
        self._newsletter = newsletter
        self._files = newsletter.workspace

    def build(self, out: Path | None) -> Built:
        """Make of the folder *out* (else `site/`) a site with every approved letter as it was approved.

        Everything is made before anything is written. Raises NewsletterError, and then nothing changed.
        """
        folder = Workspace((out or self._files.root / FOLDER).absolute())
        files = site_of(self._editions(), self._picture)
        there = folder.matching("letters/*/index.html", "images/*")
        todo = changes(files, there, at=str(out or FOLDER))
        for path, content in sorted(todo.write.items()):  # pictures before the pages that show them
            folder.write(path, content, replace=True)
        for path in todo.remove:
            folder.remove(path)
        return Built(folder=folder.root, written=tuple(todo.write), removed=todo.remove, same=todo.same)

    def _editions(self) -> Iterator[Edition]:
        """What was approved, of letters that are there and of letters that are gone."""
        for path in self._files.approvals():
            text = self._files.optional(path) or ""
            letter = read_approval(text, at=path).issue_id
            approval_path, edition_path = paths(letter)
            if approval_path != path:
                hint = f"restore it from Git, or approve the letter again: newsletter approve {letter}"
                raise NewsletterError(f"it is the approval of another letter, {letter}", at=path, hint=hint)
            yield approved_edition(letter, text, self._files.optional(edition_path))[1]

    def _picture(self, image: Image) -> bytes:
        """The bytes of a picture as approved: from the edition, if they travel in it, else from its file."""
        from base64 import b64decode

        try:
            content = b64decode(image.data) if image.data else self._files.binary(image.file, limit=MAX_FILE_BYTES)
        except NewsletterError as err:
            raise NewsletterError(err.message, at=image.file, hint=_RESTORE) from err
        if sha256(content).hexdigest() != image.digest:
            raise NewsletterError("the picture is not the one that was approved", at=image.file, hint=_RESTORE)
        return content


_RESTORE = "restore it from Git, or approve the letter that shows it again"
