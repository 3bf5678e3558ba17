"""Ranking by what a showing is worth: the chance of a target event times the value of one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from recommender.feed.stages import Ranker
from recommender.types import Candidates, FeedQuery, Rows, Scores


class ExpectedValueRanker:
    """Scores are probability x value; where the probability is unknown, the ranker's own.

    Whom nothing was calibrated for, such as people with short histories, are ranked by relevance, as ever.

    Args:
        ranker: Tells the probabilities.
        values: Of rows int32 [n] float64 [n], what a target event on each is worth; no NaN.
    """

    def __init__(self, ranker: Ranker, values: Callable[[Rows], npt.NDArray[np.float64]]) -> None:
        self.name = ranker.name
        self._ranker = ranker
        self._values = values

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], finite; of equal products the larger score of the ranker stays in front."""
        scores = self._ranker.score(query, candidates)
        probabilities = self._ranker.probabilities(query, candidates, scores)
        if np.isnan(probabilities).any():
            return scores
        expected = (probabilities * self._values(candidates.rows)).astype(np.float32)
        return parted(expected, scores)

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1], those of the ranker's own scores; NaN where unknown."""
        del scores
        return self._ranker.probabilities(query, candidates, self._ranker.score(query, candidates))

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """Names and values of what the ranker has seen."""
        return self._ranker.inputs(query, candidates)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources], those of the ranker."""
        return self._ranker.contributions(query, candidates)


def parted(values: Scores, by: Scores) -> Scores:
    """The values, those that are equal parted by the smallest steps that float32 has, in the order of `by`.

    Where both are equal the values stay equal.

    Args:
        values: float32 [n], finite.
        by: float32 [n], higher is better.

    Example:
        >>> parted(np.array([2, 1, 1], np.float32), np.array([0, 7, 5], np.float32)).argsort().tolist()
        [2, 1, 0]
    """
    order = np.lexsort((by, values))
    ordered, key = (values[order] + np.float32(0.0)).view(np.int32).astype(np.int64), by[order]
    # Bits of floats are ordered as the floats are, but for the sign.
    ordered = np.where(ordered < 0, -(ordered + 2**31), ordered)
    steps = np.cumsum(np.append(False, (ordered[1:] != ordered[:-1]) | (key[1:] != key[:-1])))
    risen = np.maximum.accumulate(ordered - steps) + steps
    bits = np.where(risen < 0, -risen - 2**31, risen).astype(np.int32)
    result = np.empty_like(values)
    result[order] = bits.view(np.float32)
    return result
