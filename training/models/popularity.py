"""Decayed popularity, overall and per category: the plainest sources, every feed's tail, and the order of ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.bundle import BundleWriter
from recommender.config import TrainSettings
from recommender.features.recency import Recency, history_weights
from recommender.types import DAY_MS, History, Rows, Scores
from training.dataset import Dataset
from training.models.parameters import recency_parameters

_PER_CATEGORY = 200


class PopularityModel:
    """Event weights summed per item, halved every `popularity_half_life` of age."""

    name = "popularity_recent"

    def __init__(self, settings: TrainSettings) -> None:
        self._half_life_days = settings.popularity_half_life * 1_000 / DAY_MS

    def fit(self, dataset: Dataset) -> None:
        """Sum decayed weights of all events, loose ones too; without times nothing decays."""
        items = np.concatenate([dataset.items, dataset.loose_items])
        types = np.concatenate([dataset.types, dataset.loose_types])
        weights = dataset.event_weights[types].astype(np.float64)
        self.all_time = np.bincount(items, weights, dataset.n_items)
        if dataset.timed:
            times = np.concatenate([dataset.times_ms, dataset.loose_times_ms])
            age_days = np.maximum(dataset.now_ms - times, 0) / DAY_MS
            weights = weights * 2.0 ** (-age_days / self._half_life_days)
        recent = np.bincount(items, weights, dataset.n_items)
        self.recent: Scores = (recent / max(recent.max(initial=0.0), 1e-300)).astype(np.float32)
        # Rows are in an order that no id decides, so the last key is no accident of ids either.
        self.order = np.lexsort((np.arange(dataset.n_items), -self.all_time, -recent)).astype(np.int32)

    def score_all(self, history: History, now_ms: int) -> Scores:
        """The same for everybody."""
        del history, now_ms
        return self.recent

    def parameters(self) -> dict[str, Any]:
        """The half-life, for the reader."""
        return {"half_life_days": self._half_life_days}

    def write(self, writer: BundleWriter) -> None:
        """Write popularity and its order."""
        writer.array("popularity/recent", self.recent)
        writer.array("popularity/order", self.order)


class CategoryPopularityModel:
    """For each category, what is below it included, its most popular rows."""

    name = "popularity_category"

    def __init__(self, popularity: PopularityModel, recency: Recency) -> None:
        self._popularity = popularity
        self.recency = recency

    def fit(self, dataset: Dataset) -> None:
        """Cut the popularity order into categories; `popularity` must be fitted."""
        self._category_of, paths, parents = category_codes(dataset.catalogue.categories)
        self._type_weights = dataset.event_weights
        rows_of: list[list[int]] = [[] for _ in paths]
        for row in self._popularity.order.tolist():
            code = int(self._category_of[row])
            while code >= 0:
                if len(rows_of[code]) < _PER_CATEGORY and self._popularity.recent[row] > 0:
                    rows_of[code].append(row)
                code = int(parents[code])
        self.offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in rows_of])]).astype(np.int64)
        self.rows = np.array([row for rows in rows_of for row in rows], np.int32)
        recent = self._popularity.recent[self.rows]
        firsts = np.repeat(recent[np.minimum(self.offsets[:-1], max(len(recent) - 1, 0))], np.diff(self.offsets))
        self.scores = (recent / np.maximum(firsts, 1e-30)).astype(np.float32) if len(recent) else recent

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Share of the history in the item's own category times the item's popularity there."""
        items, weights = history_weights(history, self._type_weights, now_ms, self.recency)
        codes = self._category_of[items]
        totals = np.bincount(codes[codes >= 0], weights[codes >= 0], len(self.offsets) - 1)
        share = totals / max(totals.sum(), 1e-12)
        best = np.zeros(len(share))
        np.maximum.at(best, self._category_of[self._category_of >= 0], self._popularity.recent[self._category_of >= 0])
        scores = share[self._category_of] * self._popularity.recent / np.maximum(best[self._category_of], 1e-30)
        return np.where(self._category_of >= 0, scores, 0.0).astype(np.float32)

    def parameters(self) -> dict[str, Any]:
        """How fast the history fades."""
        return recency_parameters(self.recency)

    def write(self, writer: BundleWriter) -> None:
        """Write the lists of all categories, end to end."""
        writer.array("popularity/category.offsets", self.offsets)
        writer.array("popularity/category.rows", self.rows)
        writer.array("popularity/category.scores", self.scores)


def category_codes(categories: npt.NDArray[np.object_]) -> tuple[Rows, list[str], Rows]:
    """Codes of category paths, parents included.

    Args:
        categories: Object [n] of paths with levels joined by " > ", empty where unknown.

    Returns:
        codes int32 [n], -1 unknown; the paths by code, sorted; the parent's code of each, -1 at the top.
    """
    paths: set[str] = set()
    for path in set(categories.tolist()) - {""}:
        levels = path.split(" > ")
        paths.update(" > ".join(levels[: depth + 1]) for depth in range(len(levels)))
    ordered = sorted(paths)
    code = {path: place for place, path in enumerate(ordered)}
    parents = np.array([code.get(path.rpartition(" > ")[0], -1) for path in ordered], np.int32)
    return np.array([code.get(path, -1) for path in categories.tolist()], np.int32), ordered, parents
