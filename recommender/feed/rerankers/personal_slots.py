"""The score order, in which some slots go to what suits this person more than it usually suits people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.features.standings import standings
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.kernels.slate import take_turns
from recommender.types import Candidates, FeedQuery, Scores


class PersonalSlots:
    """Every so many slots the candidate comes next whose standing lies highest above its usual one.

    What everybody would like fills feeds by itself, the same hundred items for all. In these slots that counts for
    nothing: an item is there for standing higher here than in other people's lists, so other people get other items.

    Args:
        score_order: The order of all other slots.
        usual: float32 [n_items], the mean standing of each item among people's candidates.
        every: One slot in so many, at least 1.

    Source: Adomavicius and Kwon, "Improving aggregate recommendation diversity using ranking-based techniques", 2012,
    re-rank by an item's average rating behind a threshold; here the average is subtracted, and slots are the threshold.
    """

    name = "personal_slots"

    def __init__(self, score_order: ScoreOrder, usual: Scores, every: int) -> None:
        self._score_order = score_order
        self._n_items = len(usual)
        # The last is that of new items, which nobody's list has held.
        self._usual = np.append(usual, np.float32(usual.mean() if len(usual) else 0.0))
        self._every = every

    def order(
        self, query: FeedQuery, candidates: Candidates, scores: Scores, k: int
    ) -> tuple[npt.NDArray[np.intp], Scores]:
        """Indices of k candidates, and their propensities: 1, since nothing is drawn. No candidate is left out."""
        by_score, _ = self._score_order.order(query, candidates, scores, len(candidates))
        lifts = standings(scores) - self._usual[np.minimum(candidates.rows, self._n_items)]
        # Of equal lifts the better place in the score order comes first.
        by_lift = np.argsort(-lifts[by_score], kind="stable")
        order = by_score[take_turns(by_lift, self._every, k)]
        return order, np.ones(len(order), np.float32)
