"""What finding the items near a user's vector costs, and what it finds: kinds of index on factors that ALS trained.

    python -m tests.benchmarks.bench_index

A seeded log of 120,000 items, whose popularity falls off like a shop's and whose users have tastes, is factored by
`implicit`; the queries are its users, folded in from what they touched. Recall is the share of the hundred rows that
are as near as the true hundredth. CPU time is of one query in one thread, the median of the rounds with the least and
the most.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy loads its library

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

from recommender.features.confidence import confidence
from recommender.features.user_vector import factor_vector, regularised_gram
from recommender.retrieval.vectors import VectorIndex, build_index, measure_recall
from recommender.types import Scores

SEED = 42
N_ITEMS, N_USERS, EVENTS, TASTES = 120_000, 40_000, 60, 300
DIM, REGULARIZATION, ALPHA = 64, 1.0, 10.0
HEAD, LISTS, QUERIES, K, ROUNDS = 4_096, 680, 300, 100, 5


def synthetic_log() -> sp.csr_matrix:
    """Users by items, one where touched: four of five touches within the user's three tastes, by popularity."""
    rng = np.random.default_rng(SEED)
    popularity = (1.0 + rng.permutation(N_ITEMS)) ** -0.8
    taste_of = rng.integers(0, TASTES, N_ITEMS)
    drawn = []
    everywhere = rng.choice(N_ITEMS, (N_USERS, EVENTS), p=popularity / popularity.sum())
    own_tastes = rng.integers(0, TASTES, (N_USERS, 3))
    for taste in range(TASTES):
        items = np.flatnonzero(taste_of == taste)
        weights = popularity[items] / popularity[items].sum()
        users, _ = np.nonzero(own_tastes == taste)
        drawn.append((np.repeat(users, 16), rng.choice(items, len(users) * 16, p=weights)))
    users = np.concatenate([*(each for each, _ in drawn), np.repeat(np.arange(N_USERS), EVENTS // 5)])
    items = np.concatenate([*(each for _, each in drawn), everywhere[:, : EVENTS // 5].ravel()])
    log = sp.coo_matrix((np.ones(len(users), np.float32), (users, items)), shape=(N_USERS, N_ITEMS)).tocsr()
    log.data[:] = 1.0
    return log


def trained_factors(log: sp.csr_matrix) -> Scores:
    sure = log.copy()
    sure.data = confidence(log.data, ALPHA)
    model = AlternatingLeastSquares(DIM, REGULARIZATION, alpha=1.0, iterations=8, random_state=SEED, num_threads=2)
    model.fit(sure, show_progress=False)
    factors: Scores = np.ascontiguousarray(model.item_factors, np.float32)
    return factors


def folded_in(log: sp.csr_matrix, factors: Scores) -> Scores:
    gram = regularised_gram(factors.T @ factors, REGULARIZATION)
    users = np.random.default_rng(SEED).permutation(N_USERS)[:QUERIES]
    rows = (log[user].indices for user in users)
    return np.array([factor_vector(gram, factors, ALPHA, each, np.ones(len(each), np.float32)) for each in rows])


def inverted_file(vectors: Scores, kind: str) -> faiss.Index:
    index = faiss.index_factory(vectors.shape[1], f"IVF{LISTS},{kind}", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    return index


def kinds(vectors: Scores) -> Iterator[tuple[str, VectorIndex]]:
    """Every kind of index that is compared, by name."""
    exact = faiss.IndexFlatIP(DIM)
    exact.add(vectors)
    yield "exact", VectorIndex(exact)
    by_length = np.argsort(-np.linalg.norm(vectors, axis=1), kind="stable").astype(np.int32)
    head_rows, tail_rows = np.sort(by_length[:HEAD]), np.sort(by_length[HEAD:])
    graph = faiss.IndexHNSWFlat(DIM, 32, faiss.METRIC_INNER_PRODUCT)
    graph.add(vectors)
    graph.hnsw.efSearch = 128
    yield "graph (HNSW, ef 128)", VectorIndex(graph)
    for kind, name in (("Flat", "float32"), ("SQfp16", "float16")):
        whole, tail = inverted_file(vectors, kind), inverted_file(vectors[tail_rows], kind)
        for probes in (8, 32):
            yield f"inverted file, {name}, {probes} probes", VectorIndex(whole, probes=probes)
        for probes in (8, 32):
            index = VectorIndex(tail, tail_rows, vectors[head_rows], head_rows, probes)
            yield f"head and inverted file, {name}, {probes} probes", index


def cpu_us(ask: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Median, least and most microseconds of CPU for one of so many questions, over the rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        ask()
        rounds.append((time.process_time() - started) / times * 1e6)
    return statistics.median(rounds), min(rounds), max(rounds)


def main() -> None:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?:?")
    print(f"{platform.platform()}, {os.cpu_count()} x{cpu.split(':')[1]}, Python {platform.python_version()}")
    started = time.perf_counter()
    log = synthetic_log()
    factors = trained_factors(log)
    queries = folded_in(log, factors)
    lengths = np.linalg.norm(factors, axis=1)
    print(
        f"seed {SEED}, {N_ITEMS:,} items x {DIM}, {log.nnz:,} pairs, trained in {time.perf_counter() - started:.0f} s; "
        f"length of the longest vector {lengths.max():.2f}, of the middle one {np.median(lengths):.3f}"
    )
    print(f"{'index':42} {'recall@100':>10} {'CPU us':>8} {'least':>7} {'most':>7} {'share of exact':>15}")
    exact = None
    for name, index in kinds(factors):
        base = index if exact is None else exact
        recall = measure_recall(index, base, factors, queries)
        median, least, most = cpu_us(lambda index=index: [index.search(query, K) for query in queries], QUERIES)  # type: ignore[misc]
        if exact is None:
            exact, whole = index, median
        print(f"{name:42} {recall:10.4f} {median:8.0f} {least:7.0f} {most:7.0f} {median / whole:15.2f}")
    built = build_index(factors, queries, exact_below=20_000, min_recall=0.98, seed=SEED)
    print(f"chosen at 0.98: {built.kind}, {built.index.probes} probes, recall {built.recall:.4f}")


if __name__ == "__main__":
    main()
