"""The best k items of dense scores, with ties drawn by lot: neither order nor outcome hangs on an item's number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import Rows
from training.evaluation.pairs import Codes

AnyScores = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def top_k_of_scores(
    scores: AnyScores, users: Rows, hidden: tuple[Codes, Rows], candidates: Rows, k: int, seed: int
) -> Rows:
    """The k best candidates of each user that are not hidden.

    A tie is broken by a draw from (seed, user, item), anew for every user, so items that tie share the positions
    fairly, and batches of any size give the same lists.

    Args:
        scores: float [n, n_items], or [1, n_items] for the same scores to every user; NaN and -inf are never shown.
        users: int32 [n], codes for the draws.
        hidden: Offsets int64 [n + 1] from 0 and items int32, as `Cases.hidden` gives them.
        candidates: int32, items that may be ranked, such as `Cases.candidate_items`.
        k: Length of the lists.
        seed: At least 0.

    Returns:
        int32 [n, k], best first, -1 where a user's candidates ran out.

    Cost:
        One pass over the candidates per user, about 1 ns each; nothing is copied.
    """
    if scores.ndim != 2 or scores.shape[0] not in {1, len(users)}:
        raise ValueError(f"scores of shape {scores.shape} for {len(users)} users; give a row per user or one for all")
    out = np.full((len(users), k), -1, np.int32)
    if k:
        _fill(scores, users, *hidden, candidates, np.uint64(seed), out)
    return out


@njit(nogil=True, cache=True)
def _fill(
    scores: AnyScores, users: Rows, offsets: Codes, hidden: Rows, candidates: Rows, seed: np.uint64, out: Rows
) -> None:
    blocked = np.zeros(scores.shape[1], np.bool_)
    best = np.empty(out.shape[1], scores.dtype)
    draws = np.empty(out.shape[1], np.uint64)
    for row in range(len(out)):
        mine = hidden[offsets[row] : offsets[row + 1]]
        for item in mine:
            blocked[item] = True
        stream = _mix(seed * np.uint64(0xD1B54A32D192ED03) + np.uint64(users[row]))
        _fill_row(scores[min(row, scores.shape[0] - 1)], blocked, candidates, stream, best, draws, out[row])
        for item in mine:
            blocked[item] = False


@njit(nogil=True, cache=True)
def _fill_row(
    scores: AnyScores,
    blocked: npt.NDArray[np.bool_],
    candidates: Rows,
    stream: np.uint64,
    best: AnyScores,
    draws: npt.NDArray[np.uint64],
    out: Rows,
) -> None:
    """Insert each item that beats the last of the k best so far: few do, once the first have been seen."""
    k = len(out)
    size = 0
    last = scores.dtype.type(-np.inf)
    for item in candidates:
        score = scores[item]
        # Nearly every item ends at the first comparison; NaN passes it and ends at the second.
        if score < last or not score > -np.inf or blocked[item]:
            continue
        draw = _mix(stream + np.uint64(item) * np.uint64(0x9E3779B97F4A7C15))
        if size == k and score == last and draw <= draws[k - 1]:
            continue
        size = min(size + 1, k)
        slot = size - 1
        while slot > 0 and (best[slot - 1] < score or (best[slot - 1] == score and draws[slot - 1] < draw)):
            best[slot], draws[slot], out[slot] = best[slot - 1], draws[slot - 1], out[slot - 1]
            slot -= 1
        best[slot], draws[slot], out[slot] = score, draw, item
        if size == k:
            last = best[k - 1]


@njit(nogil=True, cache=True, inline="always")
def _mix(state: np.uint64) -> np.uint64:
    """The output function of SplitMix64 (Steele, Lea, Flood, 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
