"""The workspace's files: letters, themes, lists. Nothing outside its root is ever touched."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from newsletter.errors import NewsletterError, NotFound

_LETTER = re.compile(r"\d{4}-\d{2}-\d{2}-.+")
_PART = re.compile(r"(\d+)-(.+)")


def issue_id(name: str) -> str:
    """The id that *name* stands for: an id, or the path of the letter's file or folder.

    A part of a series is called after the series and itself, without its number: a part that moves to another
    place stays the same for all who have had it.
    """
    path = Path(name)
    if path.suffix == ".md" and path.parent.parent.name == "series" and (part := _PART.fullmatch(path.stem)):
        return f"{path.parent.name}.{part[2]}"
    return path.parent.name if path.name == "index.md" else path.name.removesuffix(".md")


class Workspace:
    """One newsletter's folder."""

    def __init__(self, root: Path) -> None:
        """Work below *root*."""
        self.root = root

    @cached_property
    def _resolved(self) -> Path:
        return self.root.resolve()

    def letter_ids(self) -> list[str]:
        """The ids of all letters, oldest first: `issues/<date>-*.md`, or such a folder with an index.md."""
        folder = self.root / "issues"
        if not folder.is_dir():
            return []
        found = {path.stem for path in folder.glob("*.md") if _LETTER.fullmatch(path.stem)}
        found |= {path.parent.name for path in folder.glob("*/index.md") if _LETTER.fullmatch(path.parent.name)}
        return sorted(found)

    def series(self) -> list[str]:
        """The names of all series: the folders in `issues/series`."""
        return sorted(path.name for path in (self.root / "issues" / "series").glob("*") if path.is_dir())

    def parts(self, series: str) -> list[str]:
        """The ids of the parts of a series in their order: `issues/series/<series>/<number>-<part>.md`.

        Raises NewsletterError where two of them are called the same.
        """
        files = (_PART.fullmatch(path.stem) for path in (self.root / "issues" / "series" / series).glob("*.md"))
        parts = sorted((int(found[1]), found[2]) for found in files if found)
        slugs = [slug for _, slug in parts]
        twice = next((slug for slug in slugs if slugs.count(slug) > 1), None)
        if twice:
            hint = "readers get a part once, by its name: call one of them otherwise"
            raise NewsletterError(f"two parts are called {twice!r}", at=f"issues/series/{series}", hint=hint)
        return [f"{series}.{slug}" for slug in slugs]

    def library(self) -> dict[str, str]:
        """The texts of all prepared blocks by their path, `issues/library/<kind>/<name>.md`, in order."""
        paths = sorted((self.root / "issues" / "library").glob("*/*.md"))
        return {self.relative(path): self.read_text(path) for path in paths}

    def all_ids(self) -> list[str]:
        """The ids of all letters and all parts of series."""
        return self.letter_ids() + [part for series in self.series() for part in self.parts(series)]

    def letter(self, name: str) -> tuple[str, str, str]:
        """(id, path within the workspace, text) of the letter *name*: an id, or a path to its file.

        Raises NotFound, or NewsletterError if the file cannot be read as UTF-8.
        """
        folder, letter_id = self.root / "issues", issue_id(name)
        if (folder / f"{letter_id}.md").is_file() and (folder / letter_id / "index.md").is_file():
            hint = f"keep one of {letter_id}.md and {letter_id}/index.md; its pictures may stay where they are"
            raise NewsletterError("two files are this letter", at=f"issues/{letter_id}", hint=hint)
        for path in (folder / f"{letter_id}.md", folder / letter_id / "index.md", *self._parts(letter_id)):
            if path.is_file() and self._is_named(path, name):
                return letter_id, self.relative(path), self.read_text(path)
        if (folder / letter_id).is_dir():
            hint = "a letter that is a folder keeps its text in index.md"
            raise NotFound("a folder without an index.md", at=f"issues/{letter_id}", hint=hint)
        known = self.letter_ids()
        hint = f"the letters are: {', '.join(known[-5:])}" if known else 'make one: newsletter new "A title"'
        raise NotFound(f"no letter {name!r} in issues/", at="issues", hint=hint)

    def _parts(self, part_id: str) -> list[Path]:
        """The file of a part of a series."""
        series, _, slug = part_id.partition(".")
        files = sorted((self.root / "issues" / "series").glob("*/*.md")) if slug else []
        return [path for path in files if issue_id(str(path)) == part_id and path.parent.name == series]

    def _is_named(self, path: Path, name: str) -> bool:
        """Whether *name*, if it is a path, is one that leads to *path*: seen from here or from the workspace."""
        if "/" not in name:
            return True
        seen = (Path(name), self.root / name, self.root / "issues" / name)
        return any(
            each.resolve() in (path.resolve(), path.parent.resolve(), path.with_suffix("").resolve()) for each in seen
        )

    def theme(self, name: str) -> dict[str, str]:
        """The text files of a theme, by name. Raises NotFound."""
        folder = self.root / "templates" / name
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or not folder.is_dir():
            known = sorted(path.parent.name for path in (self.root / "templates").glob("*/theme.toml"))
            raise NotFound(
                f"no theme {name!r}", at=f"templates/{name}", hint=f"the themes are: {', '.join(known) or 'none'}"
            )
        return {
            path.name: self.read_text(path)
            for path in sorted(folder.iterdir())
            if path.is_file() and path.suffix in (".toml", ".css", ".j2")
        }

    def approvals(self) -> list[str]:
        """The paths of all approvals, those of letters that are gone too."""
        folder = self.root / "issues"
        found = [*folder.glob("*.approval.toml"), *folder.glob("series/*/*.approval.toml")]
        return sorted(self.relative(path) for path in found)

    def optional(self, name: str) -> str | None:
        """The text of a file within the workspace, None if there is none."""
        path = self.root / name
        return self.read_text(path) if path.is_file() else None

    def line(self, name: str, number: int) -> str:
        """The line of that *number*, from 1, of a file within the workspace; "" if there is none."""
        lines = (self.optional(name) or "").split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def read_text(self, path: Path) -> str:
        """The text of a file; says where it stops being UTF-8, and what it cannot read."""
        at, raw = self.relative(path), self.read_bytes(path)
        try:
            return raw.decode()
        except UnicodeDecodeError as err:
            line = raw.count(b"\n", 0, err.start) + 1
            raise NewsletterError(
                "the file is not UTF-8", at=f"{at}:{line}", hint="save it as UTF-8 in your editor"
            ) from err

    def binary(self, name: str, *, limit: int) -> bytes:
        """The bytes of a file within the workspace, no more than *limit*. Raises NewsletterError, also without one."""
        path = self.root / name
        self._refuse_links(path)
        if not path.is_file():
            raise NewsletterError(f"is not there: {name}", at=name, hint="look at its name, upper and lower case too")
        return self.read_bytes(path, limit=limit)

    def read_bytes(self, path: Path, *, limit: int | None = None) -> bytes:
        """The bytes of a file, if there are no more than *limit* of them. Raises NewsletterError."""
        at = self.relative(path)
        self._refuse_links(path)
        try:
            if limit is not None and path.stat().st_size > limit:
                raise NewsletterError(f"has more than {limit // 1_000_000} MB", at=at, hint="save it smaller")
            return path.read_bytes()
        except OSError as err:
            raise NewsletterError(f"cannot be read: {err.strerror}", at=at) from err

    def _refuse_links(self, path: Path) -> None:
        """Raise NewsletterError if *path* leads through a link: it might name a key, or a place elsewhere."""
        for each in (path, *path.parents):
            if each in (self.root, self._resolved):
                return
            if each.is_symlink():
                raise NewsletterError("is a link, and links are not followed", at=self.relative(each))
        raise NewsletterError("lies outside this newsletter", at=str(path))

    def relative(self, path: Path) -> str:
        """*path* as seen from the workspace, for messages."""
        for root in (self.root, self._resolved):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return str(path)

    def write(
        self, name: str, content: bytes, *, replace: bool = False, secret: bool = False, program: bool = False
    ) -> Path:
        """Write a file whole or not at all; *secret* is for its owner's eyes alone, a *program* can be run.

        Raises NewsletterError if it exists and *replace* is False.
        """
        path = self.root / name
        if path.exists() and not replace:
            raise NewsletterError("the file exists; it was left as it is", at=name)
        self._refuse_links(path)
        with _telling(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, content, mode=0o600 if secret else 0o755 if program else 0o644)
        return path

    def remove(self, name: str) -> None:
        """Remove a file, and the folder it leaves empty."""
        path = self.root / name
        self._refuse_links(path)
        with _telling(name):
            path.unlink(missing_ok=True)
            if path.parent != self.root and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def matching(self, *patterns: str) -> dict[str, bytes]:
        """The files below this folder whose paths match one of *patterns*, with what is in them; links are none."""
        found = {path for pattern in patterns for path in self.root.glob(pattern) if path.is_file()}
        return {self.relative(path): self.read_bytes(path) for path in sorted(found) if not path.is_symlink()}


