"""Live items and rulings in a file of their own, so that no reader of it and no event waits for the other.

    records  sequence, kind, name, time_ms, content    the present record of each item, and the ruling that holds
    rulings  sequence, kind, name, time_ms, content    every ruling that there ever was

`kind` is 0 for an item, else that of `Target`; `content` is JSON. A record that is replaced gets a new sequence, so
what changed since a moment is what stands behind a sequence.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from recommender.errors import StateError
from recommender.state.live_items import Change, LiveItem, Ruling, Target
from recommender.state.sqlite.committer import Committer
from recommender.state.sqlite.failures import from_os
from recommender.state.sqlite.locks import locked
from recommender.state.sqlite.readers import Readers
from recommender.state.sqlite.schema import connect_writer
from recommender.state.sqlite.versions import Schema
from recommender.types import Item, Kind

CATALOG_FILE: Final = "catalog.db"
CATALOG_LOCK: Final = "catalog.lock"
_FIRST: Final = (
    "PRAGMA application_id = 1465075523",  # "WSHC"
    # AUTOINCREMENT: the sequence of a replaced record is never given again.
    """CREATE TABLE records (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        name TEXT NOT NULL,
        time_ms INTEGER NOT NULL,
        content TEXT NOT NULL,
        UNIQUE (kind, name)
    )""",
    """CREATE TABLE rulings (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        name TEXT NOT NULL,
        time_ms INTEGER NOT NULL,
        content TEXT NOT NULL
    )""",
)
CATALOG: Final = Schema(1465075523, (_FIRST,))

_ITEM: Final = 0
#: A page that waits longer for a foreign lock than this had better say that it knows nothing.
_READ_TIMEOUT_MS: Final = 200
_PAGE_ROWS: Final = 1_000
_KEEP: Final = "INSERT OR REPLACE INTO records (kind, name, time_ms, content) VALUES (?, ?, ?, ?)"
_NOTE: Final = "INSERT INTO rulings (kind, name, time_ms, content) VALUES (?, ?, ?, ?)"
_ONE: Final = "SELECT kind, name, time_ms, content FROM records WHERE kind = ? AND name = ?"
_AFTER: Final = "SELECT sequence, kind, name, time_ms, content FROM records WHERE sequence > ? ORDER BY sequence"
_RULINGS: Final = """
    SELECT sequence, kind, name, time_ms, content FROM rulings WHERE sequence > ? ORDER BY sequence LIMIT ?
