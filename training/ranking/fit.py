"""Fitting the small ranker: a logistic regression over the sources' evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from recommender.types import Scores
from training.ranking.examples import Examples

_MIN_POSITIVES = 50


@dataclass(frozen=True)
class LogisticWeights:
    """The fitted ranker: float32 [n_inputs] arrays and the intercept."""

    means: Scores
    scales: Scores
    coefficients: Scores
    intercept: float

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Arrays by their name in the bundle."""
        return {"means": self.means, "scales": self.scales, "coefficients": self.coefficients}


def fit_logistic(examples: Examples, seed: int) -> LogisticWeights | None:
    """Fit on standardised inputs; a missing input stands at its mean, and `present` says that it was missing.

    Returns:
        None where there are fewer than 50 targets to learn from, or nothing but targets.
    """
    positives = int(examples.labels.sum())
    if positives < _MIN_POSITIVES or positives == len(examples.labels):
        return None
    means = np.nanmean(_with_a_row(examples.inputs), axis=0).astype(np.float32)
    scales = np.nanstd(_with_a_row(examples.inputs), axis=0).astype(np.float32)
    scales = np.where(scales > 1e-6, scales, np.float32(1.0))
    standardised = np.nan_to_num((examples.inputs - means) / scales, copy=False, nan=0.0)
    model = LogisticRegression(C=1.0, max_iter=500, random_state=seed)
    model.fit(standardised, examples.labels)
    return LogisticWeights(means, scales, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def _with_a_row(inputs: Scores) -> Scores:
    """The inputs, with a row of zeros where a column holds nothing but NaN, so that means exist."""
    empty = np.isnan(inputs).all(axis=0)
    if not empty.any():
        return inputs
    row = np.where(empty, 0.0, np.nan).astype(np.float32)[None]
    return np.concatenate([inputs, row])
