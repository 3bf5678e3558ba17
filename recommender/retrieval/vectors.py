"""A FAISS index over item vectors by inner product: exact, or an exact head of the longest with an inverted-file tail.

Popularity sits in the norm of trained factors, so the few longest vectors win most queries; they are scanned exactly,
and the long tail is probed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import faiss
import numpy as np

from recommender.types import Mask, Rows, Scores

_HEAD: Final = 4_096
#: A head is worth its scan only where the longest vector stands out from the longest of the tail by so much.
_STANDS_OUT: Final = 1.01
_PROBES: Final = (8, 16, 32, 64)
_MEASURED_K: Final = 100

faiss.omp_set_num_threads(1)


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """An opened index.

    Args:
        tail: FAISS index over all rows, or over those that `tail_rows` names.
        tail_rows: int32, the row of each id of `tail`; None where ids are rows.
        head: float32 [n_head, dim], vectors that are scanned exactly; None without a head.
        head_rows: int32 [n_head].
        probes: Lists probed per query; 0 for an exact index.
    """

    tail: faiss.Index
    tail_rows: Rows | None = None
    head: Scores | None = None
    head_rows: Rows | None = None
    probes: int = 0

    def search(self, query: Scores, k: int) -> tuple[Rows, Scores]:
        """The k rows of largest inner product with one query, best first, fewer only where the index finds no more.

        Args:
            query: float32 [dim].
            k: How many.

        Returns:
            rows int32 [m <= k], unique; products float32 [m]. Among equal products the order is FAISS's own.
        """
        rows, products = self._search_tail(query, k)
        if self.head is None or self.head_rows is None:
            return rows, products
        rows = np.concatenate([self.head_rows, rows])
        products = np.concatenate([self.head @ query, products])
        kept = np.argpartition(-products, k - 1)[:k] if len(products) > k else np.arange(len(products))
        order = kept[np.argsort(-products[kept], kind="stable")]
        return rows[order], products[order]

    def _search_tail(self, query: Scores, k: int) -> tuple[Rows, Scores]:
        k = min(k, self.tail.ntotal)
        if k <= 0:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        parameters = None
        if self.probes:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = self.probes
        products, ids = self.tail.search(query[None], k, params=parameters)
        found = ids[0] >= 0
        rows = ids[0][found].astype(np.int32)
        return rows if self.tail_rows is None else self.tail_rows[rows], products[0][found]


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A built index with what the manifest says of it.

    Args:
        index: Ready to search.
        kind: `exact`, `inverted_file` or `head_and_inverted_file`.
        recall: Measured recall@100; 1 for an exact index.
    """

    index: VectorIndex
    kind: str
    recall: float


def build_index(vectors: Scores, queries: Scores, *, exact_below: int, min_recall: float, seed: int) -> BuiltIndex:
    """Build the cheapest index that holds the recall, else an exact one.

    Args:
        vectors: float32 [n, dim].
        queries: float32 [n_queries, dim], such as are asked: recall is measured on them.
        exact_below: Fewer vectors than this get an exact index at once.
        min_recall: Least recall@100 against exact search.
        seed: Of the clustering.
    """
    exact = faiss.IndexFlatIP(vectors.shape[1])
    exact.add(vectors)
    flat = VectorIndex(exact)
    if len(vectors) < max(exact_below, 2 * _HEAD) or not len(queries):
        return BuiltIndex(flat, "exact", 1.0)
    kind, unprobed = _approximate(vectors, seed)
    for probes in _PROBES:
        index = replace(unprobed, probes=probes)
        recall = measure_recall(index, flat, vectors, queries)
        if recall >= min_recall:
            return BuiltIndex(index, kind, recall)
    return BuiltIndex(flat, "exact", 1.0)


def measure_recall(index: VectorIndex, exact: VectorIndex, vectors: Scores, queries: Scores) -> float:
    """Mean recall@100 of an index: the share of its rows that are as near as the exact hundredth.

    Rows are compared by their products, not by name: where many items have the same vector, any of them is right.

    Args:
        index: To be measured.
        exact: Over the same vectors.
        vectors: float32 [n, dim].
        queries: float32 [n_queries, dim].
    """
    shares = []
    for query in queries:
        products = exact.search(query, _MEASURED_K)[1]
        # Products of one pair differ in their last bits by how a library adds them up.
        least = products[-1] - 1e-6 * abs(products[0])
        found = vectors[index.search(query, _MEASURED_K)[0]] @ query
        shares.append(np.count_nonzero(found >= least) / len(products))
    return float(np.mean(shares))


def search_allowed(vectors: Scores, allowed: Mask, query: Scores, k: int) -> tuple[Rows, Scores]:
    """The k allowed rows of largest inner product by a plain scan; for offline questions about few rows.

    Args:
        vectors: float32 [n_items, dim].
        allowed: bool [n_items].
        query: float32 [dim].
        k: How many.

    Returns:
        rows int32 [m <= k] and products float32 [m], best first.
    """
    rows = np.flatnonzero(allowed).astype(np.int32)
    products = vectors[rows] @ query
    best = np.argsort(-products, kind="stable")[:k]
    return rows[best], products[best].astype(np.float32)


def _approximate(vectors: Scores, seed: int) -> tuple[str, VectorIndex]:
    """An inverted file, with a head where some vectors are longer than others; its probes are still to be set."""
    lengths = np.linalg.norm(vectors, axis=1)
    by_length = np.argsort(-lengths, kind="stable").astype(np.int32)
    if lengths[by_length[0]] < _STANDS_OUT * lengths[by_length[_HEAD]]:
        return "inverted_file", VectorIndex(_inverted_file(vectors, seed))
    head_rows, tail_rows = np.sort(by_length[:_HEAD]), np.sort(by_length[_HEAD:])
    tail = _inverted_file(vectors[tail_rows], seed)
    return "head_and_inverted_file", VectorIndex(tail, tail_rows, vectors[head_rows], head_rows)


def _inverted_file(vectors: Scores, seed: int) -> Any:
    """Lists of float32 vectors around unit centroids, two for each root of their number."""
    n_lists = max(16, int(2 * np.sqrt(len(vectors))))
    index: Any = faiss.index_factory(vectors.shape[1], f"IVF{n_lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.train(vectors)
    index.add(vectors)
    return index
