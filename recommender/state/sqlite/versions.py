"""The schema of the event file, version by version: a new file goes the way of an old one, so they end alike.

    1   actors  number, kind, name          a user or a session; gone with its last event
        items   number, item_id             permanent numbers, never removed
        bundles number, fingerprint, file   arrays of item numbers that stand beside this file
        types   number, name                codes of `EVENT_TYPES`; further types from 256 on
        events  sequence, actor, sender, session, item, type, time_ms, arrival_ms, event_id, digest, content,
                attribution
    2   hides   the hidden items of each actor, an index of events
        erased  user_hash, erased_ms        users who were removed, by a hash keyed with the secret `erased_salt`
        secrets name, value                 random bytes that belong to this state

`actor` is whose history the event belongs to: the user, or the session of an anonymous event until a tie gives the
event to the user. `sender` is who sent it, for ever: the scope of `event_id`. `session` is set only where an event
carries both ids; such events are the ties.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from recommender.types import EVENT_TYPE_CODE, EVENT_TYPES

APPLICATION_ID: Final = 0x57534850  # "WSHP", kept in the header of the file
HIDE: Final = EVENT_TYPE_CODE["hide"]
SALT_BYTES: Final = 16

_FIRST: Final = (
    f"PRAGMA application_id = {APPLICATION_ID}",
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
    f"INSERT INTO types VALUES {', '.join(f'({code}, {name!r})' for code, name in enumerate(EVENT_TYPES))}",
)
_SECOND: Final = (
    f"CREATE INDEX hides ON events (actor, item) WHERE type = {HIDE}",
    "CREATE TABLE erased (user_hash BLOB PRIMARY KEY, erased_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    f"INSERT INTO secrets VALUES ('erased_salt', randomblob({SALT_BYTES}))",
)
#: What leads to each version from the one before, the first from an empty file. Once released, a step never changes.
STEPS: Final = (_FIRST, _SECOND)
SCHEMA_VERSION: Final = len(STEPS)


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file of the state is: its mark, and the steps that lead to each of its versions."""

    application_id: int
    steps: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        """The present one."""
        return len(self.steps)


EVENTS: Final = Schema(APPLICATION_ID, STEPS)


def bring_up(connection: sqlite3.Connection, version: int, schema: Schema = EVENTS) -> None:
    """Lead the file from a version (0: empty) to the present one; all of it in one transaction, or nothing.

    Args:
        connection: In autocommit mode.
        version: Of the file now.
        schema: What it is.
    """
    connection.execute("BEGIN IMMEDIATE")
    for step in schema.steps[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {schema.version}")
    connection.execute("COMMIT")
