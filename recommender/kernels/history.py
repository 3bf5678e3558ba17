"""Histories: merging two that are sorted by time, and what they say of single items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows, Times


@njit(nogil=True, cache=True)
def merge_histories(
    old_rows: Rows,
    old_types: npt.NDArray[np.uint8],
    old_times: Times,
    new_rows: Rows,
    new_types: npt.NDArray[np.uint8],
    new_times: Times,
) -> tuple[Rows, npt.NDArray[np.uint8], Times]:
    """Both in order of time, without the new events that the old history already has; at equal times the old first.

    Args:
        old_rows: int32 [n_old], with `old_types` uint8 and `old_times` int64, ascending in time.
        new_rows: int32 [n_new], with `new_types` and `new_times`, likewise.

    Returns:
        Rows, types and times, [n], n between n_old and n_old + n_new.

    Cost: 7 us for 500 and 500 events.
    """
    n_old, n_new = len(old_rows), len(new_rows)
    rows = np.empty(n_old + n_new, np.int32)
    types = np.empty(n_old + n_new, np.uint8)
    times = np.empty(n_old + n_new, np.int64)
    n, old, group = 0, 0, 0
    for new in range(n_new):
        while old < n_old and old_times[old] <= new_times[new]:
            rows[n], types[n], times[n] = old_rows[old], old_types[old], old_times[old]
            n, old = n + 1, old + 1
        while group < old and old_times[group] < new_times[new]:
            group += 1
        known = False
        for at in range(group, old):
            known = known or (old_rows[at] == new_rows[new] and old_types[at] == new_types[new])
        if not known:
            rows[n], types[n], times[n] = new_rows[new], new_types[new], new_times[new]
            n += 1
    while old < n_old:
        rows[n], types[n], times[n] = old_rows[old], old_types[old], old_times[old]
        n, old = n + 1, old + 1
    return rows[:n], types[:n], times[:n]


@njit(nogil=True, cache=True)
def deeds_of(rows: Rows, history_rows: Rows, history_types: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """uint64 [n]: bit t is set where the history holds an event of type t on the row.

    Args:
        rows: int32 [n].
        history_rows: int32 [n_events].
        history_types: uint8 [n_events]; types from 63 on share bit 63.

    Cost: n times n_events comparisons; 5 us for 20 rows and 500 events.
    """
    deeds = np.zeros(len(rows), np.uint64)
    for at in range(len(rows)):
        for event in range(len(history_rows)):
            if history_rows[event] == rows[at]:
                deeds[at] |= np.uint64(1) << np.uint64(min(history_types[event], 63))
    return deeds
