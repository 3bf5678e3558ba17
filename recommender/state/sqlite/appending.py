"""What one call of `append` does inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from recommender.state.protocols import Outcome
from recommender.state.sqlite.erased import is_erased
from recommender.state.sqlite.numbers import assign_number
from recommender.state.sqlite.rows import EventRow
from recommender.state.sqlite.schema import SESSION, USER, type_number

_STORED: Final = "SELECT digest, time_ms, arrival_ms FROM events WHERE sender = ? AND event_id = ?"
_INSERT: Final = """
    INSERT INTO events (actor, sender, session, item, type, time_ms, arrival_ms, event_id, digest, content, attribution)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# An event that is still its session's own is anonymous and has no user yet.
_TIE: Final = "UPDATE events SET actor = ? WHERE actor = ?"
_TIED_TO: Final = """
    SELECT actor FROM events WHERE session = ? AND time_ms >= ? ORDER BY time_ms, sequence LIMIT 1
"""


class Appending:
    """Appends events through one connection, inside a transaction that its caller began.

    Args:
        connection: The writing connection.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._actors: dict[tuple[int, str], int] = {}
        self._items: dict[str, int] = {}
        self._types: dict[str, int] = {}

    def append(self, rows: Sequence[EventRow]) -> list[Outcome]:
        """What became of each event, in order."""
        return [self._append_one(row) for row in rows]

    def _append_one(self, row: EventRow) -> Outcome:
        key = (USER, row.user_id) if row.user_id else (SESSION, row.session_id)
        sender = self._find_actor(key)
        if sender is not None:
            stored = self._connection.execute(_STORED, (sender, row.event_id)).fetchone()
            if stored is not None:
                return _compare(row, *stored)
        elif row.user_id and is_erased(self._fetch, row.user_id):
            return Outcome.ERASED
        else:
            sender = self._new_actor(key)
        if row.user_id and row.session_id:
            session = self._actor((SESSION, row.session_id))
            self._insert(row, sender, sender, session)
            self._connection.execute(_TIE, (sender, session))
        else:
            self._insert(row, sender if row.user_id else self._owner(sender, row), sender, None)
        return Outcome.ACCEPTED

    def _insert(self, row: EventRow, actor: int, sender: int, session: int | None) -> None:
        item = self._items.get(row.item_id)
        if item is None:
            item = self._items[row.item_id] = assign_number(self._connection, row.item_id)
        kind = self._types.get(row.event_type)
        if kind is None:
            kind = self._types[row.event_type] = type_number(self._connection, row.event_type)
        self._connection.execute(
            _INSERT,
            (
                actor, sender, session, item, kind, row.time_ms, row.arrival_ms, row.event_id, row.digest,
                row.content, row.attribution,
            ),
        )  # fmt: skip

    def _owner(self, session: int, row: EventRow) -> int:
        """The user whose tie a late anonymous event lies before in time, else the session itself."""
        found = self._connection.execute(_TIED_TO, (session, row.time_ms)).fetchone()
        return session if found is None else int(found[0])

    def _fetch(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    def _actor(self, key: tuple[int, str]) -> int:
        number = self._find_actor(key)
        return self._new_actor(key) if number is None else number

    def _find_actor(self, key: tuple[int, str]) -> int | None:
        number = self._actors.get(key)
        if number is None:
            found = self._connection.execute("SELECT number FROM actors WHERE kind = ? AND name = ?", key).fetchone()
            if found is None:
                return None
            number = self._actors[key] = int(found[0])
        return number

    def _new_actor(self, key: tuple[int, str]) -> int:
        cursor = self._connection.execute("INSERT INTO actors (kind, name) VALUES (?, ?)", key)
        number = self._actors[key] = int(cursor.lastrowid or 0)
        return number


def _compare(row: EventRow, digest: bytes, time_ms: int, arrival_ms: int) -> Outcome:
    # A client that sends no time gets that of each arrival, so a repeat has another time and the same content.
    same_time = row.time_ms == time_ms or (row.time_ms == row.arrival_ms and time_ms == arrival_ms)
    return Outcome.DUPLICATE if same_time and row.digest == digest else Outcome.REUSED
