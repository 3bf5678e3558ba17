"""The best k of many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows, Scores


@njit(nogil=True, cache=True)
def best_rows(rows: Rows, scores: Scores, tie_ranks: Rows, k: int) -> npt.NDArray[np.intp]:
    """Indices of the k largest scores, best first; equal scores go by the smaller tie rank of their rows.

    Args:
        rows: int32 [n], unique.
        scores: float32 [n].
        tie_ranks: int32 [n_items], a rank that is no accident of row numbers, such as popularity's.
        k: How many at most.

    Cost: O(n + m log m), m the scores at or above the k-th largest.
    """
    n = len(rows)
    if n > k:
        border = np.partition(scores, n - k)[n - k]
        kept = np.flatnonzero(scores >= border)
    else:
        kept = np.arange(n)
    by_tie = kept[np.argsort(tie_ranks[rows[kept]])]
    order = np.argsort(-scores[by_tie], kind="mergesort")
    return by_tie[order][:k]


@njit(nogil=True, cache=True)
def take_touched(touched: Rows, n_touched: int, sums: Scores) -> tuple[Rows, Scores]:
    """Copy the touched rows and their sums out of scratch arrays, and set the sums back to zero."""
    rows = touched[:n_touched].copy()
    scores = np.empty(n_touched, np.float32)
    for place in range(n_touched):
        scores[place] = sums[rows[place]]
        sums[rows[place]] = 0.0
    return rows, scores
