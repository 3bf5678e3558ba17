"""Building neighbour lists from sequences, and summing them over a history."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from recommender.types import Rows, Scores, Times


@njit(nogil=True, cache=True)
def _pair_weights_of_actor(
    first: int,
    last: int,
    occurrences: npt.NDArray[np.int64],
    start: int,
    stop: int,
    items: Rows,
    times_ms: Times,
    weights: Scores,
    window: int,
    backward: float,
    gap_power: float,
    sums: npt.NDArray[np.float64],
    touched: Rows,
) -> int:
    """Sum pair weights of one item's occurrences in one actor's sequence [start, stop) into `sums`.

    Returns:
        How many items were touched; `touched` begins with them.
    """
    n_touched = 0
    for k in range(first, last):
        place = occurrences[k]
        own = items[place]
        for direction in range(2):
            step = 1 if direction == 0 else -1
            other = place + step
            gap = 1
            while start <= other < stop and gap <= window:
                together = times_ms[other] == times_ms[place]
                factor = 1.0 if direction == 0 or together else backward
                item = items[other]
                if item != own and factor > 0.0:
                    value = factor * weights[other] * (1.0 if together else float(gap) ** -gap_power)
                    if value > 0.0:
                        # Only positive values are added, so a sum is 0 exactly where nothing was.
                        if sums[item] == 0.0:
                            touched[n_touched] = item
                            n_touched += 1
                        sums[item] += value
                other += step
                gap += 1
    return n_touched


@njit(nogil=True, cache=True, parallel=True)
def cooccurrence_lists(
    offsets: npt.NDArray[np.int64],
    actors: Rows,
    items: Rows,
    times_ms: Times,
    weights: Scores,
    occurrences: npt.NDArray[np.int64],
    item_offsets: npt.NDArray[np.int64],
    norms_from: Scores,
    norms_to: Scores,
    window: int,
    backward: float,
    gap_power: float,
    saturation: float,
    k: int,
    n_parts: int,
) -> tuple[Rows, Scores]:
    """Directed co-occurrence: for each item the k items that follow it most, normalised.

    For an item i and an actor a, u[j] = sum over pairs (i at p, j at q) within `window` places of w_q * gap^-gap_power,
    times `backward` where q stands before p; events of one moment count fully both ways. Each actor's voice saturates:
    u / (u + saturation). The list's score is the sum over actors, times norms_from[i] * norms_to[j].

    Args:
        offsets: int64 [n_actors + 1].
        actors: int32 [n], with `items` int32, `times_ms` int64 and `weights` float32 >= 0, by actor and time.
        occurrences: int64 [n], places in `items`, by (item, place).
        item_offsets: int64 [n_items + 1] into `occurrences`.
        norms_from: float32 [n_items], of the item whose list it is.
        norms_to: float32 [n_items], of the items in the lists.
        window: Places.
        backward: In [0, 1].
        gap_power: 0 for no decay by distance.
        saturation: >= 0; 0 lets every actor count 1.
        k: Length of the lists.
        n_parts: Parts that may run at once, at least 1; each needs scratch of 24 bytes per item. The result does not
            depend on it.

    Returns:
        rows int32 [n_items, k] padded with -1, and scores float32 [n_items, k], best first. Ties go by row, which
        is no accident: training numbers items by falling number of events.

    Cost: O(n * window) time.
    """
    n_items = len(item_offsets) - 1
    rows = np.full((n_items, k), -1, np.int32)
    scores = np.zeros((n_items, k), np.float32)
    for part in prange(n_parts):
        own = np.zeros(n_items, np.float64)
        total = np.zeros(n_items, np.float64)
        touched_own = np.empty(n_items, np.int32)
        touched = np.empty(n_items, np.int32)
        for item in range(part, n_items, n_parts):
            n_touched = 0
            first = item_offsets[item]
            while first < item_offsets[item + 1]:
                actor = actors[occurrences[first]]
                last = first + 1
                while last < item_offsets[item + 1] and actors[occurrences[last]] == actor:
                    last += 1
                n_own = _pair_weights_of_actor(
                    first, last, occurrences, offsets[actor], offsets[actor + 1],
                    items, times_ms, weights, window, backward, gap_power, own, touched_own,
                )  # fmt: skip
                for t in range(n_own):
                    other = touched_own[t]
                    voice = own[other] / (own[other] + saturation)
                    own[other] = 0.0
                    if voice > 0.0:
                        if total[other] == 0.0:
                            touched[n_touched] = other
                            n_touched += 1
                        total[other] += voice
                first = last
            candidates = np.sort(touched[:n_touched])
            values = np.empty(n_touched, np.float64)
            for t in range(n_touched):
                other = candidates[t]
                values[t] = -total[other] * norms_from[item] * norms_to[other]
                total[other] = 0.0
            best = np.argsort(values, kind="mergesort")[:k]
            for t in range(len(best)):
                rows[item, t] = candidates[best[t]]
                scores[item, t] = -values[best[t]]
    return rows, scores


@njit(nogil=True, cache=True)
def sum_lists(
    history_rows: Rows,
    history_weights: Scores,
    rows: Rows,
    scores: Scores,
    sums: Scores,
    best: Scores,
    evidence: Rows,
    touched: Rows,
) -> int:
    """Add the weighted neighbour lists of a history into scratch arrays.

    Args:
        history_rows: int32 [h], unique.
        history_weights: float32 [h].
        rows: int32 [n_items, k], neighbour lists padded with -1.
        scores: float32 [n_items, k]; what weighs 0 or less is passed over.
        sums: float32 [n_items], all zero on entry; the sums on return.
        best: float32 [n_items]; the largest single addend of each touched row.
        evidence: int32 [n_items]; the history row that gave it.
        touched: int32 [n_items]; the touched rows, in the order of their first touch. `take_touched` reads them and
            leaves `sums` as it was found.

    Returns:
        How many rows were touched.
    """
    n_touched = 0
    for h in range(len(history_rows)):
        item = history_rows[h]
        for t in range(rows.shape[1]):
            row = rows[item, t]
            if row < 0:
                break
            value = history_weights[h] * scores[item, t]
            # Only positive values are added, so a sum is 0 exactly where nothing was; NaN is passed over too.
            if not value > 0.0:
                continue
            if sums[row] == 0.0:
                touched[n_touched] = row
                n_touched += 1
                best[row] = 0.0
            sums[row] += value
            if value > best[row]:
                best[row] = value
                evidence[row] = item
    return n_touched
