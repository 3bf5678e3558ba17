"""The models of a tiny world, computed in the plainest way: what a person would work out by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.encoders.text import N_BUCKETS, TextEncoder
from recommender.types import DAY_MS, Item

#: (item_id, event_type, time_ms); a time of None is a log without times.
Touch = tuple[str, str, int | None]
Log = Mapping[str, Sequence[Touch]]

WEIGHTLESS: Final = frozenset({"impression", "hide", "return"})
DIM: Final = 4
REGULARIZATION: Final = 0.1
ALPHA: Final = 10.0
_HALF_LIFE_MS: Final = 7 * DAY_MS


def category_levels(category: str) -> list[str]:
    """A path and its parents, the top first: `a > b` gives `a` and `a > b`."""
    parts = category.split(" > ") if category else []
    return [" > ".join(parts[: end + 1]) for end in range(len(parts))]


def best_first(items: Sequence[Item], scores: Mapping[int, float]) -> list[int]:
    """Rows by falling score; ties by title, never by row or id."""
    return sorted(scores, key=lambda row: (-scores[row], items[row].title, items[row].category))


def recent_popularity(n_items: int, log: Log, rows: Mapping[str, int], now_ms: int) -> dict[int, float]:
    """Decayed count of events by row, over the largest."""
    recent = dict.fromkeys(range(n_items), 0.0)
    for touches in log.values():
        for item_id, event_type, time_ms in touches:
            age_ms = 0 if time_ms is None else now_ms - time_ms
            recent[rows[item_id]] += float(event_type not in WEIGHTLESS) * 0.5 ** (age_ms / _HALF_LIFE_MS)
    most = max(recent.values(), default=0.0) or 1.0
    return {row: weight / most for row, weight in recent.items()}


def follows(log: Log, rows: Mapping[str, int], n_items: int) -> npt.NDArray[np.float64]:
    """[n_items, n_items]: how often the second item came after the first, nearer pairs counting more."""
    pairs = np.zeros((n_items, n_items))
    for touches in log.values():
        first_seen = list(dict.fromkeys(rows[item_id] for item_id, kind, _ in touches if kind not in WEIGHTLESS))
        for place, row in enumerate(first_seen):
            for distance, later in enumerate(first_seen[place + 1 :]):
                pairs[row, later] += 0.9**distance
    return _unpopular(pairs)


def bought_together(log: Log, rows: Mapping[str, int], n_items: int) -> npt.NDArray[np.float64]:
    """[n_items, n_items]: how many users bought both."""
    pairs = np.zeros((n_items, n_items))
    for touches in log.values():
        bought = sorted({rows[item_id] for item_id, kind, _ in touches if kind == "purchase"})
        pairs[np.ix_(bought, bought)] += 1.0
    np.fill_diagonal(pairs, 0.0)
    return _unpopular(pairs)


def als_factors(items: Sequence[Item], log: Log, rows: Mapping[str, int]) -> npt.NDArray[np.float32]:
    """float32 [n_items, DIM]: three sweeps of weighted ALS from factors that hang on titles alone."""
    weights = np.zeros((len(log), len(items)))
    for user, touches in enumerate(log.values()):
        for item_id, event_type, _ in touches:
            weights[user, rows[item_id]] += float(event_type not in WEIGHTLESS)
    factors = np.array([_drawn(f"{item.title}|{item.category}") for item in items]).reshape(-1, DIM)
    for _ in range(3):
        factors = _solve(weights.T, _solve(weights, factors))
    return factors.astype(np.float32)


def text_basis() -> npt.NDArray[np.float32]:
    """float32 [N_BUCKETS, DIM]: a direction for each bucket of terms."""
    return np.random.default_rng(7).normal(size=(N_BUCKETS, DIM)).astype(np.float32)


def content_vectors(items: Sequence[Item], basis: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """float32 [n_items, DIM]: unit vectors whose likeness is shared terms, by the encoder that new items get."""
    encoder = TextEncoder(np.ones(N_BUCKETS, np.float32), basis)
    return np.array([encoder.encode(item.category, item.brand, item.title) for item in items]).reshape(-1, DIM)


def _unpopular(pairs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pairs over the root of how popular the second item is."""
    scaled: npt.NDArray[np.float64] = pairs / np.sqrt(1.0 + pairs.sum(axis=0))
    return scaled


def _solve(weights: npt.NDArray[np.float64], factors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    gram = factors.T @ factors + REGULARIZATION * np.eye(DIM)
    solved = [
        np.linalg.solve(gram + (factors.T * (ALPHA * row)) @ factors, factors.T @ ((1.0 + ALPHA * row) * (row > 0)))
        for row in weights
    ]
    return np.array(solved).reshape(-1, DIM)


def _drawn(text: str) -> npt.NDArray[np.float64]:
    return np.random.default_rng(_hash(text)).normal(size=DIM)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
