"""From a ranker's scores to chances: the probability that the user turns to the item within the bundle's horizon."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender.bundle import Bundle
from recommender.errors import BundleError
from recommender.types import Scores

_NOTHING: Final[Scores] = np.empty(0, np.float32)


class Calibration:
    """A rising line through knots, which `training.ranking.calibration` fits; flat beyond its ends.

    Args:
        scores: float32 [m], rising; none where the bundle tells no probability.
        probabilities: float32 [m] in [0, 1], never falling.
    """

    def __init__(self, scores: Scores = _NOTHING, probabilities: Scores = _NOTHING) -> None:
        self._scores = scores
        self._probabilities = probabilities

    @classmethod
    def of(cls, bundle: Bundle) -> Calibration:
        """That of a bundle's ranker.

        Raises:
            BundleError: Its knots are none.
        """
        if "calibration" not in bundle.manifest.ranker:
            return cls()
        scores, probabilities = bundle.array("ranker/knot_scores"), bundle.array("ranker/knot_probabilities")
        rising = scores.ndim == 1 and scores.shape == probabilities.shape and len(scores) > 0
        rising = rising and bool((np.diff(scores) > 0).all() and (np.diff(probabilities) >= 0).all())
        if not rising or not (probabilities[0] >= 0 and probabilities[-1] <= 1):
            raise BundleError(f"bundle {bundle.folder} has a calibration whose knots do not rise: train it again")
        return cls(scores, probabilities)

    def probabilities(self, scores: Scores) -> Scores:
        """float32 [n] in [0, 1]: a larger score never has a smaller one; NaN where the bundle tells none.

        Cost: 10 us for 500 scores.
        """
        if not len(self._scores):
            return unknown(len(scores))
        return np.interp(scores, self._scores, self._probabilities).astype(np.float32)


def unknown(n: int) -> Scores:
    """float32 [n] of NaN: probabilities that nobody knows."""
    return np.full(n, np.nan, np.float32)
