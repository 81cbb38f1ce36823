"""A year of Mondays from a library of twelve blocks a kind: how well they are chosen, and how long one takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.letters import ROOT
from benchmarks.measure import Row, Target, compare, judge
from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import read_settings
from newsletter.usecases.assemble import Assembled
from tests.shelf import Shelf, Step, steps

PAIRS = 9
FIRST = date(2027, 1, 4)
WEEKS = 52

# What nobody can do without: the libraries for front matter and for the moon, and every file read once.
_READ = """
import sys
from pathlib import Path
import click, yaml
import holidays.calendars
for path in sorted((Path(sys.argv[1]) / "issues").rglob("*.md")):
    text = path.read_text()
    if text.startswith("---"):
        yaml.compose(text.split("---")[1], Loader=yaml.SafeLoader)
"""


def rows() -> Iterator[Row]:
    """The table's lines."""
    with (
        TemporaryDirectory(prefix="newsletter-shelf-") as name,
        TemporaryDirectory(prefix="newsletter-shelf-") as other,
    ):
        shelf, again = Shelf(Path(name)), Shelf(Path(other))
        year, _ = shelf.year(FIRST, weeks=WEEKS), again.year(FIRST, weeks=WEEKS)
        yield from _choices(list(steps(shelf, year)))
        same = sum(again.letters().get(each) == text for each, text in shelf.letters().items())
        yield _share("letters with the same bytes when the year is done again", same, WEEKS)
        yield _share("letters in which check finds nothing", _faultless(shelf, year), WEEKS)
        yield compare(
            f"newsletter assemble with {WEEKS} letters and {len(shelf.observances)} prepared blocks",
            ours=_assemble(shelf.root, FIRST + WEEKS * timedelta(weeks=1)),
            ceiling=_run("-c", _READ, name),
            pairs=PAIRS,
            called="the same files read once, by a script",
            target=Target(most=3),
        )


def _choices(made: list[Step]) -> Iterator[Row]:
    """How many of the choices are as they should be."""
    again = [step for step in made if step.used_before]
    needless = [step for step in again if step.fresh and step.chosen not in step.written_for]
    yield _share("blocks that came again while one that nobody had seen fitted", len(needless), len(again), wanted=0)
    asked = [step for step in made if step.written_for]
    got = [step for step in asked if step.chosen in step.written_for]
    yield _share(
        "steps of an observance's week that got a block written for it, where one had rested", len(got), len(asked)
    )
    soon = [step for step in made if step.rested and step.chosen not in step.rested]
    yield _share("blocks that came again within eight weeks while others had rested", len(soon), len(made), wanted=0)


def _share(what: str, found: int, of: int, *, wanted: int = 1) -> Row:
    target = Target(least=1, per_cent=True) if wanted else Target(most=0, per_cent=True)
    return Row(what=what, ours=str(found), ceiling=f"of {of}", verdict=judge([found / of], target))


def _faultless(shelf: Shelf, year: dict[date, Assembled]) -> int:
    with Newsletter(read_settings(shelf.root, {})) as newsletter:
        letters = Letters(newsletter)
        return sum(not letters.check(made.issue_id).problems for made in year.values())


def _assemble(root: Path, day: date) -> Callable[[], float]:
    """A measurement of one more letter, which is taken away again."""
    run = _run("-m", "newsletter", "--config", str(root), "assemble", "--date", str(day), warm=False)

    def measure() -> float:
        for letter in (root / "issues").glob(f"{day}-*.md"):
            letter.unlink()
        return run()

    measure()
    return measure


def _run(*words: str, warm: bool = True) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        subprocess.run((sys.executable, "-P", *words), cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - start

    if warm:
        measure()
    return measure
