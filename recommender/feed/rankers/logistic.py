"""A small learned ranker: a logistic regression over the sources' evidence."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.errors import BundleError
from recommender.features.ranker_inputs import SOURCE_INPUTS, input_names, ranker_inputs
from recommender.feed.rankers.calibration import Calibration, unknown
from recommender.kernels.ranking import linear_terms
from recommender.types import Candidates, FeedQuery, Rows, Scores


class LogisticRanker:
    """Scores are log-odds: of two candidates, the larger score is the likelier target.

    Where a single source found everything, as popularity does for a newcomer, there is nothing to weigh: the weights
    were learned on users with a history, and the source's own order stands.

    Raises:
        BundleError: The bundle's weights are not those of its sources.
    """

    name = "logistic"

    def __init__(self, bundle: Bundle) -> None:
        self._means = bundle.array("ranker/means")
        self._scales = bundle.array("ranker/scales")
        self._coefficients = bundle.array("ranker/coefficients")
        self._intercept = np.float32(bundle.manifest.ranker["intercept"])
        self._calibration = Calibration.of(bundle)
        self._popularity = bundle.array("popularity/recent")
        n_inputs = len(input_names(tuple(bundle.manifest.sources)))
        # The kernel reads as many weights as there are inputs, and nothing stops it at the end of an array.
        for weights in (self._means, self._scales, self._coefficients):
            if weights.shape != (n_inputs,):
                raise BundleError(
                    f"bundle {bundle.folder} has a ranker of {len(weights)} inputs, its sources give {n_inputs}: "
                    "train it again"
                )

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], finite log-odds, comparable within one query."""
        del query
        found = _found(candidates)
        if len(found) == 1:
            return -candidates.source_ranks[:, found[0]].astype(np.float32)
        log_odds: Scores = self._terms(candidates).sum(axis=1) + self._intercept
        return log_odds

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1]; NaN where the bundle tells none, or where one source's order stands."""
        del query
        return unknown(len(scores)) if len(_found(candidates)) == 1 else self._calibration.probabilities(scores)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """Names and values of the inputs, float32 [n, n_inputs], as training saw them; NaN where missing."""
        del query
        return input_names(candidates.sources), ranker_inputs(candidates, self._popularity)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources], the log-odds that each source adds; -inf where it did not retrieve the row."""
        del query
        n_sources = len(candidates.sources)
        terms = self._terms(candidates)[:, : n_sources * len(SOURCE_INPUTS)]
        sums = terms.reshape(len(candidates), n_sources, len(SOURCE_INPUTS)).sum(axis=2)
        return np.where(candidates.source_ranks >= 0, sums, np.float32(-np.inf)).astype(np.float32)

    def _terms(self, candidates: Candidates) -> Scores:
        inputs = ranker_inputs(candidates, self._popularity)
        terms: Scores = linear_terms(inputs, self._means, self._scales, self._coefficients)
        return terms


def _found(candidates: Candidates) -> Rows:
    """The columns of the sources that found anything."""
    return np.flatnonzero((candidates.source_ranks >= 0).any(axis=0)).astype(np.int32)
