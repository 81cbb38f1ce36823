"""`python -m benchmarks [--full] [NAME …]`: the tables, and exit code 1 if a target was missed."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from statistics import median
from tempfile import TemporaryFile

from benchmarks.measure import Row, print_table, show_seconds

NAMES = (
    "personalise",
    "message",
    "links",
    "commands",
    "importing",
    "engine",
    "submission",
    "merging",
    "ticking",
    "preview",
    "assembling",
    "serving",
)


def main() -> int:
    """Run the benchmarks that were asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="See docs/benchmarks.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; else all")
    parser.add_argument("--full", action="store_true", help="the engine also with a million people")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores", end=", ")
    print(f"load {os.getloadavg()[0]:.1f}, the disk confirms 8 KB in {show_seconds(_confirmed_s())}")
    good = [print_table(_rows(name, full=options.full)) for name in options.names or NAMES]
    return 0 if all(good) else 1


def _rows(name: str, *, full: bool) -> Iterator[Row]:
    rows: Callable[..., Iterator[Row]] = import_module(f"benchmarks.{name}").rows
    return rows(full=full) if name in ("engine", "importing", "ticking") else rows()


def _confirmed_s() -> float:
    """Seconds until the disk under the temporary folder says that a write is durable: what every commit waits for."""
    times = []
    with TemporaryFile() as file:
        for _ in range(30):
            file.write(bytes(8192))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return median(times)


if __name__ == "__main__":
    sys.exit(main())
