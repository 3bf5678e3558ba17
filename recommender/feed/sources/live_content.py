"""What reads like the user's items, among the bundle's items and those that came since."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender.feed.item_vectors import ItemVectors
from recommender.feed.sources.content import ContentSource
from recommender.feed.stages import EvidenceKind
from recommender.types import FeedQuery, Rows, SourceResult

_EVIDENCE_ITEMS: Final = 10


class LiveContentSource:
    """The bundle's content source, with new items by the same likeness beside it, in the list and in the history.

    Args:
        content: The bundle's.
        vectors: Of all items.
        tie_ranks: int32 [n_items], the bundle's; new items go behind them.
    """

    name = ContentSource.name
    evidence_kind: EvidenceKind = ContentSource.evidence_kind

    def __init__(self, content: ContentSource, vectors: ItemVectors, tie_ranks: Rows) -> None:
        self._content = content
        self._vectors = vectors
        self._tie_ranks = tie_ranks

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows by cosine; evidence is the most alike history item."""
        items, weights = self._content.weigh(query)
        if not len(items):
            return SourceResult.empty()
        total = (weights @ self._vectors.of(items)).astype(np.float32)
        vector = total / np.float32(max(float(np.linalg.norm(total)), 1e-12))
        known = self._content.nearest.retrieve(query, vector, items[items < self._vectors.first_new], limit)
        new_rows, new_scores = self._vectors.nearest_new(vector, limit)
        rows, scores = np.concatenate((known.rows, new_rows)), np.concatenate((known.scores, new_scores))
        order = np.lexsort((self._ranks(rows), -scores))[:limit]
        return SourceResult(rows[order], scores[order], self._most_alike(rows[order], items[:_EVIDENCE_ITEMS]))

    def _ranks(self, rows: Rows) -> Rows:
        """int32 [n], by which ties break: the bundle's, then the newest of the new."""
        n_items = self._vectors.first_new
        is_new = rows >= n_items
        ranks = np.iinfo(np.int32).max - rows
        ranks[~is_new] = self._tie_ranks[rows[~is_new]]
        return ranks

    def _most_alike(self, rows: Rows, own: Rows) -> Rows:
        """For each row the one of `own` of largest cosine, -1 where none is positive."""
        vectors = self._vectors.of(own)
        units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
        cosines = self._vectors.of(rows) @ units.T
        best = cosines.argmax(axis=1)
        return np.where(cosines[np.arange(len(rows)), best] > 0, own[best], -1).astype(np.int32)
