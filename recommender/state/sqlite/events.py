"""The durable log of events, and the histories read from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import numpy as np

from recommender.state.protocols import LoggedEvent, Numbers, Outcome, StoredHistory
from recommender.state.sqlite.appending import Appending
from recommender.state.sqlite.committer import Committer
from recommender.state.sqlite.erased import is_erased
from recommender.state.sqlite.readers import Readers
from recommender.state.sqlite.rows import EVENT_PAGE, USER_PAGE, event_row, logged_event
from recommender.state.sqlite.schema import SESSION, USER
from recommender.state.sqlite.versions import HIDE
from recommender.types import NO_TIME, UNKNOWN_EVENT_TYPE

_PAGE_ROWS: Final = 1_000
#: Events that one transaction removes, so that no append waits long for it.
REMOVAL_ROWS: Final = 2_000

_HISTORY: Final = """
    SELECT time_ms, item, type FROM events INDEXED BY history
    WHERE actor = (SELECT number FROM actors WHERE kind = ? AND name = ?)
    ORDER BY time_ms DESC, sequence DESC LIMIT ?
"""
_HIDDEN: Final = f"""
    SELECT DISTINCT item FROM events INDEXED BY hides
    WHERE type = {HIDE} AND actor = (SELECT number FROM actors WHERE kind = ? AND name = ?)
"""
_SESSIONS: Final = """
    SELECT DISTINCT sessions.name FROM events
    JOIN actors AS users ON users.number = events.actor
    JOIN actors AS sessions ON sessions.number = coalesce(events.session, events.sender)
    WHERE users.kind = ? AND users.name = ? AND sessions.kind = ?
"""
_OF_USER: Final = "actor = (SELECT number FROM actors WHERE kind = ? AND name = ?)"
_ORPHAN: Final = """
    DELETE FROM actors WHERE number = ?1
    AND NOT EXISTS (SELECT 1 FROM events WHERE actor = ?1)
    AND NOT EXISTS (SELECT 1 FROM events WHERE sender = ?1)
    AND NOT EXISTS (SELECT 1 FROM events WHERE session = ?1)
"""


class SqliteEventLog:
    """The event log in one SQLite file.

    Args:
        committer: The thread that writes.
        readers: The connections that read.
        retention_ms: How long an event is kept after it arrived.
    """

    def __init__(self, committer: Committer, readers: Readers, retention_ms: int) -> None:
        self._committer = committer
        self._readers = readers
        self._retention_ms = retention_ms

    def append(self, events: Sequence[LoggedEvent]) -> list[Outcome]:
        """Append and return once the events are durable; see `EventLog`."""
        if not events:
            return []
        rows = [event_row(event) for event in events]
        return self._committer.submit(lambda connection: Appending(connection).append(rows), len(rows))

    def history(self, user_id: str, session_id: str, limit: int) -> StoredHistory:
        """The newest `limit` events of the user or anonymous session, oldest first."""
        kind, name = (USER, user_id) if user_id else (SESSION, session_id)
        rows = self._readers.fetch(_HISTORY, (kind, name, max(int(limit), 0))) if name else []
        columns = np.fromiter(chain.from_iterable(rows), np.int64, 3 * len(rows)).reshape(-1, 3)[::-1].T
        return StoredHistory(
            item_numbers=np.ascontiguousarray(columns[1]),
            event_types=np.minimum(columns[2], UNKNOWN_EVENT_TYPE).astype(np.uint8),
            times_ms=np.ascontiguousarray(columns[0]),
        )

    def hidden(self, user_id: str, session_id: str) -> Numbers:
        """The items that the user or anonymous session hid, ascending; see `EventLog`."""
        kind, name = (USER, user_id) if user_id else (SESSION, session_id)
        rows = self._readers.fetch(_HIDDEN, (kind, name)) if name else []
        return np.fromiter(chain.from_iterable(rows), np.int64, len(rows))

    def events(self, since_ms: int | None = None) -> Iterator[LoggedEvent]:
        """All events that stood in the log at the first step, by sequence; read in pages, so writers never wait."""
        since_ms = NO_TIME if since_ms is None else since_ms
        first, last = self._readers.fetch(
            "SELECT (SELECT min(sequence) FROM events WHERE arrival_ms >= ?), (SELECT max(sequence) FROM events)",
            (since_ms,),
        )[0]
        after = first - 1 if first is not None else last
        while rows := self._readers.fetch(EVENT_PAGE, (after, last, since_ms, _PAGE_ROWS)):
            yield from map(logged_event, rows)
            after = rows[-1][0]

    def of_user(self, user_id: str) -> Iterator[LoggedEvent]:
        """The user's events, those that a tie gave included, by sequence."""
        after = 0
        while rows := self._readers.fetch(USER_PAGE, (USER, user_id, after, _PAGE_ROWS)):
            yield from map(logged_event, rows)
            after = rows[-1][0]

    def is_erased(self, user_id: str) -> bool:
        """Whether the user was removed; see `EventLog`."""
        return is_erased(self._readers.fetch, user_id)

    def expire(self, now_ms: int) -> int:
        """Remove up to `REMOVAL_ROWS` events that arrived longer ago than the retention; how many there were."""
        before_ms = now_ms - self._retention_ms
        if not self._readers.fetch("SELECT 1 FROM events WHERE arrival_ms < ? LIMIT 1", (before_ms,)):
            return 0
        return self._remove("arrival_ms < ?", before_ms)

    def sessions_of(self, user_id: str) -> list[str]:
        """The sessions that events of the user name."""
        return [name for (name,) in self._readers.fetch(_SESSIONS, (USER, user_id, SESSION))]

    def remove_user(self, user_id: str) -> int:
        """Remove every event of the user, those that a tie gave included; how many there were."""
        total = 0
        while removed := self._remove(_OF_USER, USER, user_id):
            total += removed
        return total

    def _remove(self, condition: str, *parameters: int | str) -> int:
        def work(connection: sqlite3.Connection) -> int:
            doomed = connection.execute(
                f"SELECT sequence, actor, sender, session FROM events WHERE {condition} LIMIT {REMOVAL_ROWS}",
                parameters,
            ).fetchall()
            connection.executemany("DELETE FROM events WHERE sequence = ?", [(row[0],) for row in doomed])
            actors = {actor for row in doomed for actor in row[1:] if actor is not None}
            connection.executemany(_ORPHAN, [(actor,) for actor in actors])
            return len(doomed)

        return self._committer.submit(work, REMOVAL_ROWS)
