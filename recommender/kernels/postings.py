"""Scoring what shares a code with a history, found through lists of the rows that have each code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows, Scores


@njit(nogil=True, cache=True)
def score_postings(
    codes: Rows,
    gains: Scores,
    items: Rows,
    codes_of: Rows,
    common: Scores,
    offsets: npt.NDArray[np.int64],
    rows: Rows,
    floor: float,
    most: int,
    sums: Scores,
    evidence: Rows,
    touched: Rows,
) -> int:
    """The geometric mean over all fields of how much more a history has of a row's codes than the log has.

    exp(mean over fields f of log((share[f] + floor) / (common[f] + floor))); a field that is unknown counts as 0.

    Args:
        codes: int32 [c], unique, those of the history, the greatest gain first.
        gains: float32 [c], log((share + floor) / floor) of each.
        items: int32 [c], a history row that has the code.
        codes_of: int32 [n_items, n_fields], -1 unknown; no code is in two fields.
        common: float32 [n_codes], each code's share of the log.
        offsets: int64 [n_codes + 1] into `rows`.
        rows: int32, the rows that may be found, by code.
        floor: Share that nobody is below.
        most: No further code's rows are looked at once so many were found.
        sums: float32 [n_items], all zero on entry; the scores on return, each above 0.
        evidence: int32 [n_items]; the item of the code that gained most.
        touched: int32 [n_items]; begins with the rows found. `take_touched` reads them and clears `sums`.

    Returns:
        How many rows were found.
    """
    n_found = 0
    gain_of = np.zeros(len(common), np.float32)
    for c in range(len(codes)):
        code = codes[c]
        gain_of[code] = gains[c]
        if n_found >= most:
            continue
        for k in range(offsets[code], offsets[code + 1]):
            row = rows[k]
            if sums[row] == 0.0:
                sums[row] = 1.0
                evidence[row] = items[c]
                touched[n_found] = row
                n_found += 1
    n_fields = codes_of.shape[1]
    for t in range(n_found):
        row = touched[t]
        total = 0.0
        for f in range(n_fields):
            code = codes_of[row, f]
            if code >= 0:
                total += gain_of[code] + np.log(floor / (common[code] + floor))
        sums[row] = np.exp(total / n_fields)
    return n_found
