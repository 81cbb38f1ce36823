"""Lists of people as files: their lines, whatever program wrote them, and what is written for their owner alone."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import ImportHasProblems, NewsletterError

LONGEST_LINE = 1 << 20  # of anything that is a list of people; a longer one is never held in memory
_SAVE_AS = "open it and save it as 'CSV UTF-8'"
# What the first bytes of a file say that it is, when it is no text.
_NO_TEXT = (
    (b"PK\x03\x04", "this is a workbook or a ZIP file", f"unpack it, or {_SAVE_AS}"),
    (b"\xd0\xcf\x11\xe0", "this is a workbook of Excel", _SAVE_AS),
    (b"\x1f\x8b", "this is a compressed file", "unpack it first: gunzip"),
    (b"%PDF", "this is a PDF", "ask for the list itself, as CSV"),
)


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file, with their ends, in constant memory; UTF-8, or UTF-16 as Excel writes it.

    Raises ImportHasProblems where it is none of them, with the line.
    """
    try:
        with path.open("rb") as file:
            head = file.peek(4)[:4]
            wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
            _refuse_no_text(file.peek(512)[:512], wide=wide, at=str(path))
            lines = _wide_lines(file) if wide else _lines(file)
            yield from _told(lines, at=str(path))
    except OSError as err:
        raise NewsletterError(f"cannot be read: {err.strerror}", at=str(path)) from err


def _refuse_no_text(head: bytes, *, wide: bool, at: str) -> None:
    for sign, what, hint in _NO_TEXT:
        if head.startswith(sign):
            raise ImportHasProblems(what, at=at, hint=hint)
    if not wide and head.count(0) > len(head) // 4:
        raise ImportHasProblems("this is UTF-16 without a mark that says so", at=at, hint=_SAVE_AS)


def _lines(file: BinaryIO) -> Iterator[str]:
    first = True
    while raw := file.readline(LONGEST_LINE):
        if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
            raise _TooLong(by_returns=raw.count(b"\r") > 1)
        yield raw.decode("utf-8-sig" if first else "utf-8")
        first = False


def _wide_lines(file: BinaryIO) -> Iterator[str]:
    text = io.TextIOWrapper(file, encoding="utf-16", newline="\n")
    try:
        while line := text.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE and not line.endswith("\n"):
                raise _TooLong(by_returns=line.count("\r") > 1)
            yield line
    finally:
        text.detach()  # or it would close the file, which is another's to do


class _TooLong(Exception):
    """A line that is none."""

    def __init__(self, *, by_returns: bool) -> None:
        super().__init__()
        self.by_returns = by_returns


def _told(lines: Iterator[str], *, at: str) -> Iterator[str]:
    number = 0
    try:
        for number, line in enumerate(lines, start=1):  # noqa: B007 - the line on which it ends is told
            yield line
    except UnicodeError:
        hint = f"{_SAVE_AS}, or convert it: iconv -f WINDOWS-1252 -t UTF-8 {Path(at).name} > utf8.csv"
        raise ImportHasProblems("the file is not UTF-8", at=f"{at}:{number + 1}", hint=hint) from None
    except _TooLong as long:
        what = (
            "lines end in a way of long ago (CR alone)"
            if long.by_returns
            else "the line is longer than a million bytes"
        )
        raise ImportHasProblems(what, at=f"{at}:{number + 1}", hint=f"is it a list? If so, {_SAVE_AS}") from None


@contextmanager
def for_owner_alone(path: Path) -> Iterator[Callable[[str], None]]:
    """A new file that only this user may read, as what writes to it; gone at the end if nothing was written.

    Raises NewsletterError if it exists.
    """
    try:
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")
    except FileExistsError:
        hint = "name another, or look at it and remove it"
        raise NewsletterError("the file exists; it was left as it is", at=str(path), hint=hint) from None
    except OSError as err:
        raise NewsletterError(f"cannot be written: {err.strerror}", at=str(path)) from err
    with file:
        try:
            yield lambda text: _write(file, text, at=str(path))
        finally:
            if not file.tell():
                path.unlink()


def _write(file: io.TextIOBase, text: str, *, at: str) -> None:
    try:
        file.write(text)
        file.flush()
    except OSError as err:
        raise NewsletterError(f"cannot be written: {err.strerror}", at=at, hint="is the disk full?") from err
