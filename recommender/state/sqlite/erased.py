"""Which users were removed: the event file knows them by keyed hashes, so that the list itself names nobody."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

from recommender.state.protocols import ErasedHashes

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_HASH_BYTES: Final = 16


def keyed_hash(user_id: str, salt: bytes) -> bytes:
    """BLAKE2b of 16 bytes over the id's UTF-8, keyed with the salt: as the files of erased users have it."""
    return hashlib.blake2b(user_id.encode(), digest_size=_HASH_BYTES, key=salt).digest()


def is_erased(fetch: Fetch, user_id: str) -> bool:
    """Whether a user was removed; one look where nobody ever was."""
    if not fetch("SELECT 1 FROM erased LIMIT 1", ()):
        return False
    return bool(fetch("SELECT 1 FROM erased WHERE user_hash = ?", (keyed_hash(user_id, _salt(fetch)),)))


def all_erased(fetch: Fetch) -> ErasedHashes:
    """Every removed user."""
    hashes = tuple(user_hash for (user_hash,) in fetch("SELECT user_hash FROM erased ORDER BY user_hash", ()))
    return ErasedHashes(_salt(fetch), hashes)


def remember(connection: sqlite3.Connection, user_id: str, now_ms: int) -> None:
    """Note that a user was removed, inside a transaction that the caller began."""
    row = (keyed_hash(user_id, salt_of(connection)), now_ms)
    connection.execute("INSERT OR IGNORE INTO erased VALUES (?, ?)", row)


def salt_of(connection: sqlite3.Connection) -> bytes:
    """The salt that all hashes of this state are made with."""
    return _salt(lambda sql, parameters: connection.execute(sql, parameters).fetchall())


def _salt(fetch: Fetch) -> bytes:
    return bytes(fetch("SELECT value FROM secrets WHERE name = 'erased_salt'", ())[0][0])
