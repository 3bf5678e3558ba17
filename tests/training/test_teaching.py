"""What is decided on folds."""

from __future__ import annotations

import numpy as np

from training.teaching import first_as_good


def test_the_first_of_those_that_users_cannot_tell_apart_is_taken() -> None:
    draws = np.random.default_rng(1).random(400)
    assert first_as_good({"particular": draws - 0.005, "general": draws}) == "particular"
    assert first_as_good({"particular": draws - 0.1, "general": draws}) == "general"
    assert first_as_good({"general": draws, "particular": draws - 0.005}) == "general"
    assert first_as_good({"only": np.empty(0)}) == "only"
