"""Strings as two arrays, and an index from id to row over sorted hashes: both map from disk, neither builds a dict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from recommender.types import Rows


class StringColumn(Sequence[str]):
    """Strings end to end: `data` uint8 [n_bytes] and `offsets` int64 [n + 1]."""

    def __init__(self, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> None:
        self.data = data
        self.offsets = offsets

    @classmethod
    def of(cls, strings: Iterable[str]) -> StringColumn:
        """A column of the given strings, as UTF-8."""
        return cls.of_bytes([text.encode() for text in strings])

    @classmethod
    def of_bytes(cls, parts: Sequence[bytes]) -> StringColumn:
        """A column of the given byte strings."""
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(np.frombuffer(b"".join(parts), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:  # type: ignore[override]  # rows only: a slice is never asked for
        return self.raw(row).decode()

    def __iter__(self) -> Iterator[str]:
        whole, bounds = self.data.tobytes(), self.offsets.tolist()
        for start, stop in pairwise(bounds):
            yield whole[start:stop].decode()

    def raw(self, row: int) -> bytes:
        """The UTF-8 bytes of one string."""
        if row < 0 or row >= len(self):
            raise IndexError(row)
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()


def hash_id(text: str) -> int:
    """64 bits of BLAKE2b over the UTF-8 id: the same on every machine and in every run."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class IdIndex:
    """From id to row by binary search over sorted 64-bit hashes; equal hashes are told apart by the ids themselves.

    Args:
        ids: The ids by row.
        hashes: uint64 [n], ascending.
        rows: int32 [n], the row of each hash.
    """

    def __init__(self, ids: StringColumn, hashes: npt.NDArray[np.uint64], rows: Rows) -> None:
        self.ids = ids
        self.hashes = hashes
        self.rows = rows

    @classmethod
    def of(cls, ids: StringColumn) -> IdIndex:
        """The index of a column of unique ids."""
        hashes = np.fromiter((hash_id(text) for text in ids), np.uint64, len(ids))
        order = np.argsort(hashes, kind="stable")
        return cls(ids, hashes[order], order.astype(np.int32))

    def row(self, text: str) -> int:
        """The row of an id, -1 where unknown."""
        wanted = np.uint64(hash_id(text))
        place = int(np.searchsorted(self.hashes, wanted))
        raw = text.encode()
        while place < len(self.hashes) and self.hashes[place] == wanted:
            row = int(self.rows[place])
            if self.ids.raw(row) == raw:
                return row
            place += 1
        return -1

    def rows_of(self, texts: Iterable[str]) -> Rows:
        """int32 [n], -1 where unknown."""
        return np.fromiter((self.row(text) for text in texts), np.int32)
