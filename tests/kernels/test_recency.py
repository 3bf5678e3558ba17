from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.recency import decayed_weights
from recommender.types import DAY_MS, NO_TIME, Rows, Scores, Times

NOW_MS = 1_000 * DAY_MS
TYPE_WEIGHTS = np.array([1.0, 0.5, 0.0, -1.0, 2.5], np.float32)

Past = list[tuple[int, int, int]]
times = st.sampled_from([0, 400, 970, 999, 1_000, 1_030]).map(lambda day: day * DAY_MS) | st.just(NO_TIME)
rows = st.integers(0, 12) | st.sampled_from([2**31 - 1, 65_536, 131_072])
pasts = st.lists(st.tuples(rows, st.integers(0, 4), times), max_size=60)
half_lives = st.sampled_from([0.0, 3.0, 30.0])


def columns(past: Past) -> tuple[Rows, npt.NDArray[np.uint8], Times]:
    return (
        np.array([row for row, _, _ in past], np.int32),
        np.array([kind for _, kind, _ in past], np.uint8),
        np.array([time_ms for _, _, time_ms in past], np.int64),
    )


def weigh(past: Past, days: float, items: float, limit: int) -> tuple[Rows, Scores]:
    found: tuple[Rows, Scores] = decayed_weights(*columns(past), TYPE_WEIGHTS, NOW_MS, days, items, limit)
    return found


def plain(past: Past, days: float, items: float, limit: int) -> dict[int, float]:
    weights: dict[int, float] = {}
    for row, kind, time_ms in reversed(past):
        weight = float(TYPE_WEIGHTS[kind])
        if weight <= 0 or (row not in weights and len(weights) >= limit):
            continue
        newer = list(weights).index(row) if row in weights else len(weights)
        if time_ms != NO_TIME and days:
            weight *= 0.5 ** (max(NOW_MS - time_ms, 0) / DAY_MS / days)
        if time_ms != NO_TIME and items:
            weight *= 0.5 ** (newer / items)
        weights[row] = weights.get(row, 0.0) + weight
    return weights


@given(pasts, half_lives, half_lives, st.sampled_from([0, 1, 3, 16, 1_000]))
def test_weights_are_those_of_the_plain_definition(past: Past, days: float, items: float, limit: int) -> None:
    found_rows, weights = weigh(past, days, items, limit)
    wanted = plain(past, days, items, limit)
    assert found_rows.tolist() == list(wanted)
    np.testing.assert_allclose(weights, np.array(list(wanted.values()), np.float32), rtol=1e-5)


@given(pasts, half_lives, half_lives, st.permutations(range(13)))
def test_other_row_numbers_change_nothing_but_names(past: Past, days: float, items: float, names: list[int]) -> None:
    renamed = [(names[row] if row < 13 else row, kind, time_ms) for row, kind, time_ms in past]
    found_rows, weights = weigh(past, days, items, 10)
    other_rows, other_weights = weigh(renamed, days, items, 10)
    assert other_rows.tolist() == [names[row] if row < 13 else row for row in found_rows.tolist()]
    np.testing.assert_array_equal(other_weights, weights)


def test_an_event_weighs_half_after_its_half_life_and_half_again_after_as_many_items() -> None:
    day = NOW_MS - 30 * DAY_MS
    found_rows, weights = weigh([(5, 0, day), (6, 0, day), (7, 0, day)], 30.0, 2.0, 10)
    assert found_rows.tolist() == [7, 6, 5]
    assert weights.tolist() == pytest.approx([0.5, 0.5 * 0.5**0.5, 0.25])


def test_a_thousand_rows_are_told_apart_wherever_their_hashes_fall() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        named = rng.choice(2**31, 1_024, replace=False)
        past = [(row, 0, NOW_MS) for row in [*named.tolist(), *named.tolist()]]
        found_rows, weights = weigh(past, 0.0, 0.0, 1_024)
        assert found_rows.tolist() == named[::-1].tolist()
        assert set(weights.tolist()) == {2.0}
