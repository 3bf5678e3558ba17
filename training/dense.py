"""Sources without what serving saves: untruncated scores over all items, searched exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from recommender.feed.stages import EvidenceKind, Source
from recommender.kernels.top import best_rows
from recommender.types import FeedQuery, Rows, SourceResult
from training.models.protocol import RetrievalModel

#: Sources that serve all of what they know: the history itself, and popularity's order.
_WHOLE: Final = frozenset({"own_frequency", "popularity_recent", "popularity_category"})


class DenseSource:
    """Gives the best rows of a model's scores over all items, in the form of the source that serves the model.

    Args:
        name, evidence_kind: Of the source that serves it.
        model: The same model, fitted on the same dataset, with longer lists.
        tie_ranks: int32 [n_items]; the smaller goes first where scores are equal, as served.
    """

    def __init__(self, name: str, evidence_kind: EvidenceKind, model: RetrievalModel, tie_ranks: Rows) -> None:
        self.name = name
        self.evidence_kind = evidence_kind
        self._model = model
        self._tie_ranks = tie_ranks

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows of positive score; nothing is named as evidence."""
        scores = self._model.score_all(query.history, query.now_ms)
        found = scores > 0 if query.allowed is None else (scores > 0) & query.allowed
        rows = np.flatnonzero(found).astype(np.int32)
        values = scores[rows]
        best = best_rows(rows, values, self._tie_ranks, limit)
        return SourceResult(rows[best], values[best], np.full(len(best), -1, np.int32))


def dense_over(models: Mapping[str, RetrievalModel], tie_ranks: Rows) -> Callable[[Source], Source]:
    """What stands for a served source: its dense form where serving saves anything, else itself."""

    def over(source: Source) -> Source:
        if source.name in _WHOLE or source.name not in models:
            return source
        return DenseSource(source.name, source.evidence_kind, models[source.name], tie_ranks)

    return over
