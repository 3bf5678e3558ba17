"""The memory that workers count in and the supervisor reads: a row for each worker's seat.

A row belongs to a seat, not to a process: who replaces a dead worker goes on in its row, so no number ever falls.
Nothing is locked between processes: a row has one writer, and a word is read before or after it was written.
"""

from __future__ import annotations

import hashlib
from multiprocessing.context import BaseContext
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.service.measures import ROW_WORDS

#: Users and sessions whose next feed is waited for, at most; two of the same slot displace each other.
_MARKS: Final = 1 << 16
_TIME_BITS: Final = 42
_TIME_MASK: Final = (1 << _TIME_BITS) - 1

Words = npt.NDArray[np.float64]


class CounterBoard:
    """Made by the supervisor, handed to each worker as it starts.

    Args:
        context: What the workers are started by; it knows how to hand memory over.
        seats: How many workers there are.
    """

    def __init__(self, context: BaseContext, seats: int) -> None:
        self.seats = seats
        self._counters = context.RawArray("d", seats * ROW_WORDS)
        self._marks = context.RawArray("q", _MARKS)

    def row(self, seat: int) -> Words:
        """float64 [ROW_WORDS], what the workers of one seat counted, to be read and written."""
        row: Words = self._rows()[seat]
        return row

    def total(self) -> Words:
        """float64 [ROW_WORDS], the sums over all seats at this moment."""
        summed: Words = self._rows().sum(axis=0)
        return summed

    def marks(self) -> EventMarks:
        """The marks that all workers share."""
        return EventMarks(np.frombuffer(self._marks, np.int64))

    def _rows(self) -> Words:
        return np.frombuffer(self._counters, np.float64).reshape(self.seats, ROW_WORDS)


class EventMarks:
    """For each user or session of late: when the first event arrived that no feed has reflected yet.

    One word each, holding a piece of the name's hash and the time, in a table without chains: a mark that is displaced
    costs one measurement.

    Args:
        slots: int64 [n], n a power of two; shared by all workers.
    """

    def __init__(self, slots: npt.NDArray[np.int64]) -> None:
        self._slots = slots

    def set(self, owner: str, arrival_ms: int) -> None:
        """Note an event that is stored; an earlier one of the same owner that waits for a feed stays."""
        slot, piece = self._place(owner)
        if int(self._slots[slot]) >> _TIME_BITS != piece:
            self._slots[slot] = piece << _TIME_BITS | arrival_ms & _TIME_MASK

    def find(self, owner: str) -> int:
        """The mark of an owner, to be read before the history is: whatever it marks, that history holds; 0 for none."""
        slot, piece = self._place(owner)
        mark = int(self._slots[slot])
        return mark if mark >> _TIME_BITS == piece else 0

    def clear(self, owner: str, mark: int) -> int:
        """Take a mark away once a feed was answered; the time it held, 0 where another feed was first."""
        slot, _ = self._place(owner)
        if int(self._slots[slot]) != mark:
            return 0
        self._slots[slot] = 0
        return mark & _TIME_MASK

    def _place(self, owner: str) -> tuple[int, int]:
        """Slot and piece of hash, the piece never 0: 37 bits in all tell two owners apart."""
        mixed = int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=8).digest(), "little")
        return mixed % len(self._slots), (mixed >> 32) % ((1 << 21) - 1) + 1
