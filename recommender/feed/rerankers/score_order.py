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
        self._places = np.empty(len(popularity_order), np.int32)
        self._places[popularity_order] = np.arange(len(popularity_order), dtype=np.int32)

    def order(
        self, query: FeedQuery, candidates: Candidates, scores: Scores, k: int
    ) -> tuple[npt.NDArray[np.intp], Scores]:
        """Indices of the k best, and their propensities: 1, since nothing is drawn."""
        best = np.lexsort((self._places[candidates.rows], -scores))[:k]
        return best, np.ones(len(best), np.float32)
