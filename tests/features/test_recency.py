from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.features.recency import Recency, history_weights
from recommender.kernels.recency import decayed_weights
from recommender.types import DAY_MS, NO_TIME, History

NOW_MS = 1_000 * DAY_MS
WEIGHTS = np.zeros(256, np.float32)
WEIGHTS[[0, 6]] = 1.0


def history_of(*events: tuple[int, int, float | None]) -> History:
    """Events as (row, type code, age in days), oldest first."""
    return History(
        np.array([row for row, _, _ in events], np.int32),
        np.array([kind for _, kind, _ in events], np.uint8),
        np.array([NO_TIME if age is None else int(NOW_MS - age * DAY_MS) for *_, age in events], np.int64),
    )


def weigh(history: History, recency: Recency) -> dict[int, float]:
    rows, weights = history_weights(history, WEIGHTS, NOW_MS, recency)
    assert rows.dtype == np.int32
    assert weights.dtype == np.float32
    return dict(zip(rows.tolist(), weights.tolist(), strict=True))


def test_an_item_weighs_the_sum_of_its_decayed_events() -> None:
    history = history_of((4, 0, 60.0), (5, 6, 30.0), (4, 6, 0.0))
    assert weigh(history, Recency(half_life_days=30)) == pytest.approx({4: 1.25, 5: 0.5})


def test_half_lives_in_items_count_the_distinct_items_since() -> None:
    history = history_of((1, 0, 1.0), (2, 0, 1.0), (2, 6, 1.0), (3, 0, 1.0))
    assert weigh(history, Recency(half_life_items=1)) == pytest.approx({3: 1.0, 2: 1.0, 1: 0.25})


def test_without_times_nothing_fades() -> None:
    history = history_of((1, 0, None), (2, 0, None), (1, 0, None))
    assert weigh(history, Recency(half_life_days=1, half_life_items=1)) == {1: 2.0, 2: 1.0}


def test_events_that_weigh_nothing_neither_count_nor_take_a_place() -> None:
    history = history_of((1, 0, 1.0), (2, 8, 1.0), (3, 255, 1.0))
    assert weigh(history, Recency(limit=1)) == {1: 1.0}


def test_the_newest_items_are_kept_and_their_older_events_still_count() -> None:
    history = history_of((1, 0, 3.0), (2, 0, 2.0), (3, 0, 1.0), (2, 0, 0.5), (1, 0, 0.0))
    assert weigh(history, Recency(limit=2)) == {1: 2.0, 2: 2.0}


def test_what_is_still_to_come_weighs_as_much_as_now() -> None:
    assert weigh(history_of((1, 0, -9.0)), Recency(half_life_days=1)) == {1: 1.0}


def test_an_empty_history_has_no_items() -> None:
    assert weigh(History.empty(), Recency()) == {}


def test_a_recency_is_read_from_among_other_parameters() -> None:
    assert Recency.of({"half_life_days": 30, "limit": 7, "probes": 8, "alpha": 1.0}) == Recency(30, 0.0, 7)
    assert Recency.of({}) == Recency()


def test_a_history_merged_with_live_events_needs_no_other_compiled_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[object]] = []

    def recorded(*arguments: Any) -> object:
        asked.append([_compiled_for(argument) for argument in arguments])
        return decayed_weights(*arguments)

    monkeypatch.setattr("recommender.features.recency.decayed_weights", recorded)
    merged, mapped = (history_of((4, 0, 60.0), (5, 6, 30.0)) for _ in range(2))
    for column in (mapped.item_rows, mapped.event_types, mapped.times_ms):
        column.flags.writeable = False
    assert weigh(mapped, Recency(30.0)) == weigh(merged, Recency(30)) == weigh(merged, Recency(30.0, 0, 100))
    assert asked[0] == asked[1] == asked[2]
    assert merged.item_rows.flags.writeable


def _compiled_for(argument: object) -> object:
    """What of an argument numba compiles anew for."""
    if isinstance(argument, np.ndarray):
        return argument.dtype, argument.flags.writeable, argument.flags.c_contiguous
    return type(argument)
