"""What variety costs: the diverse order beside the plain score order, on the candidates of a model's own users.

    python -m tests.benchmarks.bench_rerank [--models DIR] [--users 40]

Without --models a synthetic model of 1,000 items is made.

CPU microseconds per request in one thread: the least, the median and the most of the rounds; the ratio is that of the
least ones. Cases: the first page of 200 candidates, and the whole ranked part, which is what a snapshot takes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recommender.bundle import Bundle, current_version, open_bundle
from recommender.config import Settings
from recommender.feed.stages import Reranker
from recommender.types import Candidates, FeedQuery, Scores
from recommender.wiring import build_pipeline
from tests.benchmarks.bench_getfeed import synthetic_models

SEED, ROUNDS, DIVERSITIES = 42, 15, (0.1, 0.5, 0.9)
Case = tuple[FeedQuery, Candidates, Scores]


def cases_of(bundle: Bundle, n_users: int) -> list[Case]:
    """Candidates of users with their scores by a stand-in that falls with the best rank any source gave."""
    pipeline = build_pipeline(bundle, Settings())
    found = []
    for user in np.random.default_rng(SEED).permutation(len(bundle.users.ids))[:n_users].tolist():
        query = FeedQuery(
            bundle.manifest.now_ms, bundle.users.ids[user], history=bundle.history(bundle.users.ids[user])
        )
        candidates = pipeline.candidates(query)
        best = np.where(candidates.source_ranks < 0, 10_000, candidates.source_ranks).min(axis=1)
        found.append((query, candidates, -best.astype(np.float32)))
    return found


def cpu_us(reranker: Reranker, cases: Sequence[Case], k: int) -> list[float]:
    """Sorted microseconds of CPU per request, one figure a round."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for query, candidates, scores in cases:
            reranker.order(query, candidates, scores, k)
        rounds.append((time.process_time() - started) / len(cases) * 1e6)
    return sorted(rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--users", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="windowshop-bench-") as folder:
        models = options.models or synthetic_models(Path(folder) / "models", SEED)
        _print_table(open_bundle(models / str(current_version(models)), verify=False), options.users)


def _print_table(bundle: Bundle, n_users: int) -> None:
    whole = cases_of(bundle, n_users)
    first = [
        (query, candidates.take(np.arange(min(200, len(scores)))), scores[:200]) for query, candidates, scores in whole
    ]
    orders = {each: build_pipeline(bundle, Settings(), diversity=each).reranker for each in (0.0, *DIVERSITIES)}
    print(f"{platform.platform()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, seed {SEED}")
    print(f"{bundle.n_items:,} items, {np.mean([len(scores) for _, _, scores in whole]):.0f} candidates a request")
    print(f"{'case':<22} {'diversity':>9} {'least':>7} {'median':>7} {'most':>7} {'ratio':>6}")
    for name, cases, k in (("20 of 200", first, 20), ("the whole ranked part", whole, 10_000)):
        plain = cpu_us(orders[0.0], cases, k)[0]
        for diversity, reranker in orders.items():
            taken = cpu_us(reranker, cases, k)
            figures = f"{taken[0]:7.0f} {statistics.median(taken):7.0f} {taken[-1]:7.0f} {taken[0] / plain:6.1f}"
            print(f"{name:<22} {diversity:>9} {figures}")


if __name__ == "__main__":
    main()
