"""Sources without what serving saves: untruncated scores over all items, searched exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from recommender.bundle import Manifest
from recommender.config import Settings
from recommender.features.recency import Recency
from recommender.feed.stages import EvidenceKind, Source
from recommender.kernels.top import best_rows
from recommender.types import FeedQuery, Rows, SourceResult
from training.dataset import Dataset
from training.models.lineup import make_models
from training.models.parameters import default_recencies
from training.models.protocol import RetrievalModel
from training.models.shapes import Shapes

#: Sources that score as exactly as they know: histories, the user's or others', kinds of items, popularity's order.
_WHOLE: Final = frozenset({"own_frequency", "friends", "newcomers", "popularity_recent", "popularity_category"})
_NEIGHBOURS: Final = 500


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


def long_models(dataset: Dataset, settings: Settings, manifest: Manifest) -> list[RetrievalModel]:
    """The models of a bundle, to be fitted on a dataset, not held to the lengths that serving can afford.

    Args:
        dataset: To fit on.
        settings: Of the models.
        manifest: Its sources' shapes, and the recencies that they were tuned to: alone they are compared at their best.
    """
    sources = manifest.sources
    long_lists = settings.bundle.model_copy(update={"neighbours": _NEIGHBOURS})
    recencies = {
        name: Recency.of(sources[name]) if name in sources else recency
        for name, recency in default_recencies(manifest.timed).items()
    }
    return make_models(dataset, settings.model_copy(update={"bundle": long_lists}), recencies, Shapes.of(sources))
