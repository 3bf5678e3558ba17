"""What is popular lately, overall and in the categories that the user turns to."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.feed.stages import EvidenceKind
from recommender.kernels.top import best_of_each, best_rows
from recommender.types import FeedQuery, Rows, Scores, SourceResult

_CATEGORIES: Final = 10


class RecentPopularitySource:
    """The rows of most decayed event weight, the same for everybody."""

    name = "popularity_recent"
    evidence_kind: EvidenceKind = "none"

    def __init__(self, bundle: Bundle) -> None:
        self._order = bundle.array("popularity/order")
        self._popularity = bundle.array("popularity/recent")

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """The `limit` most popular rows."""
        order = self._order if query.allowed is None else self._order[query.allowed[self._order]]
        rows = order[:limit]
        return SourceResult(rows, self._popularity[rows], np.full(len(rows), -1, np.int32))


class CategoryPopularitySource:
    """The most popular rows of the categories that weigh most in the user's history."""

    name = "popularity_category"
    evidence_kind: EvidenceKind = "category"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        self._category_of = bundle.array("items/category")
        self._offsets = bundle.array("popularity/category.offsets")
        self._rows = bundle.array("popularity/category.rows")
        self._scores = bundle.array("popularity/category.scores")
        self._recency = recency or Recency.of(bundle.manifest.sources[self.name])
        self._type_weights = bundle.type_weights
        self._tie_ranks = bundle.tie_ranks

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows of the ten heaviest categories; evidence is the category's code.

        A row scores its category's share of the history times its own popularity over the category's largest; where
        several of the categories hold it, the larger of its scores.
        """
        items, weights = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        categories, shares = self._shares(items, weights)
        slices = [slice(self._offsets[code], self._offsets[code + 1]) for code in categories.tolist()]
        if not slices:
            return SourceResult.empty()
        rows = np.concatenate([self._rows[part] for part in slices])
        scores = np.concatenate(
            [share * self._scores[part] for part, share in zip(slices, shares, strict=True)], dtype=np.float32
        )
        evidence = np.repeat(categories, [part.stop - part.start for part in slices]).astype(np.int32)
        kept = best_of_each(rows, scores)
        if query.allowed is not None:
            kept = kept[query.allowed[rows[kept]]]
        best = kept[best_rows(rows[kept], scores[kept], self._tie_ranks, limit)]
        return SourceResult(rows[best], scores[best], evidence[best])

    def _shares(self, items: Rows, weights: Scores) -> tuple[Rows, Scores]:
        """Codes int32 of the categories that weigh most in a history, and their shares of it."""
        codes = self._category_of[items]
        known = codes >= 0
        categories, place = np.unique(codes[known], return_inverse=True)
        totals = np.bincount(place, weights[known], len(categories))
        best = np.argsort(-totals, kind="stable")[:_CATEGORIES]
        return categories[best], (totals[best] / max(totals.sum(), 1e-12)).astype(np.float32)
