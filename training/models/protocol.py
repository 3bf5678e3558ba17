"""What every retrieval model does: fit on a dataset, score all items for a history, write its served form."""

from __future__ import annotations

from typing import Any, Protocol

from recommender.bundle import BundleWriter
from recommender.features.recency import Recency
from recommender.types import History, Scores
from training.dataset import Dataset


class RetrievalModel(Protocol):
    """One source's model. `name` equals the name of the source that serves it."""

    name: str

    def fit(self, dataset: Dataset) -> None:
        """Fit on the dataset alone; the same dataset and seed give the same model.

        Raises:
            InputError: The dataset cannot be fitted, with the reason.
        """
        ...

    def score_all(self, history: History, now_ms: int) -> Scores:
        """float32 [n_items]: the dense form, over all items, untruncated; 0 or less where there is no evidence."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What the manifest says of the source: recency and whatever serving needs beside arrays."""
        ...

    def write(self, writer: BundleWriter) -> None:
        """Write the served form: truncated lists, factors, indexes."""
        ...


class FadingModel(RetrievalModel, Protocol):
    """One whose histories fade: how fast is a matter of asking, not of fitting."""

    recency: Recency
