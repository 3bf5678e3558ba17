"""The ranker's inputs: the one definition that training fits on and serving scores with."""

from __future__ import annotations

import numpy as np

from recommender.kernels.ranking import fill_ranker_inputs
from recommender.types import Candidates, Scores

#: Columns of each source, in order.
SOURCE_INPUTS = ("score", "share", "rank", "present")
#: Columns of the item itself, behind those of all sources.
ITEM_INPUTS = ("popularity",)


def input_names(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the input columns, such as `als.share`."""
    return tuple(f"{source}.{name}" for source in sources for name in SOURCE_INPUTS) + ITEM_INPUTS


def ranker_inputs(candidates: Candidates, popularity: Scores) -> Scores:
    """Inputs of every candidate, one row each, as `input_names` names the columns.

    For each source: `score` log(score), a score below 1e-6 counting as that; `share` score over the largest among the
    candidates, 0 where that is not positive; `rank` -log(1 + rank); `present` 1 or 0. The first three are NaN
    where the source did not retrieve the row, never 0. For the item: `popularity` log(1 + 10,000 * popularity).

    Args:
        candidates: n candidates of n_sources.
        popularity: float32 [n_items] in [0, 1], decayed popularity over its maximum.

    Returns:
        float32 [n, 4 * n_sources + 1].
    """
    n_inputs = len(candidates.sources) * len(SOURCE_INPUTS) + len(ITEM_INPUTS)
    out = np.empty((len(candidates), n_inputs), np.float32)
    fill_ranker_inputs(candidates.rows, candidates.source_scores, candidates.source_ranks, popularity, out)
    return out
