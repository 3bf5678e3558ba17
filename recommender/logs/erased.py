"""Users who asked to be forgotten: known by keyed hashes, so that the list itself names nobody."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.errors import InputError
from recommender.logs.columns import Field, FieldKind
from recommender.logs.reading import open_table
from recommender.types import Mask

HASH_BYTES: Final = 16
MAX_SALT_BYTES: Final = hashlib.blake2b.MAX_KEY_SIZE

_FIELDS: Final = (
    Field("user_hash", FieldKind.TEXT, required=True),
    Field("salt", FieldKind.TEXT, required=True),
)


def erased_hash(user_id: str, salt: bytes) -> str:
    """BLAKE2b of 16 bytes over the id's UTF-8, keyed with the salt, as hex.

    Args:
        salt: 1 to 64 bytes.

    Example:
        >>> erased_hash("u1", b"salt")
        '...'
    """
    return hashlib.blake2b(user_id.encode(), digest_size=HASH_BYTES, key=salt).hexdigest()


@dataclass(frozen=True, slots=True)
class ErasedUsers:
    """Hashes of erased users, by the salt that each export chose.

    Args:
        hashes: {salt: hashes as hex}.
    """

    hashes: Mapping[bytes, frozenset[str]]

    def __len__(self) -> int:
        return sum(map(len, self.hashes.values()))

    def mask(self, user_ids: Sequence[str]) -> Mask:
        """bool [n]: True where the user was erased.

        Cost: about 1 us for each user and salt.
        """
        erased = np.zeros(len(user_ids), np.bool_)
        for salt, hashes in self.hashes.items():
            erased |= np.fromiter((erased_hash(user, salt) in hashes for user in user_ids), np.bool_, len(user_ids))
        return erased


def read_erased(path: str | os.PathLike[str], *, memory: str = "512MB", threads: int = 2) -> ErasedUsers:
    """Read the erased users: files, folder or glob with the columns `user_hash` and `salt`, both hex.

    Raises:
        InputError: A file cannot be read, or any row cannot be used: a user who was to be forgotten would be kept.
    """
    with open_table(path, "erased", _FIELDS, keep_attributes=False, memory=memory, threads=threads) as (engine, scan):
        rows = engine.rows(f"SELECT DISTINCT user_hash, salt, _problem FROM ({scan.sql}) ORDER BY ALL")
        if scan.n_refused:
            raise InputError(f"{scan.log}: {scan.n_refused:,} lines cannot be read; write it anew")
    hashes: dict[bytes, set[str]] = {}
    for user_hash, salt, _ in rows:
        key, value = _bytes_of(salt), _bytes_of(user_hash)
        if len(value) != HASH_BYTES or not 1 <= len(key) <= MAX_SALT_BYTES:
            raise InputError(
                f"{scan.log}: a row has user_hash {str(user_hash)[:80]!r} and salt {str(salt)[:80]!r}, wanted "
                f"{2 * HASH_BYTES} and 2 to {2 * MAX_SALT_BYTES} hex digits; write it anew with export-events"
            )
        hashes.setdefault(key, set()).add(value.hex())
    return ErasedUsers({salt: frozenset(values) for salt, values in hashes.items()})


def _bytes_of(text: str | None) -> bytes:
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""
