"""A database's complaints in our words: what happened, where, and what to do next.

Never the database's own text: PostgreSQL quotes the row it complains about, and a row holds an address.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from newsletter.errors import StoreError

_UPGRADE = "run: newsletter db upgrade"

# The primary result codes of SQLite (sqlite.org/rescode.html, read 2026-11-20).
_SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "another process is writing to the database and did not finish in time",
        "wait until it is done, then run the same command again",
    ),
    sqlite3.SQLITE_LOCKED: ("the database is locked", "wait a moment, then run the same command again"),
    sqlite3.SQLITE_READONLY: (
        "the database may only be read",
        "give this user write permission for the file and for its directory",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "make room, then run the same command again; nothing was half-written"),
    sqlite3.SQLITE_IOERR: (
        "the disk refused to read or write",
        "look for a full disk, a quota or a failing device; what was not finished was not written",
    ),
    sqlite3.SQLITE_NOTADB: ("this file is not an SQLite database", "check the path, or restore the file from a backup"),
    sqlite3.SQLITE_CORRUPT: ("the database file is damaged", "restore it from a backup, and do not send before that"),
    sqlite3.SQLITE_CANTOPEN: (
        "the database file cannot be opened",
        "check that its directory exists and that this user may read and write it",
    ),
    sqlite3.SQLITE_PERM: ("this user may not open the database", "check the permissions of the file"),
    sqlite3.SQLITE_AUTH: ("this user may not open the database", "check the permissions of the file"),
}

# SQLSTATE, or its class of two characters (PostgreSQL manual, appendix A).
_POSTGRESQL: dict[str, tuple[str, str]] = {
    "08": ("the connection to the database broke", "run the same command again; what was not finished was not written"),
    "57P": ("the database server is stopping or starting", "wait a moment, then run the same command again"),
    "28": ("the database does not accept our user name and password", "check the database URL"),
    "3D": ("there is no such database on the server", "create it, or check the database URL"),
    "25006": ("the database may only be read", "connect to the primary, or to a user who may write"),
    "42501": ("this user may not do that in the database", "grant it the right, or use the owner of the tables"),
    "42P01": ("the database has not been set up", _UPGRADE),
    "42703": ("the database is of another version than this program", _UPGRADE),
    "53100": ("the database server's disk is full", "make room, then run the same command again"),
    "53300": ("the database server takes no more connections", "stop another worker, or raise its limit"),
    "55P03": (
        "another process is writing to the database and did not finish in time",
        "wait until it is done, then run the same command again",
    ),
    "25P03": (
        "this program stood still in the middle of its work, and the database did not wait",
        "run the same command again; what was not finished was not written",
    ),
    "57014": ("the database server cut a statement short", "raise its statement_timeout, then try again"),
    "40": ("another process changed the same rows", "run the same command again"),
}

# libpq tells the reason of a failed connection only in words, and only sometimes in English.
_CONNECTION = (
    ("password authentication", "28"),
    ("no pg_hba.conf entry", "28"),
    ('database "', "3D"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
    ("too many clients", "53300"),
)
_UNREACHABLE = ("the database server cannot be reached", "is it running, and is the database URL right?")


def in_our_words(error: Exception, *, place: str, broke: bool = False) -> StoreError:
    """The StoreError that says what *error* means to a person; raise it `from None`.

    *broke*: the connection was lost with it, which SQLAlchemy's own errors say themselves.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, UnicodeEncodeError):  # as from a command line in another encoding
        message, hint = "a text holds what is no character", "type it anew, in UTF-8"
    elif isinstance(original, sqlite3.Error):
        message, hint = _of_sqlite(original)
    elif hasattr(original, "sqlstate"):
        broke = broke or (isinstance(error, DBAPIError) and error.connection_invalidated)
        message, hint = _POSTGRESQL["08"] if broke and original.sqlstate != "25P03" else _of_postgresql(original)
    else:
        message, hint = f"the database failed ({type(original).__name__})", ""
    return StoreError(message, hint=hint, at=place)


def _of_sqlite(error: sqlite3.Error) -> tuple[str, str]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and (code & 0xFF) in _SQLITE:
        return _SQLITE[code & 0xFF]
    if code == sqlite3.SQLITE_ERROR and "no such table" in str(error):
        return "the database has not been set up", _UPGRADE
    if code == sqlite3.SQLITE_ERROR and "no such column" in str(error):
        return "the database is of another version than this program", _UPGRADE
    return f"the database refused ({getattr(error, 'sqlite_errorname', type(error).__name__)})", ""


def _of_postgresql(error: BaseException) -> tuple[str, str]:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None and any(each.__name__ == "OperationalError" for each in type(error).__mro__):
        text = str(error)
        state = next((code for words, code in _CONNECTION if words in text), None)
        if state is None:
            return _UNREACHABLE
    for key in (state or "", (state or "")[:3], (state or "")[:2]):
        if key in _POSTGRESQL:
            return _POSTGRESQL[key]
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return f"the database refused ({' '.join(filter(None, (state or type(error).__name__, constraint)))})", ""
