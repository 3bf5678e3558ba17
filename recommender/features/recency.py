"""What a history weighs at a moment: event weights, decayed by time and by how many items came since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.types import DAY_MS, NO_TIME, History, Rows, Scores, Times


@dataclass(frozen=True, slots=True)
class Recency:
    """How fast a history fades; 0 means that it does not.

    Args:
        half_life_days: Age at which an event weighs half.
        half_life_items: Number of later distinct items at which an event weighs half.
        limit: Distinct items that are read at most, the newest first.
    """

    half_life_days: float = 0.0
    half_life_items: float = 0.0
    limit: int = 100

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Recency:
        """The recency among a source's parameters in the manifest."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls) if field.name in parameters})


@njit(nogil=True, cache=True)
def _weigh(
    rows: Rows,
    types: npt.NDArray[np.uint8],
    times_ms: Times,
    type_weights: Scores,
    now_ms: int,
    half_life_days: float,
    half_life_items: float,
    limit: int,
) -> tuple[Rows, Scores]:
    n = len(rows)
    out_rows = np.empty(min(n, limit), np.int32)
    out_weights = np.zeros(min(n, limit), np.float32)
    found = 0
    for back in range(n):
        event = n - 1 - back
        weight = type_weights[types[event]]
        if weight <= 0.0:
            continue
        place = 0
        while place < found and out_rows[place] != rows[event]:
            place += 1
        if place == limit:
            continue
        if half_life_days > 0.0 and times_ms[event] != NO_TIME:
            age_days = max(now_ms - times_ms[event], 0) / DAY_MS
            weight *= 2.0 ** (-age_days / half_life_days)
        if half_life_items > 0.0 and times_ms[event] != NO_TIME:
            weight *= 2.0 ** (-place / half_life_items)
        if place == found:
            out_rows[place] = rows[event]
            found += 1
        out_weights[place] += weight
    return out_rows[:found], out_weights[:found]


def history_weights(history: History, type_weights: Scores, now_ms: int, recency: Recency) -> tuple[Rows, Scores]:
    """The distinct items of a history with their decayed weights, the newest first.

    An item's weight is the sum over its events of type weight, halved every `half_life_days` of age and every
    `half_life_items` later distinct items. Without times neither decay applies.

    Args:
        history: Events, oldest first.
        type_weights: float32 [256] by event type code.
        now_ms: The moment to look back from.
        recency: Half-lives and limit.

    Returns:
        rows int32 [m], unique, and weights float32 [m] > 0 (0 only by underflow), m <= recency.limit.
    """
    return _weigh(  # type: ignore[no-any-return]  # numba's dispatcher is untyped
        history.item_rows,
        history.event_types,
        history.times_ms,
        type_weights,
        now_ms,
        recency.half_life_days,
        recency.half_life_items,
        recency.limit,
    )
