"""What is held of one user in every store, its removal, and the memory that it was removed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.state.protocols import ErasedHashes, Removed, UserRecords
from recommender.state.sqlite.committer import Committer
from recommender.state.sqlite.erased import remember, salt_of
from recommender.state.sqlite.events import SqliteEventLog
from recommender.state.sqlite.failures import from_sqlite
from recommender.state.sqlite.locks import locked
from recommender.state.sqlite.segments import SegmentStore
from recommender.state.sqlite.served import FLUSH_SECONDS, ServedFiles

#: How long another process may still write of the user what it had begun before the removal.
_SETTLE_SECONDS: Final = 2 * FLUSH_SECONDS
#: Writers wait for as long as readers keep the journal, so not for long.
_SCRUB_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that can hold something of a user."""

    events: SqliteEventLog
    snapshots: SegmentStore
    served: ServedFiles


class People:
    """Finds and removes users across the stores of one state.

    Args:
        stores: All of them.
        committer: The thread that writes to the event file.
        database: The event file.
        lock: The file whose lock orders its writers.
        clock: The time in ms.
    """

    def __init__(
        self, stores: Stores, committer: Committer, database: Path, lock: Path, clock: Callable[[], int]
    ) -> None:
        self._stores = stores
        self._committer = committer
        self._database = database
        self._lock = lock
        self._clock = clock

    def find(self, user_id: str) -> UserRecords:
        """All that is held of a user; see `State`."""
        stores = self._stores
        sessions = stores.events.sessions_of(user_id)
        owners = [user_id, *sessions]
        return UserRecords(
            events=tuple(stores.events.of_user(user_id)),
            sessions=tuple(sessions),
            snapshots=tuple(stores.snapshots.owned(owners)),
            served=tuple(stores.served.owned(owners)),
            erased=stores.events.is_erased(user_id),
        )

    def remove(self, user_id: str) -> Removed:
        """Remove all that is held of a user and remember the hash; see `State`."""
        stores = self._stores
        sessions = stores.events.sessions_of(user_id)
        owners = [user_id, *sessions]
        now_ms = self._clock()
        # The memory first: from here on no process takes an event of the user, so what is removed stays removed.
        self._committer.submit(lambda connection: remember(connection, user_id, now_ms))
        events = stores.events.remove_user(user_id)
        snapshots, served = stores.snapshots.remove_owned(owners), stores.served.remove_owned(owners)
        time.sleep(_SETTLE_SECONDS)
        snapshots += stores.snapshots.remove_owned(owners)
        served += stores.served.remove_owned(owners)
        return Removed(events, len(sessions), snapshots, served, self._scrub())

    def remember(self, erased: ErasedHashes) -> None:
        """Add hashes made with the salt of this state; others are passed over."""
        rows = [(user_hash, self._clock()) for user_hash in erased.hashes]

        def work(connection: sqlite3.Connection) -> None:
            if erased.salt == salt_of(connection):
                connection.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", rows)

        self._committer.submit(work, len(rows))

    def _scrub(self) -> bool:
        """Empty the write-ahead log, which holds pages as they were; False where a reader keeps it for longer."""
        with locked(self._lock):
            connection = sqlite3.connect(self._database, timeout=_SCRUB_SECONDS, isolation_level=None)
            try:
                return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
            except sqlite3.Error as error:
                raise from_sqlite(error, self._database) from error
            finally:
                connection.close()
