"""What a matrix factorisation foresees, the user folded in from the history."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.features.confidence import confidence
from recommender.features.recency import Recency, history_weights
from recommender.feed.stages import EvidenceKind
from recommender.kernels.fold_in import fold_in
from recommender.kernels.likeness import most_alike
from recommender.retrieval.vectors import search_allowed
from recommender.types import FeedQuery, Rows, Scores, SourceResult

_STEPS = 8
#: A reason names one of the newest items: people remember those, and the search for it stays small.
EVIDENCE_ITEMS = 10


class AlsSource:
    """Solves the user's vector over the history and searches the item factors by inner product."""

    name = "als"
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        parameters = bundle.manifest.sources[self.name]
        self._factors = bundle.array("als/factors")
        gram = bundle.array("als/gram")
        self._gram = (gram + parameters["regularization"] * np.eye(len(gram))).astype(np.float32)
        self._alpha = float(parameters["alpha"])
        self._index = bundle.vectors("als", parameters["probes"])
        self._recency = recency or Recency.of(parameters)
        self._type_weights = bundle.type_weights

    def user_vector(self, query: FeedQuery) -> tuple[Scores, Rows]:
        """The user's vector float32 [dim], and the history rows int32 [m] that made it, newest first."""
        items, weights = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        return fold_in(self._gram, self._factors[items], confidence(weights, self._alpha), _STEPS), items

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows of largest product; evidence is the history item whose factors point most alike."""
        vector, items = self.user_vector(query)
        if not len(items):
            return SourceResult.empty()
        if query.allowed is None:
            rows, scores = self._index.search(vector, limit)
        else:
            rows, scores = search_allowed(self._factors, query.allowed, vector, limit)
        kept = scores > 0
        rows, scores = rows[kept], scores[kept]
        return SourceResult(rows, scores, most_alike(self._factors, rows, items[:EVIDENCE_ITEMS]))
