"""From the rows near a user's vector to a source's result: positive products, fair ties, named evidence."""

from __future__ import annotations

from typing import Final

from recommender.kernels.likeness import most_alike
from recommender.kernels.top import best_rows
from recommender.retrieval.vectors import VectorIndex, search_allowed
from recommender.types import FeedQuery, Rows, Scores, SourceResult

#: A reason names one of the newest items: people remember those, and the search for it stays small.
_EVIDENCE_ITEMS: Final = 10


class NearestRows:
    """Searches item vectors by inner product with a user's vector.

    Args:
        vectors: float32 [n_items, dim].
        index: Over the same vectors.
        tie_ranks: int32 [n_items]; the smaller goes first where products are equal.
    """

    def __init__(self, vectors: Scores, index: VectorIndex, tie_ranks: Rows) -> None:
        self._vectors = vectors
        self._index = index
        self._tie_ranks = tie_ranks

    def retrieve(self, query: FeedQuery, vector: Scores, items: Rows, limit: int) -> SourceResult:
        """At most `limit` rows of positive product, best first; evidence is the newer item that points most alike.

        Args:
            query: Says which rows are allowed.
            vector: float32 [dim], the user's; nothing is near a zero vector.
            items: int32 [m], the history's items, the newest first.
            limit: Rows at most.
        """
        if query.allowed is None:
            rows, scores = self._index.search(vector, limit)
        else:
            rows, scores = search_allowed(self._vectors, query.allowed, vector, limit)
        rows, scores = rows[scores > 0], scores[scores > 0]
        best = best_rows(rows, scores, self._tie_ranks, limit)
        return SourceResult(rows[best], scores[best], most_alike(self._vectors, rows[best], items[:_EVIDENCE_ITEMS]))
