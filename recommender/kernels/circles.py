"""Adding up what other people turned to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.kernels.recency import decayed_weights
from recommender.types import Rows, Scores, Times


@njit(nogil=True, cache=True)
def sum_histories(
    users: Rows,
    user_weights: Scores,
    offsets: npt.NDArray[np.int64],
    rows: Rows,
    types: npt.NDArray[np.uint8],
    times_ms: Times,
    type_weights: Scores,
    now_ms: int,
    half_life_days: float,
    half_life_items: float,
    limit: int,
    sums: Scores,
    touched: Rows,
) -> int:
    """Add the histories of a few users into a scratch array, each over the root of its volume.

    An item that a user u weighs w adds weight_u * v / sqrt(sum of u's v), v = log(1 + w): who buys the same thing every
    day, or a bit of everything, is not louder for it, and who has long been silent is quieter.

    Args:
        users: int32 [m], places in `offsets`.
        user_weights: float32 [m] > 0.
        offsets: int64 [n_users + 1], where each user's events begin, oldest first.
        rows, types, times_ms: int32, uint8, int64 [n], the events of all users.
        type_weights: float32 [256] by event type code.
        now_ms: The moment to look back from.
        half_life_days, half_life_items: As in `decayed_weights`.
        limit: Newest events of each user that are read.
        sums: float32 [n_items], all zero on entry; the sums on return.
        touched: int32 [n_items]; the touched rows. `take_touched` reads them and leaves `sums` as it was found.

    Returns:
        How many rows were touched.

    Cost: O(m * limit).
    """
    n_touched = 0
    for place in range(len(users)):
        stop = offsets[users[place] + 1]
        start = max(offsets[users[place]], stop - limit)
        own_rows, own = decayed_weights(
            rows[start:stop], types[start:stop], times_ms[start:stop],
            type_weights, now_ms, half_life_days, half_life_items, limit,
        )  # fmt: skip
        voices = np.log1p(own)
        volume = voices.sum()
        if not volume > 0.0:
            continue
        scale = user_weights[place] / np.sqrt(volume)
        for t in range(len(own_rows)):
            value = scale * voices[t]
            # Only positive values are added, so a sum is 0 exactly where nothing was.
            if value > 0.0:
                if sums[own_rows[t]] == 0.0:
                    touched[n_touched] = own_rows[t]
                    n_touched += 1
                sums[own_rows[t]] += value
    return n_touched
