"""Sources that sum lists: what each item of the history says of others."""

from __future__ import annotations

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.feed.sources.scratch import Scratch
from recommender.feed.stages import EvidenceKind
from recommender.kernels.neighbours import sum_lists
from recommender.kernels.top import best_rows, take_touched
from recommender.types import FeedQuery, SourceResult


class ListedSource:
    """Sums the lists of the history's items, each weighted by its recency."""

    name = ""
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        self._rows = bundle.array(f"{self.name}/rows")
        self._scores = bundle.array(f"{self.name}/scores")
        self._recency = recency or Recency.of(bundle.manifest.sources[self.name])
        self._type_weights = bundle.type_weights
        self._tie_ranks = bundle.tie_ranks
        self._scratch = Scratch(bundle.n_items)

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` neighbours of the history; evidence is the item that speaks loudest for each."""
        items, weights = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        scratch = self._scratch
        n_touched = sum_lists(
            items, weights, self._rows, self._scores,
            scratch.sums, scratch.best, scratch.evidence, scratch.touched,
        )  # fmt: skip
        rows, scores = take_touched(scratch.touched, n_touched, scratch.sums)
        if query.allowed is not None:
            kept = query.allowed[rows]
            rows, scores = rows[kept], scores[kept]
        best = best_rows(rows, scores, self._tie_ranks, limit)
        return SourceResult(rows[best], scores[best], scratch.evidence[rows[best]])


class CooccurrenceSource(ListedSource):
    """What followed the user's items in other people's sequences."""

    name = "cooccurrence"


class GfcfSource(ListedSource):
    """What is near on the graph of people and items."""

    name = "gfcf"


class EaseSource(ListedSource):
    """What reconstructs the user's items best."""

    name = "ease"
