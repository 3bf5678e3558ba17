"""What a ranker computes for each candidate: its inputs, and the terms of a linear score."""

from __future__ import annotations

import numpy as np
from numba import njit

from recommender.types import Rows, Scores


@njit(nogil=True, cache=True)
def fill_ranker_inputs(rows: Rows, scores: Scores, ranks: Rows, popularity: Scores, out: Scores) -> None:
    """Write four columns per source and one of the item; `recommender.features.ranker_inputs` says what they mean.

    Args:
        rows: int32 [n].
        scores: float32 [n, n_sources], read only where `ranks` says that the source retrieved the row.
        ranks: int32 [n, n_sources], -1 where absent.
        popularity: float32 [n_items].
        out: float32 [n, 4 * n_sources + 1], overwritten.
    """
    n, n_sources = scores.shape
    for source in range(n_sources):
        largest = np.float32(0.0)
        for place in range(n):
            if ranks[place, source] >= 0 and scores[place, source] > largest:
                largest = scores[place, source]
        column = source * 4
        for place in range(n):
            if ranks[place, source] < 0:
                out[place, column] = np.nan
                out[place, column + 1] = np.nan
                out[place, column + 2] = np.nan
                out[place, column + 3] = 0.0
            else:
                score = scores[place, source]
                out[place, column] = np.log(max(score, np.float32(1e-6)))
                out[place, column + 1] = score / largest if largest > 0.0 else np.float32(0.0)
                out[place, column + 2] = -np.log1p(np.float32(ranks[place, source]))
                out[place, column + 3] = 1.0
    for place in range(n):
        out[place, n_sources * 4] = np.log1p(popularity[rows[place]] * 1e4)


@njit(nogil=True, cache=True)
def linear_terms(inputs: Scores, means: Scores, scales: Scores, coefficients: Scores) -> Scores:
    """The addends of a linear score over standardised inputs; a missing input stands at its mean and adds nothing.

    Args:
        inputs: float32 [n, n_inputs], NaN where missing.
        means, scales, coefficients: float32 [n_inputs], scales > 0.

    Returns:
        float32 [n, n_inputs], coefficient * (input - mean) / scale, 0 where missing.
    """
    terms = np.zeros(inputs.shape, np.float32)
    for row in range(inputs.shape[0]):
        for column in range(inputs.shape[1]):
            value = inputs[row, column]
            if not np.isnan(value):
                terms[row, column] = coefficients[column] * (value - means[column]) / scales[column]
    return terms
