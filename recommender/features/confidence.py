"""How sure an interaction weight makes us that a user likes an item."""

from __future__ import annotations

import numpy as np

from recommender.types import Scores


def confidence(weights: Scores, alpha: float) -> Scores:
    """c = 1 + alpha * log(1 + w), float32 [n], for ALS fits and fold-ins alike.

    Args:
        weights: float [n] >= 0, summed and decayed event weights of user-item pairs.
        alpha: Confidence per unit of log weight.

    Source: Hu, Koren, Volinsky, ICDM 2008, section 6 (the logarithmic form, with epsilon 1).
    """
    return (1.0 + alpha * np.log1p(weights)).astype(np.float32)
