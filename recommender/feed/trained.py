"""Keeping what was trained to the rows that it was trained on, where a feed has new ones behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.feed.stages import EvidenceKind, Ranker, Source
from recommender.types import Candidates, FeedQuery, History, Scores, SourceResult


class TrainedSource:
    """A source that sees no event on a new item.

    Args:
        source: Knows the bundle's rows alone.
        n_items: How many they are.
    """

    evidence_kind: EvidenceKind

    def __init__(self, source: Source, n_items: int) -> None:
        self.name = source.name
        self.evidence_kind = source.evidence_kind
        self._source = source
        self._n_items = n_items

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """What the source retrieves."""
        return self._source.retrieve(_trained(query, self._n_items), limit)


class TrainedRanker:
    """A ranker to which a new item is like the least popular one: nobody turned to it yet.

    Its own are the scores and places that sources gave it.

    Args:
        ranker: Knows the bundle's rows alone.
        n_items: How many they are.
        stand_in: The least popular of them.
    """

    def __init__(self, ranker: Ranker, n_items: int, stand_in: int) -> None:
        self.name = ranker.name
        self._ranker = ranker
        self._n_items = n_items
        self._stand_in = np.int32(stand_in)

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], finite, higher is better."""
        return self._ranker.score(_trained(query, self._n_items), self._known(candidates))

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1], NaN where unknown."""
        return self._ranker.probabilities(_trained(query, self._n_items), self._known(candidates), scores)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """Names and values of what the scores come from."""
        return self._ranker.inputs(_trained(query, self._n_items), self._known(candidates))

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources]: how much each source speaks for each candidate."""
        return self._ranker.contributions(_trained(query, self._n_items), self._known(candidates))

    def _known(self, candidates: Candidates) -> Candidates:
        rows = candidates.rows
        return replace(candidates, rows=np.where(rows < self._n_items, rows, self._stand_in))


def _trained(query: FeedQuery, n_items: int) -> FeedQuery:
    """The query without what happened on new items."""
    history = query.history
    known = history.item_rows < n_items
    if known.all():
        return query
    return query.with_history(History(history.item_rows[known], history.event_types[known], history.times_ms[known]))
