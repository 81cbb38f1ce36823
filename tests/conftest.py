"""What every test may ask for: the frozen clock, empty databases of both kinds, and programs that may be missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.browser.fonts import liberation
from tests.leaks import leaks_in, overhear_errors, overheard
from tests.postgres import Postgres, find_binaries

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday noon, the week before Advent

# Program -> the other names it goes by, and the Debian package that brings it.
PROGRAMS: dict[str, tuple[tuple[str, ...], str]] = {
    "chromium": (("chromium-browser", "google-chrome", "google-chrome-stable"), "chromium"),
    "dkimverify": ((), "python3-dkim"),
    "dovecot": ((), "dovecot-imapd"),
    "git": ((), "git"),
    "liberation": ((), "fonts-liberation"),  # no program: the fonts that pictures of letters are taken in
    "node": ((), "nodejs"),
    "rspamd": ((), "rspamd"),
    "smtp-sink": ((), "postfix"),
    "spamassassin": ((), "spamassassin"),
    "postgres": ((), "postgresql"),  # found by tests/postgres.py; the test lock brings its own
    "mount": ((), "util-linux"),  # and the right to mount in a namespace of one's own, which not every machine grants
}

# A command after these words sees mounts that nobody else does.
OWN_MOUNTS = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--mount")

_MISSING = re.compile(r"(\S+) is not on this machine")  # as skipped and failed tests say it
_databases = count(1)


@pytest.fixture
def now() -> datetime:
    """The frozen moment at which tests happen."""
    return NOW


def find_program(name: str) -> str | None:
    """The program's path under any of its names, or None."""
    if name == "postgres":
        binaries = find_binaries()
        return str(binaries / "postgres") if binaries else None
    if name == "liberation":
        fonts = liberation()
        return str(fonts) if fonts else None
    if name == "mount":
        path = shutil.which("unshare")
        may = (
            path
            and subprocess.run(
                [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
            ).returncode
            == 0
        )
        return path if may else None
    names, _ = PROGRAMS.get(name, ((), name))
    return next((path for each in (name, *names) if (path := shutil.which(each))), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this run, started when the first test asks for it."""
    binaries = find_binaries()
    assert binaries is not None  # the marker that pytest_collection_modifyitems adds saw to it
    with Postgres(binaries) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh, empty PostgreSQL database, as SQLAlchemy's URL; dropped afterwards, whoever is still connected."""
    name = f"test_{next(_databases)}"
    postgres.create(name)
    yield postgres.url(name)
    _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database of each kind in turn, as SQLAlchemy's URL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'newsletter.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def _administer(server: Postgres, statement: str) -> None:
    with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --all and --update-golden."""
    parser.addoption("--all", action="store_true", help="fail, rather than skip, where a program is missing")
    parser.addoption("--update-golden", action="store_true", help="take the pictures in tests/golden anew")


def pytest_configure(config: pytest.Config) -> None:
    """Starts the watch over what errors say."""
    overhear_errors()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that will ask for PostgreSQL, so that they skip or fail like all the others."""
    for item in items:
        wanted = getattr(item, "fixturenames", ())
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "postgres" in wanted or parameters.get("database_url") == "postgresql":
            item.add_marker(pytest.mark.needs("postgres"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test whose program is missing; fails it with --all."""
    for name in [str(each) for marker in item.iter_markers("needs") for each in marker.args]:
        if find_program(name):
            continue
        text = f"{name} is not on this machine"
        if item.config.getoption("--all"):
            pytest.fail(text, pytrace=False)
        pytest.skip(text)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a test that printed, logged or raised an address or a secret."""
    report = yield
    if report.when == "teardown" and report.passed:
        leaks = {*overheard(), *(leak for _, text in report.sections for leak in leaks_in(text))}
        if leaks:
            report.outcome = "failed"
            report.longrepr = f"addresses or secrets were printed, logged or raised: {', '.join(sorted(leaks))}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says plainly what was not run, and what would bring it."""
    missing: dict[str, list[str]] = {}
    for report in (*terminalreporter.stats.get("skipped", ()), *terminalreporter.stats.get("error", ())):
        if found := _MISSING.search(str(report.longrepr)):
            missing.setdefault(found[1], []).append(report.nodeid)
    if not missing:
        return
    terminalreporter.section("not run on this machine")
    for name, tests in sorted(missing.items()):
        _, package = PROGRAMS.get(name, ((), name))
        some = ", ".join(tests[:3]) + (" …" if len(tests) > 3 else "")
        terminalreporter.write_line(f"{len(tests)} test(s) need {name} (Debian: apt install {package}): {some}")
