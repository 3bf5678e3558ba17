"""What must hold before a file of the state is opened, and its connections; `versions.py` has the events' tables."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_os, from_sqlite
from recommender.state.sqlite.versions import EVENTS, Schema, bring_up
from recommender.types import UNKNOWN_EVENT_TYPE

EVENT_FILE: Final = "events.db"
BUSY_TIMEOUT_MS: Final = 10_000

USER: Final = 0
SESSION: Final = 1

_MAGIC: Final = b"SQLite format 3\0"
_WRITER_SETTINGS: Final = (
    "PRAGMA fullfsync = 1",  # on macOS an fsync alone does not reach the disk
    "PRAGMA secure_delete = 1",  # what is removed for a user's sake is overwritten
    "PRAGMA cache_size = -32768",
    # Four times the default: an index page that many commits change is copied back once, a quarter less is written.
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)


def check_header(path: Path, schema: Schema = EVENTS) -> int:
    """The schema version of a file, 0 where it is missing or empty; looked at without opening it, so untouched.

    Raises:
        StateError: The file is foreign, of a newer schema, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise from_os(error, path) from error
    if not header:
        return 0
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StateError(
            f"{path} is not a database; it is damaged or foreign: restore it, or name another state folder"
        )
    version, application = struct.unpack(">I4xI", header[60:72])
    if application != schema.application_id:
        raise StateError(
            f"{path} belongs to another application (id {application:#x}, wanted {schema.application_id:#x}); "
            "name another state folder"
        )
    _check_version(path, version, schema)
    return int(version)


def _check_version(path: Path, version: int, schema: Schema) -> None:
    if not 1 <= version <= schema.version:
        age = "newer" if version > schema.version else "unknown"
        raise StateError(
            f"{path} has schema version {version}, which is {age}; this program reads 1 to {schema.version}: "
            "use the program that wrote it, or name another state folder"
        )


def connect_reader(path: Path, timeout_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
    """A connection in autocommit mode that cannot write and that threads may hand to each other."""
    connection = _connect(path, timeout_ms)
    connection.execute("PRAGMA query_only = 1")
    return connection


def connect_writer(path: Path, durability: str, schema: Schema = EVENTS) -> sqlite3.Connection:
    """The one connection of a process that writes; makes what tables the file lacks.

    Args:
        path: The file. The caller holds the lock that orders those who open it.
        durability: `disk` (fsync at every commit) or `process`.
        schema: What the file is.

    Raises:
        StateError: The file is foreign, damaged, of another schema version, or cannot be written.
    """
    check_header(path, schema)
    try:
        with _closed_on_error(_connect(path)) as connection:
            _bring_up(connection, path, schema)
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


def _bring_up(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """Make the tables of an empty file, or bring those of an older version up."""
    # SQLite also knows what stands in the write-ahead log, and undoes a beginning that a crash cut short.
    is_empty = connection.execute("PRAGMA page_count").fetchone()[0] == 0
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not is_empty:
        _check_version(path, version, schema)
    if version < schema.version:
        bring_up(connection, version, schema)


def _connect(path: Path, timeout_ms: int = BUSY_TIMEOUT_MS) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=timeout_ms / 1_000, isolation_level=None, check_same_thread=False, cached_statements=64
    )


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def type_number(connection: sqlite3.Connection, name: str) -> int:
    """The code of an event type; an unknown one gets the next code after `UNKNOWN_EVENT_TYPE`."""
    row = connection.execute("SELECT number FROM types WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return int(row[0])
    number = connection.execute("SELECT max(max(number), ?) + 1 FROM types", (UNKNOWN_EVENT_TYPE,)).fetchone()[0]
    connection.execute("INSERT INTO types VALUES (?, ?)", (number, name))
    return int(number)
