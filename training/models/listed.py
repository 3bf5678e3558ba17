"""Models that end as a matrix of items by items, kept as the best neighbours of each item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numba import njit, prange

from recommender.bundle import BundleWriter
from recommender.features.recency import Recency, history_weights
from recommender.kernels.neighbours import sum_lists
from recommender.types import History, Rows, Scores
from training.dataset import Dataset
from training.models.parameters import recency_parameters

#: Rows of the matrix that are made at a time: 256 rows of 100,000 items take 100 MB.
BLOCK = 256


class ListedModel:
    """What all of them share: histories are sums of lists.

    Args:
        recency: How fast a history fades.
        neighbours: Length of the lists.
    """

    name = ""
    #: How many items the matrix is made for, those of most owners, and how many these need; the others have no lists.
    head = 0
    least_owners = 1

    def __init__(self, recency: Recency, neighbours: int) -> None:
        self.recency = recency
        self._neighbours = neighbours

    def blocks(self, matrix: sp.csr_matrix) -> Iterator[Scores]:
        """float32 [m, n_head] for the next m items in turn: what an item says of every other.

        Args:
            matrix: float32 CSR [n_actors, n_head] of ones, its columns the items of most owners.
        """
        raise NotImplementedError

    def fit(self, dataset: Dataset) -> None:
        """Make the matrix of the head block by block and keep the best of each row."""
        self._type_weights = dataset.event_weights
        matrix = binary_matrix(dataset)
        owners = np.asarray(matrix.sum(axis=0)).ravel()
        head = np.argsort(-owners, kind="stable")[: self.head]
        head = np.sort(head[owners[head] >= self.least_owners]).astype(np.int32)
        self.rows = np.full((dataset.n_items, self._neighbours), -1, np.int32)
        self.scores = np.zeros((dataset.n_items, self._neighbours), np.float32)
        start = 0
        for block in self.blocks(matrix[:, head]) if len(head) > 1 else ():
            places, values = best_of_rows(block, start, self._neighbours)
            own = head[start : start + len(block)]
            self.rows[own], self.scores[own] = np.where(places >= 0, head[places], -1), values
            start += len(block)
        width = max(int((self.rows >= 0).sum(axis=1).max(initial=0)), 1)
        self.rows = np.ascontiguousarray(self.rows[:, :width])
        self.scores = np.ascontiguousarray(self.scores[:, :width])

    def score_all(self, history: History, now_ms: int) -> Scores:
        """Sums over the lists."""
        return summed_lists(history, self._type_weights, now_ms, self.recency, (self.rows, self.scores))

    def parameters(self) -> dict[str, Any]:
        """How fast the history fades."""
        return recency_parameters(self.recency)

    def write(self, writer: BundleWriter) -> None:
        """Write the lists."""
        writer.array(f"{self.name}/rows", self.rows)
        writer.array(f"{self.name}/scores", self.scores)


def summed_lists(
    history: History, type_weights: Scores, now_ms: int, recency: Recency, lists: tuple[Rows, Scores]
) -> Scores:
    """float32 [n_items], the weighted lists of a history's items added up, over all items.

    Args:
        history: Events, oldest first.
        type_weights: float32 [256] by event type code.
        now_ms: The moment to look back from.
        recency: How fast the history fades.
        lists: Rows and scores [n_items, k] of every item's neighbours.
    """
    items, weights = history_weights(history, type_weights, now_ms, recency)
    n_items = len(lists[0])
    sums, best = np.zeros(n_items, np.float32), np.zeros(n_items, np.float32)
    sum_lists(items, weights, *lists, sums, best, np.zeros(n_items, np.int32), np.zeros(n_items, np.int32))
    return sums


def best_of_rows(block: Scores, start: int, k: int) -> tuple[Rows, Scores]:
    """The k largest positive entries of each row but its own item's, best first; ties go by column.

    Args:
        block: float32 [m, n_items], of the items from `start` on.
        start: The first of them.
        k: Length of the lists.

    Returns:
        rows int32 [m, k] padded with -1, and scores float32 [m, k].
    """
    rows = np.full((len(block), k), -1, np.int32)
    scores = np.zeros((len(block), k), np.float32)
    _fill_best(block, start, rows, scores)
    return rows, scores


@njit(nogil=True, cache=True, parallel=True)
def _fill_best(block: Scores, start: int, rows: Rows, scores: Scores) -> None:
    k = rows.shape[1]
    for at in prange(len(block)):
        size = 0
        least = np.float32(0.0)
        for item in range(block.shape[1]):
            score = block[at, item]
            # Nearly every item ends here: few beat the last of the k best, once the first have been seen.
            if not score > least or item == start + at:
                continue
            size = min(size + 1, k)
            slot = size - 1
            while slot > 0 and scores[at, slot - 1] < score:
                scores[at, slot], rows[at, slot] = scores[at, slot - 1], rows[at, slot - 1]
                slot -= 1
            scores[at, slot], rows[at, slot] = score, item
            if size == k:
                least = scores[at, k - 1]


def binary_matrix(dataset: Dataset) -> sp.csr_matrix:
    """Actors by items, float32 CSR: 1 where an actor has an event of positive weight on the item."""
    counted = dataset.weights() > 0
    actors, items = dataset.actors()[counted], dataset.items[counted]
    shape = (dataset.n_actors, dataset.n_items)
    matrix = sp.coo_matrix((np.ones(len(items), np.float32), (actors, items)), shape=shape).tocsr()
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix
