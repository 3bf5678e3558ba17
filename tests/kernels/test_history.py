from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.history import deeds_of, merge_histories
from recommender.types import NO_TIME, Rows, Times

Events = list[tuple[int, int, int]]

events = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 6) | st.just(NO_TIME)), max_size=25
).map(lambda found: sorted(found, key=lambda event: event[2]))


def columns(found: Events) -> tuple[Rows, npt.NDArray[np.uint8], Times]:
    return (
        np.array([row for row, _, _ in found], np.int32),
        np.array([kind for _, kind, _ in found], np.uint8),
        np.array([time_ms for _, _, time_ms in found], np.int64),
    )


@given(events, events)
def test_the_merged_history_is_the_old_one_with_what_is_new_in_order_of_time(old: Events, new: Events) -> None:
    merged = merge_histories(*columns(old), *columns(new))
    wanted = sorted([*old, *(event for event in new if event not in set(old))], key=lambda event: event[2])
    assert list(zip(*(column.tolist() for column in merged), strict=True)) == wanted


@given(events, st.lists(st.integers(0, 4), max_size=8))
def test_the_deeds_of_a_row_are_the_types_of_its_events(history: Events, rows: list[int]) -> None:
    history_rows, types, _ = columns(history)
    deeds = deeds_of(np.array(rows, np.int32), history_rows, types)
    wanted = [sum({1 << kind for row, kind, _ in history if row == each}) for each in rows]
    assert deeds.tolist() == wanted


def test_types_beyond_the_last_bit_share_it() -> None:
    rows = np.zeros(3, np.int32)
    deeds = deeds_of(np.array([0, 1], np.int32), rows, np.array([63, 200, 255], np.uint8))
    assert deeds.tolist() == [1 << 63, 0]