"""
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_Row = tuple[int, str, int, str]


class SqliteLiveItems:
    """The embedded implementation of `LiveItems`.

    Args:
        folder: Of the state; the file is made where it is missing.
        durability: `disk` (fsync at every commit) or `process`.

    Raises:
        StateError: The file is foreign, damaged or of another version.
    """

    def __init__(self, folder: Path, durability: str) -> None:
        self._path = folder / CATALOG_FILE
        lock = folder / CATALOG_LOCK
        with contextlib.ExitStack() as opened:
            with locked(lock):
                connection = connect_writer(self._path, durability, CATALOG)
            opened.callback(connection.close)
            self._committer = Committer(connection, self._path, lock, lambda: False)
            opened.callback(self._committer.close)
            self._readers = Readers(self._path, _READ_TIMEOUT_MS)
            opened.callback(self._readers.close)
            self._identity = _identity(self._path)
            self._opened = opened.pop_all()

    def upsert(self, items: Sequence[LiveItem]) -> None:
        """Keep each item in place of what was kept of it, the last of those with one id; durable when it returns."""
        self._write([(_KEEP, _item_row(live)) for live in items])

    def rule(self, rulings: Sequence[Ruling]) -> None:
        """Keep rulings; durable when it returns."""
        rows = [_ruling_row(ruling) for ruling in rulings]
        self._write([(statement, row) for row in rows for statement in (_KEEP, _NOTE)])

    def version(self) -> int:
        """A number that changes whenever any process kept something; 6 us.

        Raises:
            StateError: The file cannot be read, or another one lies in its place.
        """
        if _identity(self._path) != self._identity:
            raise StateError(f"{self._path} was replaced while it was open; put it back, or start the server again")
        return self._readers.data_version()

    def changes(self, after: int = 0) -> Iterator[Change]:
        """The present records that were kept after a sequence, ascending, all of one moment."""
        with self._readers.snapshot() as connection:
            for sequence, *row in connection.execute(_AFTER, (after,)):
                yield Change(sequence, self._record(row))

    def item(self, item_id: str) -> LiveItem | None:
        """What is kept of an item, None where nothing is."""
        record = self._one(_ITEM, item_id)
        return record if isinstance(record, LiveItem) else None

    def ruling(self, target: Target, name: str) -> Ruling | None:
        """The ruling that holds, None where there never was one."""
        record = self._one(target, name)
        return record if isinstance(record, Ruling) else None

    def rulings(self) -> Iterator[Ruling]:
        """All rulings ever, oldest first; read in pages, so writers never wait."""
        after = 0
        while rows := self._readers.fetch(_RULINGS, (after, _PAGE_ROWS)):
            for sequence, *row in rows:
                record, after = self._record(row), sequence
                if isinstance(record, Ruling):
                    yield record

    def check(self) -> None:
        """Look through the whole file.

        Raises:
            StateError: It is damaged.
        """
        problems = [row[0] for row in self._readers.fetch("PRAGMA quick_check(3)")]
        if problems != ["ok"]:
            raise self._damaged("; ".join(problems))
        for _ in self.changes():
            pass

    def close(self) -> None:
        """Flush and release; safe to call twice."""
        self._opened.close()

    def _write(self, statements: Sequence[tuple[str, _Row]]) -> None:
        if not statements:
            return

        def work(connection: sqlite3.Connection) -> None:
            for statement, row in statements:
                connection.execute(statement, row)

        self._committer.submit(work, len(statements))

    def _one(self, kind: int, name: str) -> LiveItem | Ruling | None:
        rows = self._readers.fetch(_ONE, (kind, name))
        return self._record(rows[0]) if rows else None

    def _record(self, row: Sequence[Any]) -> LiveItem | Ruling:
        try:
            return _record(row)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise self._damaged(f"the record of {row[1]!r} cannot be read") from error

    def _damaged(self, problem: str) -> StateError:
        return StateError(f"{self._path} is damaged ({problem}); restore it from a copy")


def _identity(path: Path) -> tuple[int, int]:
    """Names the file itself: one that is put in its place has another."""
    try:
        found = os.stat(path)  # noqa: PTH116  # a third of the time of Path.stat, at every page
    except OSError as error:
        raise from_os(error, path) from error
    return found.st_dev, found.st_ino


def _item_row(live: LiveItem) -> _Row:
    item = live.item
    values = {
        "kind": int(item.kind),
        "title": item.title,
        "description": item.description,
        "category": item.category,
        "brand": item.brand,
        "seller_id": item.seller_id,
        "price": item.price,
        "currency": item.currency,
        "image_url": item.image_url,
        "created_ms": item.created_ms,
        "expires_ms": item.expires_ms,
        "available": item.available,
        "attributes": dict(item.attributes),
    }
    kept = {name: value for name, value in values.items() if value not in ("", None, {})}
    return _ITEM, item.item_id, int(live.upserted_ms), _encode(kept)


def _ruling_row(ruling: Ruling) -> _Row:
    content = {"taken_down": ruling.taken_down, "reason": ruling.reason, "author": ruling.author}
    return int(ruling.target), ruling.name, int(ruling.time_ms), _encode(content)


def _record(row: Iterable[Any]) -> LiveItem | Ruling:
    kind, name, time_ms, content = row
    values: dict[str, Any] = json.loads(content)
    if kind == _ITEM:
        return LiveItem(Item(item_id=name, **{**values, "kind": Kind(values["kind"])}), time_ms)
    return Ruling(Target(kind), name, bool(values["taken_down"]), time_ms, values["reason"], values["author"])
