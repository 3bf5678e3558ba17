"""Weighing a history: its distinct items, each with the decayed weights of its events summed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.kernels.hashing import mix
from recommender.types import DAY_MS, NO_TIME, Rows, Scores, Times


@njit(nogil=True, cache=True)
def decayed_weights(
    rows: Rows,
    types: npt.NDArray[np.uint8],
    times_ms: Times,
    type_weights: Scores,
    now_ms: int,
    half_life_days: float,
    half_life_items: float,
    limit: int,
) -> tuple[Rows, Scores]:
    """The distinct rows of a history with their summed weights, the newest first.

    An event weighs its type's weight, times 2^(-age / half_life_days), times 2^(-d / half_life_items), where d counts
    the distinct rows newer than its own row's newest event. An event without time does not decay, one of the future
    has age 0.

    Args:
        rows: int32 [n], oldest event first.
        types: uint8 [n].
        times_ms: int64 [n]; `NO_TIME` where unknown.
        type_weights: float32 [256]; events of a type that weighs 0 or less are left out.
        now_ms: The moment to look back from.
        half_life_days: 0 for no decay by age.
        half_life_items: 0 for no decay by newer rows.
        limit: Distinct rows kept at most, the newest ones.

    Returns:
        rows int32 [m], unique; weights float32 [m].

    Cost: O(n); 13 us for 1,000 events on 1,000 rows.
    """
    capacity = max(min(len(rows), limit), 0)
    found_rows, weights = np.empty(capacity, np.int32), np.zeros(capacity, np.float32)
    # Open addressing: each slot holds a place in `found_rows`, or -1.
    n_slots = 16
    while n_slots < 2 * capacity:
        n_slots *= 2
    slots = np.full(n_slots, -1, np.int32)
    n_found = 0
    for event in range(len(rows) - 1, -1, -1):
        weight = float(type_weights[types[event]])
        if weight <= 0.0:
            continue
        slot = np.int64(mix(np.uint64(rows[event])) & np.uint64(n_slots - 1))
        while slots[slot] >= 0 and found_rows[slots[slot]] != rows[event]:
            slot = (slot + 1) & (n_slots - 1)
        if slots[slot] < 0:
            if n_found == capacity:
                continue
            slots[slot] = n_found
            found_rows[n_found] = rows[event]
            n_found += 1
        place = slots[slot]
        if times_ms[event] != NO_TIME:
            if half_life_days > 0.0:
                weight *= 2.0 ** (-(max(now_ms - times_ms[event], 0) / DAY_MS) / half_life_days)
            if half_life_items > 0.0:
                weight *= 2.0 ** (-place / half_life_items)
        weights[place] += weight
    return found_rows[:n_found], weights[:n_found]
