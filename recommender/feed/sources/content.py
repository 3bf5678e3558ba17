"""What reads like the user's items: category, brand and title, so that items without history are found too."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.feed.sources.als import EVIDENCE_ITEMS
from recommender.feed.stages import EvidenceKind
from recommender.kernels.likeness import most_alike
from recommender.retrieval.vectors import search_allowed
from recommender.types import FeedQuery, SourceResult


class ContentSource:
    """Searches the content vectors near the weighted mean of the history's."""

    name = "content"
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        parameters = bundle.manifest.sources[self.name]
        self._vectors = bundle.array("content/vectors")
        self._index = bundle.vectors("content", parameters["probes"])
        self._recency = recency or Recency.of(parameters)
        self._type_weights = bundle.type_weights

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows by cosine; evidence is the most alike history item."""
        items, weights = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        if not len(items):
            return SourceResult.empty()
        vector = (weights @ self._vectors[items]).astype(np.float32)
        length = float(np.linalg.norm(vector))
        if length == 0.0:
            return SourceResult.empty()
        vector /= length
        if query.allowed is None:
            rows, scores = self._index.search(vector, limit)
        else:
            rows, scores = search_allowed(self._vectors, query.allowed, vector, limit)
        kept = scores > 0
        rows, scores = rows[kept], scores[kept]
        return SourceResult(rows, scores, most_alike(self._vectors, rows, items[:EVIDENCE_ITEMS]))
