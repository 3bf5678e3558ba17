"""The plain order: the best score first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.types import Candidates, FeedQuery, Rows, Scores


class ScoreOrder:
    """Orders by score; equal scores by popularity, so that neither ids nor row numbers decide.

    Args:
        popularity_order: int32 [n_items], all rows, the most popular first.
    """

    name = "score_order"

    def __init__(self, popularity_order: Rows) -> None:
        self._n_items = len(popularity_order)
        # The last place is that of all new items, whose rows lie behind; of them the newest goes first.
        self._places = np.full(self._n_items + 1, self._n_items, np.int32)
        self._places[popularity_order] = np.arange(self._n_items, dtype=np.int32)

    def order(
        self, query: FeedQuery, candidates: Candidates, scores: Scores, k: int
    ) -> tuple[npt.NDArray[np.intp], Scores]:
        """Indices of the k best, and their propensities: 1, since nothing is drawn."""
        rows = candidates.rows
        best = np.lexsort((-rows, self._places[np.minimum(rows, self._n_items)], -scores))[:k]
        return best, np.ones(len(best), np.float32)
