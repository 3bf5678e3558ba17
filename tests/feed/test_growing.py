from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.growing import GrowingArray


@given(st.lists(st.tuples(st.sampled_from(["append", "replace", "view"]), st.integers(0, 99)), max_size=200))
def test_a_view_shows_what_was_there_when_it_was_taken_for_ever(steps: list[tuple[str, int]]) -> None:
    array, plain = GrowingArray(np.arange(3)), [0, 1, 2]
    views = []
    for step, value in steps:
        if step == "append":
            array.append(value)
            plain.append(value)
        elif step == "replace":
            array.replace(value % len(plain), value)
            plain[value % len(plain)] = value
        else:
            views.append((array.view(), list(plain)))
    assert array.view().tolist() == plain
    assert len(array) == len(plain)
    for view, wanted in views:
        assert view.tolist() == wanted


def test_a_view_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        GrowingArray(np.arange(3)).view()[0] = 7
