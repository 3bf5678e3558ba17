from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.features.confidence import confidence

weights_of = st.lists(st.floats(0, 1e6), max_size=20)


@given(weights_of, st.floats(0, 100))
def test_confidence_is_one_plus_alpha_times_the_log_of_one_plus_the_weight(weights: list[float], alpha: float) -> None:
    sure = confidence(np.array(weights, np.float32), alpha)
    assert sure.dtype == np.float32
    wanted = 1.0 + alpha * np.log1p(np.array(weights, np.float32).astype(np.float64))
    np.testing.assert_allclose(sure, wanted, rtol=1e-5)


def test_no_weight_is_the_confidence_of_what_was_never_touched() -> None:
    assert confidence(np.zeros(2, np.float32), 40.0).tolist() == [1.0, 1.0]
