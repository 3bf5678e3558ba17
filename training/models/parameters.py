"""Parameters of sources as the manifest keeps them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from recommender.features.recency import Recency


def recency_parameters(recency: Recency) -> dict[str, Any]:
    """The fields of a recency, for `Recency.of` to read back."""
    return asdict(recency)
