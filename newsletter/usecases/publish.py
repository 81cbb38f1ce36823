"""Publish: the files of the site that letters lead to, and what has to change for them to be there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from newsletter.content.parse import ID, PART_ID
from newsletter.errors import NewsletterError
from newsletter.rendering.archive import is_sealed, page_of, pictures_of
from newsletter.rendering.edition import Edition, Image

PictureBytes = Callable[[Image], bytes]  # raises NewsletterError where they are not what was approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be done to a folder: files to write, and files of ours that no letter needs any more."""

    write: Mapping[str, bytes]
    remove: tuple[str, ...]
    same: int


def site_of(editions: Iterable[Edition], picture_bytes: PictureBytes) -> dict[str, bytes]:
    """Every file of the site by its path: a page for each of the *editions*, and their pictures.

    Raises NewsletterError for an edition that would lead out of the folder.
    """
    files: dict[str, bytes] = {}
    for edition in editions:
        if not (ID.fullmatch(edition.issue_id) or PART_ID.fullmatch(edition.issue_id)):
            hint = "call the letter <date>-<words>.md, and approve it again"
            raise NewsletterError(f"{edition.issue_id!r} is no name for a page", at="issues", hint=hint)
        files[f"letters/{edition.issue_id}/index.html"] = page_of(edition)
        for image in edition.images:
            if (path := f"images/{image.name}") not in files:
                files[path] = picture_bytes(image)
    return files


def changes(files: Mapping[str, bytes], there: Mapping[str, bytes], *, at: str) -> Changes:
    """What makes a folder that has *there* a site of *files*; *at* is the folder, for messages.

    A page goes with its approval, and takes its pictures along. Those of an earlier revision stay: it may have been
    mailed to somebody. Raises NewsletterError where something stands in the way that somebody else wrote.
    """
    for path in sorted(files.keys() & there.keys()):
        if files[path] != there[path] and not is_ours(path, there[path]):
            hint = "move it away, or delete it, and build again"
            raise NewsletterError("somebody else wrote or changed this file", at=f"{at}/{path}", hint=hint)
    others = {path: content for path, content in there.items() if path not in files and is_ours(path, content)}
    pages = {path for path in others if path.startswith("letters/")}
    gone = pages | {picture for page in pages for picture in pictures_of(others[page]) if picture in others}
    return Changes(
        write={path: content for path, content in sorted(files.items()) if there.get(path) != content},
        remove=tuple(sorted(gone)),
        same=sum(there.get(path) == content for path, content in files.items()),
    )


def is_ours(path: str, content: bytes) -> bool:
    """Whether we wrote the file with this *content*: a page says so itself, a picture is called after what it is."""
    if path.startswith("letters/"):
        return is_sealed(content)
    return PurePosixPath(path).stem == sha256(content).hexdigest()[:16]
