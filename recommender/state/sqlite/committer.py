"""The one thread of a process that writes to the event file: callers queue up, each group is one transaction.

While a group waits for the disk the next one gathers, so that the more callers there are the more share an fsync.
"""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from recommender.errors import StateError
from recommender.state.sqlite.failures import from_os, from_sqlite

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Chore = Callable[[], bool]

_LOG: Final = logging.getLogger(__name__)
#: Rows beyond which a group takes no further caller, so that no commit holds the write lock for long.
GROUP_SIZE: Final = 4_000
#: How long a caller waits for its commit before it is told that the outcome is not known.
WAIT_SECONDS: Final = 30.0
CHORE_SECONDS: Final = 60.0


class _Job(Generic[T]):
    """One caller's work and, after the commit, its result or error."""

    def __init__(self, work: Work[T], size: int) -> None:
        self.work = work
        self.size = size
        self.done = threading.Event()
        self.result: T
        self.error: Exception | None = None


class Committer:
    """Runs work in transactions, many callers' in one.

    Args:
        connection: The writing connection; the committer closes it.
        path: The event file, for messages.
        lock_path: File whose lock orders the committers of all processes.
        chore: Called in the committer's thread every minute, and again at once while it returns True.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, lock_path: Path, chore: Chore) -> None:
        #: Transactions that this process committed.
        self.transactions = 0
        self._connection = connection
        self._path = path
        self._chore = chore
        self._lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="windowshop-committer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T], size: int = 1) -> T:
        """Run the work in the next transaction and return its result once that is committed.

        Args:
            work: Called with the writing connection in the committer's thread. What it raises undoes its own changes
                alone and is raised here.
            size: How many rows it writes, roughly.

        Raises:
            StateFullError: The disk is full; nothing of the group was stored.
            StateError: The file cannot be written, the state is closed, or the outcome is not known in time.
        """
        job = _Job(work, size)
        if threading.current_thread() is self._thread:
            self._commit([job])
        else:
            self._enqueue(job)
            if not job.done.wait(WAIT_SECONDS):
                raise StateError(
                    f"{self._path} did not commit within {WAIT_SECONDS:.0f} s, the outcome is not known; send again"
                )
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Commit what is queued, end the thread, close the connection; safe to call twice."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._connection.close()
        os.close(self._lock_fd)

    def _enqueue(self, job: _Job[T]) -> None:
        with self._gate:
            # A forked child inherits the queue but not the thread.
            if self._closed or not self._thread.is_alive():
                raise StateError(f"the state in {self._path.parent} is closed in this process; open it again")
            self._jobs.put(job)

    def _run(self) -> None:
        chore_due = time.monotonic() + CHORE_SECONDS
        ends = False
        while not ends:
            group, ends = self._next_group(max(0.0, chore_due - time.monotonic()))
            if group:
                self._commit(group)
            if time.monotonic() >= chore_due:
                chore_due = time.monotonic() + (0.0 if self._do_chore() else CHORE_SECONDS)

    def _next_group(self, wait_seconds: float) -> tuple[list[_Job[Any]], bool]:
        """The callers that wait now, and whether the state was closed behind them."""
        group: list[_Job[Any]] = []
        size = 0
        try:
            job = self._jobs.get(timeout=wait_seconds)
            while job is not None:
                group.append(job)
                size += job.size
                if size >= GROUP_SIZE:
                    return group, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _commit(self, group: Sequence[_Job[Any]]) -> None:
        try:
            # SQLite's own waiting sleeps up to 100 ms between tries; this lock wakes the next process at once.
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                self._transact(group)
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        except sqlite3.Error as error:
            for job in group:
                job.error = from_sqlite(error, self._path)
        except OSError as error:
            for job in group:
                job.error = from_os(error, self._path)
        finally:
            for job in group:
                job.done.set()

    def _transact(self, group: Sequence[_Job[Any]]) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._attempt(job)
            connection.execute("COMMIT")
            self.transactions += 1
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _attempt(self, job: _Job[Any]) -> None:
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._connection)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.ProgrammingError):
                raise  # the file's trouble is everyone's, a wrong argument its caller's
            job.error = error
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _do_chore(self) -> bool:
        try:
            return self._chore()
        except Exception:  # noqa: BLE001 - whatever a chore meets, callers must go on being served
            _LOG.exception("a chore of the state in %s failed; it is tried again", self._path.parent)
            return False
