"""What reads like the user's items: category, brand and title, so that items without history are found too."""

from __future__ import annotations

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.features.user_vector import mean_direction
from recommender.feed.sources.nearest import NearestRows
from recommender.feed.stages import EvidenceKind
from recommender.types import FeedQuery, Rows, Scores, SourceResult


class ContentSource:
    """Searches the content vectors near the weighted mean of the history's."""

    name = "content"
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        parameters = bundle.manifest.sources[self.name]
        self._vectors = bundle.array("content/vectors")
        self.nearest = NearestRows(self._vectors, bundle.vectors("content", parameters["probes"]), bundle.tie_ranks)
        self._recency = recency or Recency.of(parameters)
        self._type_weights = bundle.type_weights

    def weigh(self, query: FeedQuery) -> tuple[Rows, Scores]:
        """The history's items int32 [m], the newest first, and their weights float32 [m]."""
        return history_weights(query.history, self._type_weights, query.now_ms, self._recency)

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows by cosine; evidence is the most alike history item."""
        items, weights = self.weigh(query)
        if not len(items):
            return SourceResult.empty()
        return self.nearest.retrieve(query, mean_direction(self._vectors, items, weights), items, limit)
