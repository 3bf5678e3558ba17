"""Parameters of sources as the manifest keeps them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from recommender.features.recency import Recency

#: What is tried for each source: half-lives in days for shops, in items for sequences, and none.
RECENCIES: dict[str, tuple[Recency, ...]] = {
    "cooccurrence": (Recency(0, 0, 100), Recency(30, 0, 100), Recency(60, 0, 300), Recency(0, 3, 100)),
    "als": (Recency(60, 0, 300), Recency(30, 0, 300), Recency(0, 3, 50), Recency(0, 0, 50)),
    "gfcf": (Recency(60, 0, 300), Recency(30, 0, 100), Recency(0, 3, 100), Recency(0, 0, 300)),
    "ease": (Recency(60, 0, 300), Recency(30, 0, 100), Recency(0, 3, 100), Recency(0, 0, 300)),
    "friends": (Recency(30, 0, 100), Recency(120, 0, 300), Recency(0, 0, 300)),
    "own_frequency": (Recency(60, 0, 1_000), Recency(120, 0, 1_000), Recency(30, 0, 1_000), Recency(0, 5, 1_000)),
    "content": (Recency(30, 0, 100), Recency(0, 3, 50), Recency(0, 0, 50)),
    "popularity_category": (Recency(30, 0, 300), Recency(0, 3, 100), Recency(0, 0, 100)),
}
UNTIMED = Recency(0, 0, 1_000)


def recency_parameters(recency: Recency) -> dict[str, Any]:
    """The fields of a recency, for `Recency.of` to read back."""
    return asdict(recency)


def default_recencies(timed: bool) -> dict[str, Recency]:
    """The first of each source's options; none fades without times."""
    return {name: options[0] if timed else UNTIMED for name, options in RECENCIES.items()}