def _write_whole(path: Path, content: bytes, *, mode: int) -> None:
    """Write *content* to *path* so that after a crash there is the old file or the new, never a part."""
    handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)  # noqa: PTH101
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _telling(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise NewsletterError(
            f"cannot be written: {err.strerror}", at=name, hint="is the disk full, or the folder read-only?"
        ) from err


def starter() -> Mapping[str, Path]:
    """The files a new workspace begins with, by their name in it; from the package or from a checkout."""
    root = _origin()
    names = ["newsletter.toml", "subscribers/sample.csv", "subscribers/segments.toml"]
    for folder in ("templates", "issues"):
        names += [path.relative_to(root).as_posix() for path in sorted((root / folder).rglob("*")) if path.is_file()]
    return {name: root / name for name in names if not _made(name)}


def runner() -> Mapping[str, Path]:
    """The files by which GitHub runs a workspace, by their name in it; the program's own tests are none of them."""
    root = _origin()
    workflows = sorted((root / ".github" / "workflows").glob("*.yml"))
    names = [path.relative_to(root).as_posix() for path in workflows if path.name != "ci.yml"]
    names += [f"scripts/{name}" for name in ("tick.sh", "tell.sh", "heartbeat.py", "review.py", "recipients.py")]
    names += ["scripts/draft.py", "requirements.lock"]
    return {name: root / name for name in names}


def _origin() -> Path:
    package = Path(__file__).parent.parent
    return package / "starter" if (package / "starter").is_dir() else package.parent


def _made(name: str) -> bool:
    return ".approval." in name or ".edition/" in name
