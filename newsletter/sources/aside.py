"""What is kept beside the letters for convenience: small files that Git ignores, and that may be lost."""

from __future__ import annotations

from newsletter.sources.files import Workspace

FOLDER = ".newsletter"


def put_aside(files: Workspace, name: str, content: bytes) -> None:
    """Keep *content* as the file *name* of the folder, which Git ignores from its first file on."""
    ignore = f"{FOLDER}/.gitignore"
    if files.optional(ignore) is None:
        files.write(ignore, b"*\n", replace=True)  # it looks after itself, in every newsletter
    files.write(f"{FOLDER}/{name}", content, replace=True, secret=True)
