"""A small learned ranker: the chance of the target by a logistic regression over the sources' evidence."""

from __future__ import annotations

import numpy as np
from numba import njit

from recommender.bundle import Bundle
from recommender.features.ranker_inputs import SOURCE_INPUTS, ranker_inputs
from recommender.types import Candidates, FeedQuery, Scores


@njit(nogil=True, cache=True)
def linear_terms(inputs: Scores, means: Scores, scales: Scores, coefficients: Scores) -> Scores:
    """float32 [n, n_inputs]: coefficient times standardised input; 0 where the input is missing (NaN)."""
    terms = np.zeros(inputs.shape, np.float32)
    for row in range(inputs.shape[0]):
        for column in range(inputs.shape[1]):
            value = inputs[row, column]
            if not np.isnan(value):
                terms[row, column] = coefficients[column] * (value - means[column]) / scales[column]
    return terms


class LogisticRanker:
    """Scores are log-odds: monotone in the chance, and finite."""

    name = "logistic"

    def __init__(self, bundle: Bundle) -> None:
        self._means = bundle.array("ranker/means")
        self._scales = bundle.array("ranker/scales")
        self._coefficients = bundle.array("ranker/coefficients")
        self._intercept = float(bundle.manifest.ranker["intercept"])
        self._popularity = bundle.array("popularity/recent")

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], the log-odds of the target."""
        del query
        return (self._terms(candidates).sum(axis=1) + np.float32(self._intercept)).astype(np.float32)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources], the log-odds that each source adds; -inf where it did not retrieve the row."""
        del query
        n_sources = len(candidates.sources)
        terms = self._terms(candidates)[:, : n_sources * len(SOURCE_INPUTS)]
        sums = terms.reshape(len(candidates), n_sources, len(SOURCE_INPUTS)).sum(axis=2)
        return np.where(candidates.source_ranks >= 0, sums, np.float32(-np.inf)).astype(np.float32)

    def _terms(self, candidates: Candidates) -> Scores:
        inputs = ranker_inputs(candidates, self._popularity)
        return linear_terms(inputs, self._means, self._scales, self._coefficients)  # type: ignore[no-any-return]
