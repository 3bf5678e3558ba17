"""What the user turned to before: repeats."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.feed.stages import EvidenceKind
from recommender.kernels.top import best_rows
from recommender.types import FeedQuery, SourceResult


class OwnFrequencySource:
    """The user's own items by decayed count."""

    name = "own_frequency"
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        self._recency = recency or Recency.of(bundle.manifest.sources[self.name])
        self._type_weights = bundle.type_weights
        self._tie_ranks = bundle.tie_ranks

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` of the user's own items; each is its own evidence."""
        rows, scores = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        if query.allowed is not None:
            kept = query.allowed[rows]
            rows, scores = rows[kept], scores[kept]
        best = best_rows(rows, scores, self._tie_ranks, limit)
        return SourceResult(rows[best], scores[best], rows[best].astype(np.int32))
