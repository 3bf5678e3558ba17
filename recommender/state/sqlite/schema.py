"""The tables of the event file, and what must hold before it is opened.

    actors  number, kind, name          a user or a session; gone with its last event
    items   number, item_id             permanent numbers, never removed
    bundles number, fingerprint, file   arrays of item numbers that stand beside this file
    types   number, name                codes of `EVENT_TYPES`; further types from 256 on
    events  sequence, actor, sender, session, item, type, time_ms, arrival_ms, event_id, digest, content, attribution

`actor` is whose history the event belongs to: the user, or the session of an anonymous event until a tie gives the
event to the user. `sender` is who sent it, for ever: the scope of `event_id`. `session` is set only where an event
carries both ids; such events are the ties.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_os, from_sqlite
from recommender.types import EVENT_TYPES, UNKNOWN_EVENT_TYPE

APPLICATION_ID: Final = 0x57534850  # "WSHP", kept in the header of the file
SCHEMA_VERSION: Final = 1
BUSY_TIMEOUT_MS: Final = 10_000

USER: Final = 0
SESSION: Final = 1

_MAGIC: Final = b"SQLite format 3\0"
_TABLES: Final = (
    "CREATE TABLE actors (number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (kind, name))",
    "CREATE TABLE items (number INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE)",
    "CREATE TABLE bundles (number INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, file TEXT NOT NULL)",
    "CREATE TABLE types (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    # AUTOINCREMENT: the number of a removed event is never given again, so `sequence` always ascends.
    """CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        actor INTEGER NOT NULL REFERENCES actors,
        sender INTEGER NOT NULL REFERENCES actors,
        session INTEGER REFERENCES actors,
        item INTEGER NOT NULL REFERENCES items,
        type INTEGER NOT NULL REFERENCES types,
        time_ms INTEGER NOT NULL,
        arrival_ms INTEGER NOT NULL,
        event_id TEXT NOT NULL,
        digest BLOB NOT NULL,
        content TEXT,
        attribution TEXT
    )""",
    "CREATE UNIQUE INDEX idempotency ON events (sender, event_id)",
    # Holds all that a history needs, so that reading one touches no row of the table.
    "CREATE INDEX history ON events (actor, time_ms, sequence, item, type)",
    "CREATE INDEX arrivals ON events (arrival_ms)",
    "CREATE INDEX ties ON events (session, time_ms) WHERE session IS NOT NULL",
)
_WRITER_SETTINGS: Final = (
    "PRAGMA fullfsync = 1",  # on macOS an fsync alone does not reach the disk
    "PRAGMA secure_delete = 1",  # what is removed for a user's sake is overwritten
    "PRAGMA cache_size = -32768",
    # Four times the default: an index page that many commits change is copied back once, a quarter less is written.
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)


def check_header(path: Path) -> bool:
    """Whether the event file exists, looked at without opening it as a database, so that nothing is touched.

    Raises:
        StateError: The file is foreign, of a newer schema, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise from_os(error, path) from error
    if not header:
        return False
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StateError(
            f"{path} is not a database; it is damaged or foreign: restore it, or name another state folder"
        )
    version, application = struct.unpack(">I4xI", header[60:72])
    if application != APPLICATION_ID:
        raise StateError(
            f"{path} belongs to another application (id {application:#x}, wanted {APPLICATION_ID:#x}); "
            "name another state folder"
        )
    _check_version(path, version)
    return True


def _check_version(path: Path, version: int) -> None:
    if version != SCHEMA_VERSION:
        age = "newer" if version > SCHEMA_VERSION else "unknown"
        raise StateError(
            f"{path} has schema version {version}, which is {age}; this program reads {SCHEMA_VERSION}: "
            "use the program that wrote it, or name another state folder"
        )


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode that cannot write and that threads may hand to each other."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = 1")
    return connection


def connect_writer(path: Path, durability: str) -> sqlite3.Connection:
    """The one connection of a process that writes; creates the tables in an empty file.

    Args:
        path: The event file. The caller holds the lock that orders those who open it.
        durability: `disk` (fsync at every commit) or `process`.

    Raises:
        StateError: The file is foreign, damaged, of another schema version, or cannot be written.
    """
    exists = check_header(path)
    try:
        with _closed_on_error(_connect(path)) as connection:
            if not exists:
                _create(connection)
            # Asked again of SQLite, which also knows what stands in the write-ahead log.
            _check_version(path, connection.execute("PRAGMA user_version").fetchone()[0])
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StateError(
                    f"{path} cannot be shared between processes here (journal mode {mode}); use a local disk"
                )
            connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'disk' else 'NORMAL'}")
            for setting in _WRITER_SETTINGS:
                connection.execute(setting)
            return connection
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from error


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_MS / 1_000, isolation_level=None, check_same_thread=False, cached_statements=64
    )


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    for statement in _TABLES:
        connection.execute(statement)
    connection.executemany("INSERT INTO types VALUES (?, ?)", list(enumerate(EVENT_TYPES)))
    connection.execute("COMMIT")


def type_number(connection: sqlite3.Connection, name: str) -> int:
    """The code of an event type; an unknown one gets the next code after `UNKNOWN_EVENT_TYPE`."""
    row = connection.execute("SELECT number FROM types WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return int(row[0])
    number = connection.execute("SELECT max(max(number), ?) + 1 FROM types", (UNKNOWN_EVENT_TYPE,)).fetchone()[0]
    connection.execute("INSERT INTO types VALUES (?, ?)", (number, name))
    return int(number)
