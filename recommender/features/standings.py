"""How a user's candidates stand among each other, on one scale whatever ranked them."""

from __future__ import annotations

import numpy as np

from recommender.types import Scores


def standings(scores: Scores) -> Scores:
    """float32 [n]: how many standard deviations each score lies above the mean of the user's candidates.

    Log-odds, places in lists and expected values all become comparable between users; 0 where all scores are equal.
    """
    if not len(scores):
        return scores
    wide = scores.astype(np.float64)
    spread = float(wide.std())
    above: Scores = ((wide - wide.mean()) / (spread if spread > 1e-9 else 1.0)).astype(np.float32)
    return above
