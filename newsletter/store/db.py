"""The way into the database: connections, transactions, and the few differences between the two kinds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    ARRAY,
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    any_,
    create_engine,
    event,
    literal,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from newsletter.errors import SettingsError, StoreError
from newsletter.store.failures import in_our_words
from newsletter.store.journal import announced
from newsletter.store.quick import ONE_AT_A_TIME, Quick, Statements, append_to

# How long one waits for another: longer than the plan of a million people takes, which others wait for.
_BUSY_S = 30  # a writer on SQLite
_LOCK_S, _LONG_LOCK_S = 10, 600  # a statement on PostgreSQL; of a plan or an upgrade
_IDLE_S = 60  # in a transaction; whoever was stopped in the middle of one gives back what others wait for
_LOOK_S = 5  # until a server answers somebody who only looks: a page is waited for
_CACHE_KIB = 8 * 1024  # with more, a sender grows with the list and is no quicker
_KEPT = 10  # connections that are open already when the pages have much to do: one for each thread


class Database:
    """A database, reached through transactions only. `place` names it to people and holds no password."""

    def __init__(self, engine: Engine, *, place: str, path: Path | None) -> None:
        self.engine = engine
        self.place = place
        self.path = path  # the file, if it is SQLite
        snapshot: dict[str, Any] = {} if path else {"isolation_level": "REPEATABLE READ"}
        # A report is several statements and must see one moment.
        self._readers = engine.execution_options(**snapshot, **({} if path else {"postgresql_readonly": True}))
        self._planners = engine.execution_options(**snapshot, writing=True)
        self._writers = engine.execution_options(writing=True)
        self._statements = Statements(engine.dialect)
        self.before_commit: Callable[[Connection], object] = announced  # to nobody, unless there is a journal

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file and not a server."""
        return self.path is not None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment and changes nothing."""
        with self._transaction(self._readers) as connection:
            yield connection

    @contextmanager
    def writing(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A connection whose changes are durable when the block ends, or undone if it raises.

        With *snapshot*, every statement sees the moment of the first one (SQLite always works so).
        """
        with self._transaction(self._planners if snapshot else self._writers) as connection:
            announced(connection)  # what a transaction that was undone left in a pooled connection
            yield connection
            self.before_commit(connection)

    def make_file(self) -> None:
        """Make an empty SQLite file that only this user may read, if there is none. Nothing else makes one."""
        if self.path is not None and self.path.parent.is_dir() and not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))

    def close(self) -> None:
        """Give everything back; the last to close an SQLite file folds its journal into it."""
        self.engine.dispose()

    @contextmanager
    def quick(self) -> Iterator[Quick]:
        """As `writing`, but straight on the driver: see `Quick`."""
        with self._driver() as raw:
            if self.is_sqlite:
                raw.execute("BEGIN IMMEDIATE")
            yield Quick(raw, self._statements)
            raw.commit()

    @contextmanager
    def looking(self) -> Iterator[Quick]:
        """Straight on the driver for a single look, which sees one moment without a transaction around it."""
        with self._driver() as raw:
            yield Quick(raw, self._statements)

    @contextmanager
    def _driver(self) -> Iterator[Any]:
        """A driver's connection; what is not committed on it is undone."""
        raw: Any = None
        with self._worded(lambda: getattr(raw, "closed", False)):
            pooled = self.engine.raw_connection()
            raw = pooled.driver_connection
            try:
                yield raw
            except BaseException:
                if getattr(raw, "closed", False):  # the server went away: the pool must not use it again
                    pooled.invalidate()
                raise
            finally:
                pooled.close()

    @contextmanager
    def outside(self) -> Iterator[Any]:
        """A driver's connection outside of any transaction, for what a database does to all of itself."""
        with self._worded(lambda: False):
            raw = self.engine.raw_connection()
            raw.detach()  # nobody after us gets it as we leave it
            try:
                if not self.is_sqlite:
                    raw.dbapi_connection.autocommit = True  # type: ignore[union-attr]
                yield raw.dbapi_connection
            finally:
                raw.close()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with self._worded(lambda: False), engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _worded(self, broke: Callable[[], bool]) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error, UnicodeEncodeError) as error:
            # The original may quote a row, hence an address.
            raise in_our_words(error, place=self.place) from None
        except Exception as error:
            if hasattr(error, "sqlstate"):  # psycopg's own, which is not imported for SQLite
                raise in_our_words(error, place=self.place, broke=broke()) from None
            raise


