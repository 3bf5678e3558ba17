"""Merging two histories that are sorted by time."""

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
