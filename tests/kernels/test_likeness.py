from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.likeness import most_alike

VECTORS = np.random.default_rng(5).normal(size=(30, 6)).astype(np.float32)
VECTORS[28:] = 0.0
LENGTHS = np.linalg.norm(VECTORS, axis=1, keepdims=True)
UNITS = VECTORS / np.maximum(LENGTHS, 1e-12)
row_lists = st.lists(st.integers(0, 29), max_size=12)


@given(row_lists, row_lists)
def test_the_named_row_points_most_alike(rows: list[int], own: list[int]) -> None:
    found = most_alike(VECTORS, np.array(rows, np.int32), np.array(own, np.int32))
    assert found.dtype == np.int32
    for row, named in zip(rows, found.tolist(), strict=True):
        cosines = {each: float(UNITS[each] @ UNITS[row]) for each in own}
        best = max(cosines.values(), default=0.0)
        if best < 1e-6:
            assert named == -1
        else:
            assert named in cosines
            assert cosines[named] > best - 1e-6


def test_the_earlier_of_two_that_point_the_same_way_is_named() -> None:
    vectors = np.array([[1, 0], [2, 0], [0.5, 0], [0, 1]], np.float32)
    assert most_alike(vectors, np.array([0], np.int32), np.array([3, 2, 1], np.int32)).tolist() == [2]


def test_what_points_away_is_no_evidence() -> None:
    vectors = np.array([[1, 0], [-1, 0], [0, 1], [0, 0]], np.float32)
    own = np.array([1, 2, 3], np.int32)
    assert most_alike(vectors, np.array([0], np.int32), own).tolist() == [-1]
    assert most_alike(vectors, np.array([3], np.int32), own).tolist() == [-1]
    assert most_alike(vectors, np.array([0], np.int32), np.empty(0, np.int32)).tolist() == [-1]
