from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.numbering import Numbering


@given(st.lists(st.integers(1, 500), unique=True))
def test_rows_come_back_from_their_numbers(numbers: list[int]) -> None:
    numbering = Numbering(np.array(numbers, np.int64))
    rows = np.arange(len(numbers), dtype=np.int32)
    assert numbering.numbers(rows).tolist() == numbers
    assert numbering.rows(np.array(numbers, np.int64)).tolist() == rows.tolist()


def test_a_number_that_this_bundle_lacks_has_no_row() -> None:
    numbering = Numbering(np.array([7, 3], np.int64))
    assert numbering.rows(np.array([3, 4, 8, 2**40, -1, 0], np.int64)).tolist() == [1, -1, -1, -1, -1, -1]


def test_no_row_has_no_number() -> None:
    assert Numbering(np.array([7, 3], np.int64)).numbers(np.array([-1, 1], np.int32)).tolist() == [-1, 3]
