"""Reading connections, lent to whichever thread asks; reads never wait for a writer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_sqlite
from recommender.state.sqlite.schema import BUSY_TIMEOUT_MS, connect_reader


class Readers:
    """A pool of connections that cannot write; as many as threads that ever read at the same moment.

    Args:
        path: The file.
        timeout_ms: How long a read waits where somebody holds the whole file, as only foreign programs do.
    """

    def __init__(self, path: Path, timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self._path = path
        self._timeout_ms = timeout_ms
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._lock = threading.Lock()
        # Versions compare only within one connection, and this one never writes: it notices every commit.
        self._watcher = self._take()

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query.

        Raises:
            StateError: The file cannot be read, or the state is closed.
        """
        connection = self._take()
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise from_sqlite(error, self._path) from error
        finally:
            self._give_back(connection)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection for many queries on the same moment of the file."""
        connection = self._take()
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise from_sqlite(error, self._path) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._give_back(connection)

    def data_version(self) -> int:
        """A number that changes whenever any process committed to the file; 4 us."""
        with self._lock:
            if self._closed:
                raise self._closed_error()
            try:
                return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error as error:
                raise from_sqlite(error, self._path) from error

    def close(self) -> None:
        """Close all connections; those lent out close when they come back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in (*idle, self._watcher):
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise self._closed_error()
            if self._idle:
                return self._idle.pop()
        try:
            return connect_reader(self._path, self._timeout_ms)
        except sqlite3.Error as error:
            raise from_sqlite(error, self._path) from error

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _closed_error(self) -> StateError:
        return StateError(f"the state in {self._path.parent} is closed in this process; open it again")
