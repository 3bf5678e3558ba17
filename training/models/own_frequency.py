"""The user's own decayed counts: nothing to fit, and hard to beat where people buy again."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.bundle import BundleWriter
from recommender.features.recency import Recency, history_weights
from recommender.types import History, Scores
from training.dataset import Dataset
from training.models.parameters import recency_parameters


class OwnFrequencyModel:
    """Counts of the user's own items, decayed."""

    name = "own_frequency"

    def __init__(self, recency: Recency) -> None:
        self.recency = recency

    def fit(self, dataset: Dataset) -> None:
        """Remember the weights of event types; the rest is in the history."""
        self._type_weights, self._n_items = dataset.event_weights, dataset.n_items

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Decayed counts."""
        rows, weights = history_weights(history, self._type_weights, now_ms, self.recency)
        scores = np.zeros(self._n_items, np.float32)
        scores[rows] = weights
        return scores

    def parameters(self) -> dict[str, Any]:
        """How fast the history fades."""
        return recency_parameters(self.recency)

    def write(self, writer: BundleWriter) -> None:
        """Nothing: the histories are in the bundle already."""
        del writer
