"""From the save of a letter to its new copy in the browser, and where that time goes."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from benchmarks.letters import ISSUE_ID, ROOT, source
from benchmarks.measure import Row, Target, compare
from newsletter.app.previewing import LOOK_EVERY_S, SETTLE_S, Previewing, View
from tests.browser.chromium import Chromium
from tests.conftest import find_program

PAIRS = 21
AT_ONCE_S = 0.150
LOOKS = 200

# The instant at which the page had put a save in place, in seconds of the epoch.
_SEEN = """() => {
  new MutationObserver(() => { window.seenAt = Date.now() / 1000; })
    .observe(document.body, { attributes: true, attributeFilter: ['data-number'] });
}"""


def rows() -> Iterator[Row]:
    """The table's lines."""
    with TemporaryDirectory(prefix="newsletter-preview-") as name:
        letter = _make(Path(name))
        whole: list[float] = []
        browser = find_program("chromium")
        with _running(Path(name)) as url:
            saved = Saves(letter)
            seen = _in_browser(browser, Path(name) / "profile", url, saved) if browser else None
            answered = _over_http(url, saved)
            with seen or _nothing() as in_browser:
                yield compare(
                    "save → in the browser" if in_browser else "save → answered (no browser here)",
                    ours=_kept(in_browser or answered, whole),
                    ceiling=lambda: AT_ONCE_S,
                    pairs=PAIRS,
                    called="what feels immediate",
                    target=Target(most=1),
                )
            took = median(whole)
            yield _part("… of which until it is answered over HTTP", answered, took)
        with Previewing(Path(name)) as desk:
            view = desk.view(ISSUE_ID)
            yield _part("… of which building", _building(view, saved), took)
            yield _part("… of which waiting for the next look, and for the file to settle", _waiting, took)
            yield compare(
                "a look at all its files, nothing saved",
                ours=_looking(view),
                ceiling=lambda: LOOK_EVERY_S,
                pairs=PAIRS,
                called="between two looks",
                target=Target(most=0.05, per_cent=True),
            )


def _part(what: str, ours: Callable[[], float], whole: float) -> Row:
    return compare(
        what, ours=ours, ceiling=lambda: whole, pairs=PAIRS, called="the whole", target=Target(most=1, per_cent=True)
    )


@dataclass(slots=True)
class Saves:
    """A letter that is saved again and again, a little different each time."""

    letter: Path
    count: int = 0
    text: str = field(default_factory=lambda: source(40))

    def save(self) -> float:
        """The instant of one more save, in seconds of the epoch."""
        self.count += 1
        self.letter.write_text(self.text.replace("How it began", f"How it began, {self.count}"))
        return time.time()


def _make(folder: Path) -> Path:
    """A newsletter in *folder* with one letter, of two variants and 40 KB each; the letter's path."""
    for name in ("newsletter.toml", "templates/letter", "subscribers/segments.toml"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (folder / "issues").mkdir()
    letter = folder / "issues" / f"{ISSUE_ID}.md"
    letter.write_text(source(40))
    return letter


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    """The address of the letter's page, while a preview of *folder* runs."""
    command = (sys.executable, "-m", "newsletter", "--config", str(folder), "preview", ISSUE_ID)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


@contextmanager
def _in_browser(program: str, profile: Path, url: str, saves: Saves) -> Iterator[Callable[[], float]]:
    with Chromium(program, profile) as browser:
        browser.show(url, width=1280)
        while not browser.run("() => document.body.dataset.number"):
            time.sleep(0.1)
        browser.run(_SEEN)

        def measure() -> float:
            time.sleep(0.5)  # the page asks again, and the machine is idle, as it is between two saves
            saved_at = saves.save()
            while (browser.run("() => window.seenAt || 0")) < saved_at:
                time.sleep(0.01)
            return float(browser.run("() => window.seenAt")) - saved_at

        measure()
        yield measure


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _over_http(url: str, saves: Saves) -> Callable[[], float]:
    address = urlsplit(url)

    def ask(after: int) -> int:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        connection.request("GET", f"{address.path}/now?after={after}")
        number: int = json.loads(connection.getresponse().read())["number"]
        connection.close()
        return number

    def measure() -> float:
        number = ask(0)
        time.sleep(0.2)
        saved_at = saves.save()
        while ask(number) == number:
            pass
        return time.time() - saved_at

    return measure


def _building(view: View, saves: Saves) -> Callable[[], float]:
    def measure() -> float:
        saves.save()
        start = time.perf_counter()
        view.now()
        return time.perf_counter() - start - SETTLE_S

    measure()
    return measure


def _waiting() -> float:
    return LOOK_EVERY_S / 2 + SETTLE_S


def _looking(view: View) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        for _ in range(LOOKS):
            view.now()
        return (time.perf_counter() - start) / LOOKS

    return measure


def _kept(measure: Callable[[], float], into: list[float]) -> Callable[[], float]:
    def measured() -> float:
        into.append(measure())
        return into[-1]

    return measured
