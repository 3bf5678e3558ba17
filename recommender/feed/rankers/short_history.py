"""Who came a minute ago: below the histories that a ranker learned on, one source's own order stands."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.stages import Ranker
from recommender.types import Candidates, FeedQuery, History, Scores


class ShortHistoryRanker:
    """Passes on to a learned ranker, but for histories of fewer distinct items than it has seen.

    A ranker that learned on histories of a hundred items knows nothing of those of one: it would rank what is popular
    where the one thing that is known of a person should lead. With no history at all nothing personal is retrieved,
    and popularity's order stands.

    Args:
        learned: For everybody else.
        bundle: Its manifest names the source and the least number of items under `ranker.short`.
    """

    def __init__(self, learned: Ranker, bundle: Bundle) -> None:
        self.name = learned.name
        self._learned = learned
        self._below = int(bundle.manifest.ranker["short"]["below"])
        self._short = SingleSourceRanker(bundle, str(bundle.manifest.ranker["short"]["source"]))
        self._type_weights = bundle.type_weights

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], finite; comparable within one query."""
        return self._of(query).score(query, candidates)

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1]; NaN for short histories, on which nothing was calibrated."""
        return self._of(query).probabilities(query, candidates, scores)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """Names and values of what the ranker that scored has seen."""
        return self._of(query).inputs(query, candidates)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources], those of the ranker that scored."""
        return self._of(query).contributions(query, candidates)

    def _of(self, query: FeedQuery) -> Ranker:
        return self._short if told_items(query.history, self._type_weights) < self._below else self._learned


def told_items(history: History, type_weights: Scores) -> int:
    """The distinct items that a history has events of positive weight on; by these it is short or long."""
    return len(np.unique(history.item_rows[type_weights[history.event_types] > 0]))
