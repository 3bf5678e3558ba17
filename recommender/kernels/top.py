"""The best k of many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.kernels.hashing import mix
from recommender.types import Rows, Scores


@njit(nogil=True, cache=True)
def best_rows(rows: Rows, scores: Scores, tie_ranks: Rows, k: int) -> npt.NDArray[np.intp]:
    """Indices of the k largest scores, best first; equal scores go by the smaller tie rank of their rows.

    Args:
        rows: int32 [n], unique.
        scores: float32 [n], never NaN.
        tie_ranks: int32 [n_items], a rank that is no accident of row numbers, such as popularity's.
        k: How many at most.

    Cost: O(n + m log m), m the scores at or above the k-th largest; 14 us for 200 of 2,000.
    """
    n = len(rows)
    if k <= 0:
        kept = np.arange(0)
    elif n > k:
        border = np.partition(scores, n - k)[n - k]
        kept = np.flatnonzero(scores >= border)
    else:
        kept = np.arange(n)
    by_tie = kept[np.argsort(tie_ranks[rows[kept]])]
    order = np.argsort(-scores[by_tie], kind="mergesort")
    return by_tie[order][:k]


@njit(nogil=True, cache=True)
def best_of_each(rows: Rows, scores: Scores) -> npt.NDArray[np.intp]:
    """Indices of one occurrence of each row: that of its largest score, the earliest where several are equal.

    Args:
        rows: int32 [n], repeats allowed.
        scores: float32 [n], never NaN.

    Returns:
        intp [m], m distinct rows in the order of their first appearance.

    Cost: O(n); 7 us for 2,000 rows.
    """
    n_slots = 16
    while n_slots < 2 * len(rows):
        n_slots *= 2
    slots = np.full(n_slots, -1, np.intp)
    kept = np.empty(len(rows), np.intp)
    n_kept = 0
    for at in range(len(rows)):
        slot = np.intp(mix(np.uint64(rows[at])) & np.uint64(n_slots - 1))
        while slots[slot] >= 0 and rows[kept[slots[slot]]] != rows[at]:
            slot = (slot + 1) & (n_slots - 1)
        place = slots[slot]
        if place < 0:
            slots[slot] = n_kept
            kept[n_kept] = at
            n_kept += 1
        elif scores[at] > scores[kept[place]]:
            kept[place] = at
    return kept[:n_kept]


@njit(nogil=True, cache=True)
def take_touched(touched: Rows, n_touched: int, sums: Scores) -> tuple[Rows, Scores]:
    """Copy the touched rows and their sums out of scratch arrays, and set the sums back to zero.

    Args:
        touched: int32 [n_items], of which the first `n_touched` count.
        n_touched: As `sum_lists` returned it.
        sums: float32 [n_items]; zero at every touched row on return.

    Returns:
        rows int32 [n_touched], scores float32 [n_touched].
    """
    rows = touched[:n_touched].copy()
    scores = np.empty(n_touched, np.float32)
    for place in range(n_touched):
        scores[place] = sums[rows[place]]
        sums[rows[place]] = 0.0
    return rows, scores
