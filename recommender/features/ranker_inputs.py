"""The ranker's inputs: the one definition that training fits on and serving scores with."""

from __future__ import annotations

import numpy as np
from numba import njit

from recommender.types import Candidates, Rows, Scores

#: Columns of each source, in order.
SOURCE_INPUTS = ("score", "share", "rank", "present")
#: Columns of the item itself, behind those of all sources.
ITEM_INPUTS = ("popularity",)


def input_names(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the input columns, such as `als.share`."""
    return tuple(f"{source}.{name}" for source in sources for name in SOURCE_INPUTS) + ITEM_INPUTS


@njit(nogil=True, cache=True)
def _fill(rows: Rows, scores: Scores, ranks: Rows, popularity: Scores, out: Scores) -> None:
    n, n_sources = scores.shape
    for source in range(n_sources):
        largest = np.float32(0.0)
        for place in range(n):
            if ranks[place, source] >= 0 and scores[place, source] > largest:
                largest = scores[place, source]
        column = source * 4
        for place in range(n):
            if ranks[place, source] < 0:
                out[place, column] = np.nan
                out[place, column + 1] = np.nan
                out[place, column + 2] = np.nan
                out[place, column + 3] = 0.0
            else:
                score = scores[place, source]
                out[place, column] = np.log1p(max(score, np.float32(0.0)))
                out[place, column + 1] = score / largest if largest > 0.0 else np.float32(0.0)
                out[place, column + 2] = 1.0 / np.log2(ranks[place, source] + 2.0)
                out[place, column + 3] = 1.0
    for place in range(n):
        out[place, n_sources * 4] = np.log1p(popularity[rows[place]] * 1e4)


def ranker_inputs(candidates: Candidates, popularity: Scores) -> Scores:
    """Inputs of every candidate, one row each, as `input_names` names the columns.

    For each source: `score` log(1 + score); `share` score over the user's largest; `rank` 1 / log2(rank + 2);
    `present` 1 or 0. The first three are NaN where the source did not retrieve the row, never 0. For the item:
    `popularity` log(1 + 10,000 times its share of the most popular one).

    Args:
        candidates: n candidates of n_sources.
        popularity: float32 [n_items] in [0, 1], decayed popularity over its maximum.

    Returns:
        float32 [n, 4 * n_sources + 1].
    """
    out = np.empty((len(candidates), 4 * len(candidates.sources) + 1), np.float32)
    _fill(candidates.rows, candidates.source_scores, candidates.source_ranks, popularity, out)
    return out
