"""Directed, decayed co-occurrence: what follows what in people's sequences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.bundle import BundleWriter
from recommender.features.recency import Recency
from recommender.kernels.neighbours import cooccurrence_lists
from recommender.types import EVENT_TYPE_CODE, History, Mask, Rows, Scores
from training.dataset import Dataset
from training.models.listed import summed_lists
from training.models.parameters import recency_parameters
from training.models.shapes import CooccurrenceShape

_TOGETHER_NEIGHBOURS = 50
_PARTS = 2
_SEED = 42


class CooccurrenceModel:
    """Neighbour lists per item, summed over a history.

    Source: Linden, Smith, York, "Amazon.com recommendations: item-to-item collaborative filtering", 2003; directed and
    decayed by distance here, each actor's voice saturated, and without times symmetric over the whole history.
    """

    name = "cooccurrence"

    def __init__(self, recency: Recency, neighbours: int, shape: CooccurrenceShape) -> None:
        self.recency = recency
        self.shape = shape
        self._neighbours = neighbours

    def fit(self, dataset: Dataset) -> None:
        """Build the lists, and those of what is bought together."""
        self._type_weights = dataset.event_weights
        self.rows, self.scores = neighbour_lists(dataset, dataset.weights() > 0, self.shape, self._neighbours)
        bought = dataset.types == EVENT_TYPE_CODE["purchase"]
        together = CooccurrenceShape(window=50, backward=1.0, gap_power=1.0, norm_from=0.5, norm_to=0.4)
        self._together = neighbour_lists(dataset, bought, together, _TOGETHER_NEIGHBOURS)

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Sums over the lists."""
        return summed_lists(history, self._type_weights, now_ms, self.recency, (self.rows, self.scores))

    def parameters(self) -> dict[str, Any]:
        """How fast the history fades, and how pairs counted."""
        return {**recency_parameters(self.recency), **asdict(self.shape)}

    def write(self, writer: BundleWriter) -> None:
        """Write the lists."""
        writer.array("cooccurrence/rows", self.rows)
        writer.array("cooccurrence/scores", self.scores)
        writer.array("bought_together/rows", self._together[0])
        writer.array("bought_together/scores", self._together[1])


def neighbour_lists(dataset: Dataset, counted: Mask, shape: CooccurrenceShape, k: int) -> tuple[Rows, Scores]:
    """Lists of the k best neighbours of every item over the counted events.

    Returns:
        rows int32 [n_items, <= k] padded with -1, scores float32 of the same shape; as wide as the longest list.
    """
    order = _drawn_within_moments(dataset)
    order = order[counted[order]]
    items, actors = dataset.items[order], dataset.actors()[order]
    offsets = np.searchsorted(actors, np.arange(dataset.n_actors + 1)).astype(np.int64)
    occurrences = np.argsort(items, kind="stable").astype(np.int64)
    item_offsets = np.searchsorted(items[occurrences], np.arange(dataset.n_items + 1)).astype(np.int64)
    owners = np.maximum(_owner_counts(items, actors, dataset.n_items), 1).astype(np.float64)
    rows, scores = cooccurrence_lists(
        offsets,
        actors,
        items,
        dataset.times_ms[order],
        dataset.weights()[order],
        occurrences,
        item_offsets,
        (owners**-shape.norm_from).astype(np.float32),
        (owners**-shape.norm_to).astype(np.float32),
        shape.window,
        shape.backward,
        shape.gap_power,
        shape.saturation,
        k,
        _PARTS,
    )
    width = max(int((rows >= 0).sum(axis=1).max(initial=0)), 1)
    return np.ascontiguousarray(rows[:, :width]), np.ascontiguousarray(scores[:, :width])


def _drawn_within_moments(dataset: Dataset) -> npt.NDArray[np.intp]:
    """An order of the events by actor and time, events of one moment by a seeded draw.

    The dataset's own order within a moment goes by popularity, so in a basket larger than the window an item would
    only ever meet those as popular as itself.
    """
    draw = np.random.default_rng(_SEED).random(len(dataset.items))
    return np.lexsort((draw, dataset.times_ms, dataset.actors()))


def _owner_counts(items: Rows, actors: Rows, n_items: int) -> npt.NDArray[np.int64]:
    pairs = np.unique(actors.astype(np.int64) * n_items + items)
    return np.bincount(pairs % n_items, minlength=n_items)
