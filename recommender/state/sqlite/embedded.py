"""The embedded state: one folder, shared by all worker processes of one host.

events.db      event log, actors and item numbers (SQLite, WAL)
writer.lock    orders the committers of all processes
open.lock      held by all who have the state open
catalog.db     live items and takedowns (SQLite, WAL), with catalog.lock
snapshots/     append-only segments
served/        append-only files
numbers/       one array of item numbers per bundle
signing.key    keys of tokens and receipts, mode 0600
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from recommender.config import StateSettings
from recommender.errors import ConfigurationError, StateError
from recommender.state.protocols import ErasedHashes, Removed, UserRecords
from recommender.state.sqlite.committer import Committer
from recommender.state.sqlite.erased import all_erased
from recommender.state.sqlite.events import REMOVAL_ROWS, SqliteEventLog
from recommender.state.sqlite.failures import from_os
from recommender.state.sqlite.live_items import CATALOG, CATALOG_FILE, SqliteLiveItems
from recommender.state.sqlite.locks import OPEN_LOCK, held_together, locked
from recommender.state.sqlite.numbers import SqliteItemNumbers
from recommender.state.sqlite.people import People, Stores
from recommender.state.sqlite.readers import Readers
from recommender.state.sqlite.schema import EVENT_FILE, check_header, connect_writer
from recommender.state.sqlite.segments import SegmentLimits, SegmentStore
from recommender.state.sqlite.served import ServedFiles
from recommender.state.sqlite.signing import KEY_FILE, load_keys
from recommender.state.sqlite.versions import SCHEMA_VERSION
from recommender.types import DAY_MS

#: An event_id must be remembered for at least so long.
MIN_RETENTION_DAYS: Final = 30


class SqliteState:
    """The embedded implementation of `State`; opened once per process, after any fork.

    Args:
        path: The folder of the state; it exists.
        settings: Durability and retention.
        clock: The time in ms since the epoch, UTC.
        worker: Name of this process in file names.
        limits: How large snapshots may grow.
    """

    def __init__(
        self, path: Path, settings: StateSettings, clock: Callable[[], int], worker: str, limits: SegmentLimits
    ) -> None:
        self._path = path
        self._clock = clock
        database, lock = path / EVENT_FILE, path / "writer.lock"
        check_header(database)  # before anything is made beside a file that is not ours
        check_header(path / CATALOG_FILE, CATALOG)
        with contextlib.ExitStack() as opened:
            opened.enter_context(held_together(path / OPEN_LOCK))
            with locked(lock):
                connection = connect_writer(database, settings.durability)
            opened.callback(connection.close)
            self._committer = Committer(connection, database, lock, self._do_chores)
            opened.callback(self._committer.close)
            self._readers = Readers(database)
            opened.callback(self._readers.close)
            self.events = SqliteEventLog(self._committer, self._readers, _ms(settings.retention))
            self.numbers = SqliteItemNumbers(self._committer, self._readers, path / "numbers")
            self.live_items = SqliteLiveItems(path, settings.durability)
            opened.callback(self.live_items.close)
            self.snapshots = SegmentStore(path / "snapshots", clock, limits)
            opened.callback(self.snapshots.close)
            syncs = settings.durability == "disk"
            self.served = ServedFiles(path / "served", clock, worker, _ms(settings.served_retention), syncs=syncs)
            opened.callback(self.served.close)
            stores = Stores(self.events, self.snapshots, self.served)
            self._people = People(stores, self._committer, database, lock, clock)
            self._opened = opened.pop_all()

    @property
    def transactions(self) -> int:
        """Transactions that this process committed: with many callers at once fewer than calls."""
        return self._committer.transactions

    def signing_keys(self) -> tuple[bytes, ...]:
        """Keys of tokens and receipts from `signing.key`, 32 bytes each; the first made at first use, mode 0600."""
        return load_keys(self._path / KEY_FILE)

    def data_version(self) -> int:
        """A number that changes whenever this or another process committed events or item numbers."""
        return self._readers.data_version()

    def check(self) -> None:
        """Look through event file and live items, which takes about a second per GB.

        Raises:
            StateError: It is damaged.
        """
        problems = [row[0] for row in self._readers.fetch("PRAGMA quick_check(3)")]
        if problems != ["ok"]:
            raise StateError(
                f"{self._path / 'events.db'} is damaged ({'; '.join(problems)}); restore it from a copy, "
                "or move it away to start empty"
            )
        self.live_items.check()

    def find_user(self, user_id: str) -> UserRecords:
        """All that is held of a user, in every store; what a process served within the last quarter second may lack."""
        return self._people.find(user_id)

    def remove_user(self, user_id: str) -> Removed:
        """Remove all that is held of a user, in every store, and remember a keyed hash of the id; takes a second."""
        return self._people.remove(user_id)

    def erased(self) -> ErasedHashes:
        """All users who were removed."""
        return all_erased(self._readers.fetch)

    def remember_erased(self, erased: ErasedHashes) -> None:
        """Take over the memory of removed users from another life of this state; one with another salt says nothing."""
        self._people.remember(erased)

    def close(self) -> None:
        """Flush and release; safe to call twice."""
        self._opened.close()

    def _do_chores(self) -> bool:
        self.snapshots.sweep()
        return self.events.expire(self._clock()) == REMOVAL_ROWS


def open_state(
    path: Path,
    settings: StateSettings,
    *,
    clock: Callable[[], int],
    worker: str = "worker",
    limits: SegmentLimits | None = None,
) -> SqliteState:
    """Open the state in a folder, making it where there is none.

    Args:
        path: The folder.
        settings: Durability and retention.
        clock: The time in ms since the epoch, UTC.
        worker: Name of this process in file names, for people's eyes; it need not be unique.
        limits: How large snapshots may grow.

    Raises:
        StateError: The folder is a file or cannot be written, or its state is foreign, damaged or of another version.
        ConfigurationError: The retention is shorter than event ids must be remembered.
    """
    if settings.retention < MIN_RETENTION_DAYS * DAY_MS / 1_000:
        raise ConfigurationError(
            f"state.retention is {settings.retention:.0f} s, wanted at least {MIN_RETENTION_DAYS}d: "
            "an event sent again within that time must be known"
        )
    try:
        _make_folder(path)
        limits = limits or SegmentLimits(total_bytes=settings.snapshot_bytes)
        return SqliteState(path, settings, clock, worker, limits)
    except OSError as error:
        raise from_os(error, path) from error


def kept(path: Path) -> AbstractContextManager[None]:
    """A block in which nobody puts another state into the folder of this one, also while no process has it open.

    Raises:
        StateError: Somebody is about to.
    """
    return held_together(path / OPEN_LOCK)


def pending_upgrade(path: Path) -> str:
    """What opening the state in a folder would change first, in words; empty where nothing.

    Raises:
        StateError: It is foreign or of another version.
    """
    version = check_header(path / EVENT_FILE)
    return f"schema version {version} becomes {SCHEMA_VERSION}" if 0 < version < SCHEMA_VERSION else ""


def _make_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise StateError(f"{path} is a file, wanted a folder for the state; name another")
    if not path.exists():
        path.mkdir(parents=True, mode=0o700, exist_ok=True)
        # Durable events in a folder that a power cut undoes would be lost all the same.
        parent = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
