"""Permanent numbers of items: given once, kept for ever, mapped by each worker for a whole bundle."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from recommender.errors import StateError
from recommender.state.protocols import Numbers
from recommender.state.sqlite.committer import Committer
from recommender.state.sqlite.readers import Readers

_FIND: Final = "SELECT number FROM items WHERE item_id = ?"
_CHUNK: Final = 4_000
_SPOT_CHECKS: Final = 64
#: Bundles whose numbers stay on disk: the live one, those that a rollback may want, and one being rolled out.
_KEPT_BUNDLES: Final = 8


def assign_number(connection: sqlite3.Connection, item_id: str) -> int:
    """The number of an item, a new one if it has none; inside a transaction that the caller began."""
    found = connection.execute(_FIND, (item_id,)).fetchone()
    if found is None:
        return int(connection.execute("INSERT INTO items (item_id) VALUES (?)", (item_id,)).lastrowid or 0)
    return int(found[0])


class SqliteItemNumbers:
    """Item numbers in the event file, and beside it one array per bundle.

    Args:
        committer: The thread that writes.
        readers: The connections that read.
        folder: Where the arrays of bundles are kept; made here.
    """

    def __init__(self, committer: Committer, readers: Readers, folder: Path) -> None:
        self._committer = committer
        self._readers = readers
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def numbers(self, item_ids: Sequence[str]) -> Numbers:
        """int64 [n], new ids get new numbers; durable before it returns."""
        with self._readers.snapshot() as connection:
            find = connection.cursor()
            found = [find.execute(_FIND, (item_id,)).fetchone() for item_id in item_ids]
        missing = [item_id for item_id, row in zip(item_ids, found, strict=True) if row is None]
        given: dict[str, int] = {}
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            given.update(self._committer.submit(partial(_assign, chunk), len(chunk)))
        return np.fromiter(
            (given[item_id] if row is None else row[0] for item_id, row in zip(item_ids, found, strict=True)),
            np.int64,
            len(item_ids),
        )

    def item_ids(self, numbers: Numbers) -> list[str]:
        """The ids of known numbers, in order.

        Raises:
            KeyError: A number was never given.
        """
        wanted = numbers.tolist()
        with self._readers.snapshot() as connection:
            find = connection.cursor()
            found = [find.execute("SELECT item_id FROM items WHERE number = ?", (n,)).fetchone() for n in wanted]
        unknown = [number for number, row in zip(wanted, found, strict=True) if row is None]
        if unknown:
            raise KeyError(f"item numbers {unknown[:5]} were never given by this state; take them from numbers()")
        return [row[0] for row in found]

    def bundle_numbers(self, fingerprint: str, item_ids: Sequence[str]) -> Numbers:
        """The numbers of a bundle's items by row, computed once and mapped by every worker.

        Args:
            fingerprint: Names these ids in this order, such as the hash of their file.
            item_ids: [n_items], by row.

        Returns:
            int64 [n_items], read-only, mapped from a file beside the state.

        Cost: for a million items 2 s at the first call, 7 s where all of them are new, a few ms afterwards.
        """
        kept = self._load(fingerprint, item_ids)
        if kept is None:
            kept = self.numbers(item_ids)
            # A full disk costs the time to find them again, and no more.
            with contextlib.suppress(OSError, StateError):
                kept = self._keep(fingerprint, kept)
            kept.flags.writeable = False
        return kept

    def _load(self, fingerprint: str, item_ids: Sequence[str]) -> Numbers | None:
        """The kept array if it is whole and belongs to these ids, which a few of them vouch for.

        The event file says which array is its own: one that a folder restored from a copy no longer knows, or that
        came from another state, may give numbers that are other items' by now.
        """
        files = self._readers.fetch("SELECT file FROM bundles WHERE fingerprint = ?", (fingerprint,))
        try:
            kept = _map(self._folder / files[0][0]) if files else None
        except (OSError, ValueError):
            return None
        if kept is None or kept.shape != (len(item_ids),) or kept.dtype != np.int64:
            return None
        rows = np.unique(np.linspace(0, len(item_ids) - 1, min(_SPOT_CHECKS, len(item_ids))).astype(np.intp))
        try:
            known = self.item_ids(kept[rows])
        except KeyError:
            return None
        return kept if known == [item_ids[row] for row in rows] else None

    def _keep(self, fingerprint: str, numbers: Numbers) -> Numbers:
        """The same numbers, mapped from a new file that the event file knows."""
        path = self._folder / f"{secrets.token_hex(8)}.npy"
        try:
            with path.open("xb") as file:
                np.save(file, numbers)
                file.flush()
                os.fsync(file.fileno())
            self._committer.submit(partial(_record, fingerprint, path.name))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._prune()
        return _map(path)

    def _prune(self) -> None:
        """Remove the arrays that the event file no longer knows."""
        with self._readers.snapshot() as connection:
            files = set(self._folder.glob("*.npy"))
            known = {file for (file,) in connection.execute("SELECT file FROM bundles")}
        for path in files:
            if path.name not in known:
                path.unlink(missing_ok=True)


def _assign(item_ids: Sequence[str], connection: sqlite3.Connection) -> dict[str, int]:
    return {item_id: assign_number(connection, item_id) for item_id in item_ids}


def _record(fingerprint: str, file: str, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM bundles WHERE fingerprint = ?", (fingerprint,))
    connection.execute("INSERT INTO bundles (fingerprint, file) VALUES (?, ?)", (fingerprint, file))
    connection.execute(
        "DELETE FROM bundles WHERE number NOT IN (SELECT number FROM bundles ORDER BY number DESC LIMIT ?)",
        (_KEPT_BUNDLES,),
    )


def _map(path: Path) -> Numbers:
    return np.asarray(np.load(path, mmap_mode="r"))
