from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.records import pack, unpack

DTYPES = (np.int64, np.float32, np.int8)
headers = st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.lists(st.text(max_size=3)))


@given(headers, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_a_record_gives_back_what_was_packed(header: dict[str, Any], numbers: list[int]) -> None:
    columns: list[npt.NDArray[Any]] = [
        np.array(numbers, np.int64),
        np.full(len(numbers), 0.5, np.float32),
        np.ones(len(numbers), np.int8),
    ]
    unpacked = unpack(pack(3, header, columns), 3, DTYPES)
    assert unpacked is not None
    assert unpacked[0] == header
    for got, wanted in zip(unpacked[1], columns, strict=True):
        assert got.dtype == wanted.dtype
        assert got.flags.aligned
        np.testing.assert_array_equal(got, wanted)


def test_a_record_of_another_layout_is_none() -> None:
    record = pack(3, {}, [np.zeros(2, np.int64)])
    assert unpack(record, 4, [np.int64]) is None
    assert unpack(record, 3, DTYPES) is None
    assert unpack(b"", 3, DTYPES) is None
