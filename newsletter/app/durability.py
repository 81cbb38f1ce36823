"""Whether the database will still know tomorrow who was mailed: where it is, how it is kept, who can read it."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from newsletter.app.newsletter import Newsletter
from newsletter.errors import NewsletterError
from newsletter.settings.read import Settings
from newsletter.sources.finding import Finding, error, fine, warning

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.store.db import Database

_CHECK_S = 6.0  # a file of some gigabytes takes longer, and the doctor is no backup
_SPARE_BYTES = 200 * 1024 * 1024  # beside a second copy of the file, which its journal may become
_REMEMBERED = timedelta(days=30)  # that a lost journal is told of
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "")


def examine(newsletter: Newsletter, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What is true of the database; one finding where all is well, and one for each thing that is not."""
    settings = newsletter.settings
    if _is_forgotten(settings, environment):
        yield error(
            "database",
            "a file on this machine, which is gone when the job ends: the next one would mail everybody again",
            'set the secret NEWSLETTER_DATABASE_URL to a PostgreSQL, or, in a private repository, database = "git+age"',
        )
        return
    if not newsletter.has_database():
        yield error("database", "there is none yet", "newsletter db upgrade")
        return
    try:
        database = newsletter.database
        people = _people(newsletter)
        with database.reading() as connection:
            about, troubles = (_file if database.is_sqlite else _server)(database, connection, settings, environment)
    except NewsletterError as err:
        yield error("database", str(err), err.hint)
        return
    troubles += _journal(newsletter, database)
    yield from troubles or [fine("database", f"{database.place}, {about}, {people:,} people")]


def _is_forgotten(settings: Settings, environment: Mapping[str, str]) -> bool:
    on_runner = settings.on_runner or environment.get("CI", "").lower() in ("true", "1")
    in_file = settings.database.startswith("sqlite:") and not settings.in_git
    return on_runner and in_file and settings.provider != "outbox"


def _people(newsletter: Newsletter) -> int:
    from newsletter.app.people import People

    return sum(People(newsletter).count().values())


def _file(
    database: Database, connection: Connection, _settings: Settings, _environment: Mapping[str, str]
) -> tuple[str, list[Finding]]:
    path = database.path or Path()
    found = [*_readable(path), *_room(path, shutil.disk_usage(path.parent).free)]
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        detail = "its folder cannot hold a write-ahead log, as on network shares; readers would stop writers"
        found.append(error("database", detail, "move it to a local disk"))
    state = _quick_check(connection)
    if state is None:
        return "too large to be checked here", found
    if state != "ok":
        fix = "stop, keep a copy, and bring back the newest backup (docs/operations.md)"
        found.append(error("database", f"{path.name} is damaged", fix))
    return "checked", found


def _journal(newsletter: Newsletter, database: Database) -> Iterator[Finding]:
    """Whether the journal of departures beside a file is the one that always was there."""
    if not (newsletter.has_journal and database.is_sqlite):
        return
    from newsletter.store.departures import other_journal_until

    until = other_journal_until(database, newsletter.settings.journal)
    if until and newsletter.clock() - until < _REMEMBERED:
        detail = f"the journal of departures is a new one; another was used until {until:%Y-%m-%d}"
        fix = "add its lines to this one, or delete older backups: they do not know who left (docs/operations.md)"
        yield warning("database", detail, fix)


def _readable(path: Path) -> Iterator[Finding]:
    files = [
        each for each in (path, *(path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))) if each.exists()
    ]
    if open_ := [each.name for each in files if stat.S_IMODE(each.stat().st_mode) & 0o077]:
        folder = path.parent
        words = " ".join(str(folder / name) for name in open_)
        yield error("database", f"{', '.join(open_)} can be read by others", f"chmod 600 {words}")


def _room(path: Path, free: int) -> Iterator[Finding]:
    if free < path.stat().st_size + _SPARE_BYTES:
        yield warning("database", f"{free // 1024**2:,} MB are left on its disk", "make room before the next letter")


def _quick_check(connection: Connection, patience_s: float = _CHECK_S) -> str | None:
    """What SQLite says of its file, `ok` if it is whole; None if it takes too long."""
    raw: Any = connection.connection.driver_connection
    until = monotonic() + patience_s
    late = False

    def too_long() -> bool:
        nonlocal late
        late = monotonic() > until
        return late

    raw.set_progress_handler(too_long, 100_000)
    try:
        return str(raw.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        if late:
            return None
        raise
    finally:
        raw.set_progress_handler(None, 0)


def _server(
    database: Database, connection: Connection, settings: Settings, environment: Mapping[str, str]
) -> tuple[str, list[Finding]]:
    version, fsync, server_commits = connection.exec_driver_sql(
        "SELECT current_setting('server_version'), current_setting('fsync'),"
        " (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit')"
    ).one()
    tls = connection.exec_driver_sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar()
    found = [*_tls(database, bool(tls), environment)]
    if fsync != "on":
        detail = "its server confirms what it may lose with the power (fsync = off)"
        found.append(_by_provider(settings, detail, "set fsync = on in postgresql.conf"))
    commits = "on for us" if server_commits == "off" else server_commits
    return f"PostgreSQL {version.split()[0]}, {'TLS, ' if tls else ''}synchronous_commit {commits}", found


def _by_provider(settings: Settings, detail: str, fix: str) -> Finding:
    """An error where people are mailed, a warning where files are written."""
    return (warning if settings.provider == "outbox" else error)("database", detail, fix)


def _tls(database: Database, tls: bool, environment: Mapping[str, str]) -> Iterator[Finding]:  # noqa: FBT001
    url = database.engine.url
    host = url.host or str(url.query.get("host", environment.get("PGHOST", "")))
    if host in _LOOPBACK or host.startswith("/"):
        return
    mode = url.query.get("sslmode", environment.get("PGSSLMODE", "prefer"))
    fix = "add ?sslmode=verify-full to the URL, and &sslrootcert=system where a public authority signed for the server"
    if not tls:
        yield error("database", f"addresses travel to {host} in the clear", fix)
    elif mode != "verify-full":
        yield warning("database", f"TLS to {host}, but anybody could pretend to be it (sslmode={mode})", fix)
