"""What a matrix factorisation foresees, the user folded in from the history."""

from __future__ import annotations

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.features.user_vector import factor_vector, regularised_gram
from recommender.feed.sources.nearest import NearestRows
from recommender.feed.stages import EvidenceKind
from recommender.types import FeedQuery, Rows, Scores, SourceResult


class AlsSource:
    """Solves the user's vector over the history and searches the item factors by inner product."""

    name = "als"
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        parameters = bundle.manifest.sources[self.name]
        self._factors = bundle.array("als/factors")
        self._gram = regularised_gram(bundle.array("als/gram"), float(parameters["regularization"]))
        self._alpha = float(parameters["alpha"])
        self._nearest = NearestRows(self._factors, bundle.vectors("als", parameters["probes"]), bundle.tie_ranks)
        self._recency = recency or Recency.of(parameters)
        self._type_weights = bundle.type_weights

    def user_vector(self, query: FeedQuery) -> tuple[Scores, Rows]:
        """The user's vector float32 [dim], and the history rows int32 [m] that made it, newest first."""
        items, weights = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        return factor_vector(self._gram, self._factors, self._alpha, items, weights), items

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows of largest product; evidence is the history item whose factors point most alike."""
        vector, items = self.user_vector(query)
        return self._nearest.retrieve(query, vector, items, limit) if len(items) else SourceResult.empty()
