"""What a history says of candidates, against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.affinity import event_weights_of, fill_days_since, fill_own_inputs, fill_shares
from recommender.types import DAY_MS, NO_TIME, Rows, Times

N_ITEMS = 12
NOW_MS = 1_000 * DAY_MS
#: Types 0, 1 and 2 look, want and have; type 3 says nothing.
GROUPS = np.full(256, -1, np.int8)
GROUPS[:3] = [0, 1, 2]
CODES = np.array([0, 0, 1, 1, 2, 2, -1, -1, 3, 3, 3, 3], np.int32)

events = st.lists(st.tuples(st.integers(0, N_ITEMS - 1), st.integers(0, 3), st.integers(0, 400 * 24)), max_size=30).map(
    lambda rows: sorted(rows, key=lambda row: -row[2])
)
candidates = st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS)


def columns(history: list[tuple[int, int, int]], timed: bool) -> tuple[Rows, np.ndarray, Times]:
    """Rows, types and times; the third of a triple is the age in hours."""
    times = [NOW_MS - hours * DAY_MS // 24 if timed else NO_TIME for _, _, hours in history]
    return (
        np.array([row for row, _, _ in history], np.int32),
        np.array([kind for _, kind, _ in history], np.uint8),
        np.array(times, np.int64),
    )


@given(candidates, events, st.booleans())
def test_own_inputs_are_the_plain_ones(wanted: list[int], history: list[tuple[int, int, int]], timed: bool) -> None:
    rows, types, times = columns(history, timed)
    out = np.full((len(wanted), 9), 77.0, np.float32)
    n_distinct = fill_own_inputs(np.array(wanted, np.int32), rows, types, times, GROUPS, NOW_MS, out, 1)
    told = [(row, kind, time) for row, kind, time in zip(rows, types, times, strict=True) if kind < 3]
    newest_first = list(dict.fromkeys(row for row, _, _ in reversed(told)))
    assert n_distinct == len(newest_first)
    assert (out[:, 0] == 77).all()
    assert (out[:, 8] == 77).all()
    for at, row in enumerate(wanted):
        own = [(kind, int(time)) for other, kind, time in told if other == row]
        expected = [np.log1p(sum(kind == group for kind, _ in own)) for group in range(3)]
        expected += plain_times([time for _, time in own], timed)
        expected.append(np.log1p(newest_first.index(row)) if own else np.nan)
        np.testing.assert_allclose(out[at, 1:8], expected, rtol=1e-5)


def plain_times(times: list[int], timed: bool) -> list[float]:
    """Days since the newest, mean gap between moments a day apart, and their quotient."""
    if not times or not timed:
        return [np.nan] * 3
    moments = [times[-1]]
    for time in reversed(times[:-1]):
        if moments[-1] - time >= DAY_MS:
            moments.append(time)
    days = (NOW_MS - moments[0]) / DAY_MS
    if len(moments) == 1:
        return [np.log1p(days), np.nan, np.nan]
    gap = (moments[0] - moments[-1]) / DAY_MS / (len(moments) - 1)
    return [np.log1p(days), np.log1p(gap), min(days / gap, 20.0)]


@given(candidates, events)
def test_shares_sum_the_weights_of_the_candidate_s_code(wanted: list[int], history: list[tuple[int, int, int]]) -> None:
    rows, types, times = columns(history, timed=True)
    weights = event_weights_of(types, times, GROUPS, NOW_MS, 60.0, 5.0)
    out = np.empty((len(wanted), 2), np.float32)
    fill_shares(CODES, 4, np.array(wanted, np.int32), rows, weights, out, 0)
    fill_days_since(CODES, 4, np.array(wanted, np.int32), rows, times, weights, NOW_MS, out, 1)
    known = [(CODES[row], weight, time) for row, weight, time in zip(rows, weights, times, strict=True)]
    whole = sum(weight for code, weight, _ in known if code >= 0)
    for at, row in enumerate(wanted):
        own = [(weight, time) for code, weight, time in known if code == CODES[row] and weight > 0]
        if CODES[row] < 0:
            assert np.isnan(out[at]).all()
            continue
        assert out[at, 0] == pytest.approx(sum(weight for weight, _ in own) / whole if whole else 0.0, abs=1e-5)
        days = np.log1p((NOW_MS - max(time for _, time in own)) / DAY_MS) if own else np.nan
        np.testing.assert_allclose(out[at, 1], days, rtol=1e-5)


def test_weights_halve_by_age_and_by_newer_events() -> None:
    rows, types, times = columns([(0, 0, 48), (1, 3, 24), (2, 2, 24), (0, 1, 0)], timed=True)
    del rows
    assert event_weights_of(types, times, GROUPS, NOW_MS, 1.0, 0.0).tolist() == [0.25, 0.0, 0.5, 1.0]
    assert event_weights_of(types, times, GROUPS, NOW_MS, 0.0, 1.0).tolist() == [0.25, 0.0, 0.5, 1.0]
    untimed = np.full(4, NO_TIME, np.int64)
    assert event_weights_of(types, untimed, GROUPS, NOW_MS, 1.0, 0.0).tolist() == [1.0, 0.0, 1.0, 1.0]
