"""A tick with nothing due, from start to exit, however long the list and however much was sent before."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.engine import MailingList
from benchmarks.letters import ROOT, compiled
from benchmarks.measure import Row, Target, compare

PAIRS = 9
MIDDLE, LARGE = 100_000, 1_000_000
_QUERY = """
import sys
from sqlalchemy import create_engine, text
with create_engine(sys.argv[1]).connect() as connection:
    connection.execute(text("SELECT no FROM issues")).all()
"""


def rows(*, full: bool) -> Iterator[Row]:
    """The table's lines; *full* with a million people."""
    people = LARGE if full else MIDDLE
    edition = compiled(45).edition
    with TemporaryDirectory(prefix="newsletter-tick-") as name:
        folder = Path(name)
        MailingList(folder, edition, people).send(1000, carrier="accepting")
        place = folder / "letters"
        subprocess.run(
            (sys.executable, "-m", "newsletter", "init", str(place)), cwd=ROOT, check=True, capture_output=True
        )
        shutil.rmtree(place / "issues")
        database = place / "subscribers" / "newsletter.db"
        (folder / f"{people}.db").rename(database)
        yield compare(
            f"a tick with nothing due, {people:,} people who all got one letter",
            ours=_run("-m", "newsletter", "--config", str(place), "tick"),
            ceiling=_run("-c", _QUERY, f"sqlite:///{database}"),
            pairs=PAIRS,
            called="SQLAlchemy imported and one query",
            target=Target(most=2),
        )


def _run(*words: str) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        subprocess.run((sys.executable, "-P", *words), cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - start

    measure()
    return measure
