"""What nobody has touched yet: its category, brand, seller and title against those of histories."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.bundle import BundleWriter
from recommender.features.recency import Recency, history_weights
from recommender.feed.sources.newcomers import code_gains
from recommender.types import History, Rows, Scores
from training.catalogue import Catalogue, objects
from training.dataset import Dataset
from training.models.parameters import recency_parameters

#: Share that no code is below: a single purchase among a thousand raises its kind by a factor of two.
_FLOOR: Final = 1e-3


class NewcomersModel:
    """Naive Bayes over the fields of an item: log of the user's share of each value over the log's, added up.

    Only items without an event of positive weight score. Popularity says nothing of them, so what the log's own share
    divides out is not missed: the user's share alone ranks the large categories first and finds half as much.
    """

    name = "newcomers"

    def __init__(self, recency: Recency) -> None:
        self.recency = recency

    def fit(self, dataset: Dataset) -> None:
        """Number the values of all fields, and count how common they are."""
        self._type_weights = dataset.event_weights
        self.codes, n_codes = item_codes(dataset.catalogue)
        weights = dataset.weights()
        of_items = np.bincount(dataset.items, weights, dataset.n_items)
        known = self.codes >= 0
        totals = np.bincount(
            self.codes[known], np.broadcast_to(of_items[:, None], self.codes.shape)[known], minlength=n_codes
        )
        self.common = (totals / max(of_items.sum(), 1e-12)).astype(np.float32)
        self.new = of_items <= 0
        found = known & self.new[:, None]
        rows = np.broadcast_to(np.arange(dataset.n_items, dtype=np.int32)[:, None], found.shape)[found]
        codes = self.codes[found]
        order = np.argsort(codes, kind="stable")
        self.rows = np.ascontiguousarray(rows[order])
        self.offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n_codes))]).astype(np.int64)

    def score_all(self, history: History, now_ms: int) -> Scores:
        """The geometric mean of the lifts of an item's fields; 0 for items with events, or of no kind that was had."""
        items, weights = history_weights(history, self._type_weights, now_ms, self.recency)
        codes, gains, _ = code_gains(self.codes, items, weights, _FLOOR)
        lifts, shared = (
            np.append(np.log(_FLOOR / (self.common + _FLOOR)), 0.0),
            np.zeros(len(self.common) + 1, np.bool_),
        )
        lifts[codes] += gains
        shared[codes] = True
        scores: Scores = np.exp(lifts[self.codes].mean(axis=1)).astype(np.float32)
        return np.where(self.new & shared[self.codes].any(axis=1), scores, np.float32(0.0))

    def parameters(self) -> dict[str, Any]:
        """Recency, and the share that no code is below."""
        return {**recency_parameters(self.recency), "floor": _FLOOR}

    def write(self, writer: BundleWriter) -> None:
        """Write codes, how common they are, and the rows that have each."""
        writer.array("newcomers/codes", self.codes)
        writer.array("newcomers/common", self.common)
        writer.array("newcomers/offsets", self.offsets)
        writer.array("newcomers/rows", self.rows)


def item_codes(catalogue: Catalogue) -> tuple[Rows, int]:
    """Codes of category, parent category, brand, seller, title, and of category, brand and seller together.

    Returns:
        codes int32 [n, 6], -1 where unknown, no code in two fields; how many there are.
    """
    parents = objects([path.rpartition(" > ")[0] for path in catalogue.categories.tolist()])
    parts = (catalogue.categories, catalogue.brands, catalogue.seller_ids)
    kinds = objects(
        ["\x1f".join(values) if values[0] and (values[1] or values[2]) else "" for values in zip(*parts, strict=True)]
    )
    columns, n_codes = [], 0
    for column in (catalogue.categories, parents, catalogue.brands, catalogue.seller_ids, catalogue.titles, kinds):
        values, codes = np.unique(column.astype(str), return_inverse=True)
        known: npt.NDArray[np.bool_] = values[codes] != ""
        columns.append(np.where(known, codes + n_codes, -1))
        n_codes += len(values)
    return np.ascontiguousarray(np.stack(columns, axis=1), np.int32), n_codes
