"""What people near the user turned to: no fit of its own, but it has to know who asks."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.bundle import BundleWriter, StringColumn
from recommender.features.recency import Recency
from recommender.kernels.circles import sum_histories
from recommender.types import History, Scores
from training.dataset import Dataset
from training.models.parameters import recency_parameters


class FriendsModel:
    """Sums over the histories of a user's circle.

    Source: the weighted neighbour voting of Massa and Avesani, "Trust-aware recommender systems", RecSys 2007; here
    over shares of edges, one step beyond friends, and each voice over the root of its volume.
    """

    name = "friends"

    def __init__(self, recency: Recency) -> None:
        self.recency = recency

    def fit(self, dataset: Dataset) -> None:
        """Remember the circles; the rest is in the histories."""
        assert dataset.circles is not None  # noqa: S101  # the lineup makes none without edges
        self._dataset, self._circles = dataset, dataset.circles
        self._person = {user_id: place for place, user_id in enumerate(self._circles.user_ids)}

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Nothing: a history alone has no friends."""
        del history, now_ms
        return np.zeros(self._dataset.n_items, np.float32)

    def score_user(self, user_id: str, now_ms: int) -> Scores:
        """float32 [n_items], what the user's circle says; zeros for who has none."""
        dataset, circles = self._dataset, self._circles
        sums = np.zeros(dataset.n_items, np.float32)
        person = self._person.get(user_id, -1)
        if person >= 0:
            circle = slice(*circles.offsets[person : person + 2])
            sum_histories(
                circles.near[circle],
                circles.weights[circle],
                dataset.offsets,
                dataset.items,
                dataset.types,
                dataset.times_ms,
                dataset.event_weights,
                now_ms,
                float(self.recency.half_life_days),
                float(self.recency.half_life_items),
                int(self.recency.limit),
                sums,
                np.empty(dataset.n_items, np.int32),
            )
        return sums

    def parameters(self) -> dict[str, Any]:
        """How fast a friend's history fades."""
        return recency_parameters(self.recency)

    def write(self, writer: BundleWriter) -> None:
        """Write who is near whom, by rows of the bundle's histories."""
        writer.ids("friends/users", StringColumn.of(self._circles.user_ids))
        writer.array("friends/offsets", self._circles.offsets)
        writer.array("friends/near", self._circles.near)
        writer.array("friends/weights", self._circles.weights)
