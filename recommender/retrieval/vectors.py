"""A FAISS index over item vectors by inner product: exact, or an exact head of the longest with an inverted-file tail.

Popularity sits in the norm of trained factors, so the few longest vectors win most queries; they are scanned exactly,
and the long tail is probed.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from recommender.types import Mask, Rows, Scores

_HEAD = 4_096
_PROBES = (8, 16, 32, 64)
_MEASURED_K = 100

faiss.omp_set_num_threads(1)


@dataclass(frozen=True)
class VectorIndex:
    """An opened index.

    Args:
        tail: FAISS index over all rows (exact) or over those that `tail_rows` names.
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
        """The k rows of largest inner product with one query float32 [dim], best first."""
        parameters = faiss.SearchParametersIVF(nprobe=self.probes) if self.probes else None
        scores, ids = self.tail.search(query[None], min(k, self.tail.ntotal), params=parameters)
        found = ids[0] >= 0
        rows, values = ids[0][found].astype(np.int32), scores[0][found]
        if self.tail_rows is None or self.head is None or self.head_rows is None:
            return rows, values
        rows = np.concatenate([self.head_rows, self.tail_rows[rows]])
        values = np.concatenate([self.head @ query, values])
        kept = np.argpartition(-values, k - 1)[:k] if len(values) > k else np.arange(len(values))
        order = kept[np.argsort(-values[kept], kind="stable")]
        return rows[order], values[order]


@dataclass(frozen=True)
class BuiltIndex:
    """A built index with what the manifest says of it: kind, measured recall@100, probes."""

    index: VectorIndex
    kind: str
    recall: float


def build_index(
    vectors: Scores, queries: Scores, *, exact_below: int, min_recall: float, seed: int
) -> BuiltIndex:
    """Build the cheapest index that holds the recall, else an exact one.

    Args:
        vectors: float32 [n, dim].
        queries: float32 [n_queries, dim], real ones: recall is measured on them.
        exact_below: Fewer vectors than this get an exact index at once.
        min_recall: Least recall@100 against exact search.
        seed: Of the clustering.
    """
    exact = faiss.IndexFlatIP(vectors.shape[1])
    exact.add(vectors)
    flat = VectorIndex(exact)
    if len(vectors) < max(exact_below, 2 * _HEAD) or not len(queries):
        return BuiltIndex(flat, "exact", 1.0)
    truth = exact.search(queries, _MEASURED_K)[1]
    by_norm = np.argsort(-np.linalg.norm(vectors, axis=1), kind="stable").astype(np.int32)
    head_rows, tail_rows = np.sort(by_norm[:_HEAD]), np.sort(by_norm[_HEAD:])
    tail = _inverted_file(vectors[tail_rows], seed)
    for probes in _PROBES:
        index = VectorIndex(tail, tail_rows, vectors[head_rows], head_rows, probes)
        recall = measure_recall(index, queries, truth)
        if recall >= min_recall:
            return BuiltIndex(index, "head_and_inverted_file", recall)
    return BuiltIndex(flat, "exact", 1.0)


def measure_recall(index: VectorIndex, queries: Scores, truth: npt.NDArray[np.int64]) -> float:
    """Mean share of the true rows [n_queries, k] that the index finds in its own k."""
    k = truth.shape[1]
    hits = [np.isin(index.search(query, k)[0], rows).sum() for query, rows in zip(queries, truth, strict=True)]
    return float(np.mean(hits)) / k


def _inverted_file(vectors: Scores, seed: int) -> faiss.Index:
    dim, n_lists = vectors.shape[1], max(16, int(2 * np.sqrt(len(vectors))))
    quantizer = faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, n_lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.seed = seed
    index.train(vectors)
    index.add(vectors)
    index.own_fields = True
    quantizer.this.disown()
    return index


def search_allowed(vectors: Scores, allowed: Mask, query: Scores, k: int) -> tuple[Rows, Scores]:
    """The k allowed rows of largest inner product by a plain scan; for offline questions about few rows."""
    rows = np.flatnonzero(allowed).astype(np.int32)
    values = vectors[rows] @ query
    best = np.argsort(-values, kind="stable")[:k]
    return rows[best], values[best].astype(np.float32)
