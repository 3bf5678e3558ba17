"""What a history weighs at a moment: event weights, decayed by time and by how many items came since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from recommender.kernels.recency import decayed_weights
from recommender.types import History, Rows, Scores

_Column = TypeVar("_Column", bound=np.generic)


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
    found: tuple[Rows, Scores] = decayed_weights(
        _read_only(history.item_rows),
        _read_only(history.event_types),
        _read_only(history.times_ms),
        _read_only(type_weights),
        now_ms,
        float(recency.half_life_days),
        float(recency.half_life_items),
        int(recency.limit),
    )
    return found


def _read_only(column: npt.NDArray[_Column]) -> npt.NDArray[_Column]:
    """The same memory, not writable.

    numba compiles a kernel anew for writable arrays: a bundle's history is mapped read-only, one merged with live
    events is not, and the first shopper with a live event would wait for the compiler.
    """
    view = column.view()
    view.flags.writeable = False
    return view
