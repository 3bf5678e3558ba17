from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.membership import contains

few = st.integers(0, 50) | st.sampled_from([2**31 - 1, 2**30, 65_536, 131_072])


@given(st.lists(few, max_size=60), st.lists(few | st.just(-1), max_size=60))
def test_membership_is_that_of_a_set(members: list[int], rows: list[int]) -> None:
    found = contains(np.array(members, np.int32), np.array(rows, np.int32))
    assert found.dtype == np.bool_
    assert found.tolist() == [row in set(members) for row in rows]


def test_read_only_arrays_are_taken_as_they_are_mapped() -> None:
    members = np.array([1, 2], np.int32)
    members.flags.writeable = False
    assert contains(members, np.array([2, 3], np.int32)).tolist() == [True, False]