def connect(url: str, *, read_only: bool = False) -> Database:
    """The database that *url* names: `sqlite:///path` or `postgresql://…`. Opens nothing yet.

    With *read_only*, the database itself refuses every change.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError("the database URL cannot be read", hint=_FORMS, at="database") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, read_only=read_only)
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        # Where a password is not written as it should be, a part of it would be taken for the host or the name.
        if url.count("@") > (parsed.username is not None) or "/" in (parsed.database or ""):
            raise SettingsError("the database URL cannot be read", hint=_ESCAPES, at="database")
        return _postgresql(parsed.set(drivername="postgresql+psycopg"), read_only=read_only)
    raise SettingsError(f"there is no support for {parsed.drivername} databases", hint=_FORMS, at="database")


_FORMS = "write sqlite:///subscribers/newsletter.db or postgresql://user:password@host/name"
_ESCAPES = "percent-encode user name and password: @ is %40, / is %2F, : is %3A, % is %25"


def _sqlite(url: URL, *, read_only: bool) -> Database:
    if not url.database or url.database == ":memory:":
        raise SettingsError("a database in memory would forget who was mailed", hint=_FORMS, at="database")
    if url.query:
        raise SettingsError("an SQLite URL takes no parameters", hint=_FORMS, at="database")
    path = Path(url.database)
    if read_only:  # https://www.sqlite.org/uri.html, read 2026-11
        url = url.set(database=f"file:{quote(str(path.absolute()))}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(url, hide_parameters=True, pool_size=_KEPT, connect_args={"timeout": _BUSY_S})

    @event.listens_for(engine, "do_connect")
    def must_exist(*_: object) -> None:
        if not path.parent.is_dir():
            hint = f"create it: mkdir -p {path.parent}"
            raise StoreError("there is no such directory", hint=hint, at=str(path.parent))
        if not path.exists():
            raise StoreError("there is no database yet", hint="run: newsletter db upgrade", at=str(path))

    @event.listens_for(engine, "connect")
    def set_up(raw: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        raw.isolation_level = None  # transactions begin where we say, see `begin`
        for pragma in (
            "query_only=ON" if read_only else "journal_mode=WAL",
            "synchronous=FULL",  # a commit that is lost with the power is a letter sent twice
            "foreign_keys=ON",
            f"cache_size=-{_CACHE_KIB}",
        ):
            raw.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Taking the write lock at once: a reader that turns writer later can fail without waiting.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return Database(engine, place=str(path), path=path)


def _postgresql(url: URL, *, read_only: bool) -> Database:
    host = url.host or url.query.get("host") or "localhost"
    place = f"postgresql://{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_size=_KEPT,
            pool_pre_ping=True,
            execution_options={"postgresql_readonly": True} if read_only else {},
            connect_args={"connect_timeout": _LOOK_S} if read_only else {},
        )
    except (ImportError, NoSuchModuleError):
        hint = "install psycopg beside the newsletter, e.g. with its extra 'postgres' (README, Install)"
        raise SettingsError("the PostgreSQL driver is not installed", hint=hint, at="database") from None

    @event.listens_for(engine, "connect")
    def set_up(raw: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401
        # A server may be set to confirm commits it can still lose; a lost claim is a letter sent twice.
        raw.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        raw.execute(f"SET lock_timeout = '{_LOCK_S}s'")
        raw.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_S}s'")
        raw.commit()

    return Database(engine, place=place, path=None)


def wait_longer(connection: Connection) -> None:
    """Let this transaction wait for others that are long at work."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LONG_LOCK_S}s'"))


def one_at_a_time(connection: Connection, what: str) -> None:
    """Return when no other transaction that said *what* is running; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(ONE_AT_A_TIME, {"what": f"newsletter {what}"})


def among(connection: Connection, column: Column[Any], values: Sequence[object]) -> ColumnElement[bool]:
    """Whether *column* is one of many values; PostgreSQL reads one array far quicker than a thousand parameters."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(values, ARRAY(column.type)))
    return column.in_(values)


def append(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert many rows, each with all columns of *table* in order and instants as `epoch` seconds.

    The quick way in on each database; raises what `Database.writing` turns into our words.
    """
    append_to(connection.connection.driver_connection, table, rows)
