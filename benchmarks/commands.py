"""Whole commands, from start to exit: help, and the check of one letter."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory

import newsletter
from benchmarks.letters import ISSUE_ID, ROOT, compiled, source
from benchmarks.measure import Row, Target, compare

PAIRS = 9  # starting a program is the noisiest of all
_PYTHON = (sys.executable, "-P")
_HELP = (*_PYTHON, "-m", "newsletter", "--help")

# The page inlined as `newsletter.rendering.inline` has it, by a script that does nothing else.
_INLINE = """
import logging, sys
import cssutils
from premailer import Premailer
cssutils.log.setLevel(logging.CRITICAL)
with open(sys.argv[1]) as page:
    print(Premailer(page.read(), strip_important=False, allow_network=False, align_floating_images=False,
        disable_basic_attributes=["align", "valign", "bgcolor", "width", "height"], remove_classes=False,
        keep_style_tags=False, include_star_selectors=True, disable_validation=True).transform(pretty_print=False))
"""


def rows() -> Iterator[Row]:
    """The table's lines."""
    yield compare(
        "newsletter --help",
        ours=_run(_HELP),
        ceiling=_run((*_PYTHON, "-c", "pass")),
        pairs=PAIRS,
        called="a bare interpreter",
        target=Target(most=5),
    )
    yield compare(
        "newsletter --help",
        ours=_run(_HELP),
        ceiling=_run((*_PYTHON, "-c", _eager())),
        called="the same with every module imported",
        target=Target(most=0.15, per_cent=True),
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        page = _make(folder)
        check = (*_PYTHON, "-m", "newsletter", "--config", str(folder), "check", ISSUE_ID)
        yield compare(
            f"newsletter check, a page of {page.stat().st_size / 1000:.0f} KB before inlining",
            ours=_run(check),
            ceiling=_run((*_PYTHON, "-c", _INLINE, str(page))),
            called="premailer once in a script",
            target=Target(most=4),
        )


def _run(command: Sequence[str]) -> Callable[[], float]:
    """A measurement of *command* from start to exit. Raises CalledProcessError if it fails."""

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - start

    measure()  # once unmeasured: byte code is written, files are in memory
    return measure


def _eager() -> str:
    """A program that imports all there is before it shows the help; migrations run only inside Alembic."""
    modules = [
        module.name
        for module in walk_packages(newsletter.__path__, "newsletter.")
        if ".migrations" not in module.name and not module.name.endswith("__main__")
    ]
    return f"import sys, {', '.join(modules)}\nsys.argv[1:] = ['--help']\nnewsletter.cli.main.main()"


def _make(folder: Path) -> Path:
    """A newsletter with one letter in *folder*; the path of the letter's page before inlining."""
    for name in ("newsletter.toml", "templates/letter", "subscribers/segments.toml"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (folder / "issues").mkdir()
    # Without a condition, so that it is one page.
    (folder / "issues" / f"{ISSUE_ID}.md").write_text(source(40, arbitrary=True))
    page = folder / "page.html"
    page.write_text(compiled(40, arbitrary=True).pages[0])
    return page
