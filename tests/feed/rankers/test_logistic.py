from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from recommender.bundle import Bundle, open_bundle
from recommender.errors import BundleError
from recommender.features.ranker_inputs import SOURCE_INPUTS, ranker_inputs
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.types import Candidates
from tests.feed.rankers.contract import COLUMNS, QUERY, RankerContract, candidate_sets, over_candidates
from tests.feed.rankers.weights import INTERCEPT, with_logistic_ranker


class TestLogisticRanker(RankerContract):
    @pytest.fixture
    def ranker(self, learned: Bundle) -> LogisticRanker:
        return LogisticRanker(learned)

    @over_candidates
    @given(candidates=candidate_sets())
    def test_scores_and_contributions_are_the_plain_formula(
        self, ranker: LogisticRanker, learned: Bundle, candidates: Candidates
    ) -> None:
        means, scales, coefficients = (
            learned.array(f"ranker/{name}").astype(np.float64) for name in ("means", "scales", "coefficients")
        )
        inputs = ranker_inputs(candidates, learned.array("popularity/recent")).astype(np.float64)
        terms = np.nan_to_num(coefficients * (inputs - means) / scales, nan=0.0)
        found = np.flatnonzero((candidates.source_ranks >= 0).any(axis=0))
        wanted = terms.sum(axis=1) + INTERCEPT if len(found) != 1 else -candidates.source_ranks[:, found[0]]
        np.testing.assert_allclose(ranker.score(QUERY, candidates), wanted, rtol=1e-3, atol=1e-3)
        contributions = ranker.contributions(QUERY, candidates)
        for source in range(len(COLUMNS)):
            present = candidates.source_ranks[:, source] >= 0
            own = terms[:, source * len(SOURCE_INPUTS) : (source + 1) * len(SOURCE_INPUTS)].sum(axis=1)
            np.testing.assert_allclose(contributions[present, source], own[present], rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("n_inputs", [24, 26])
    def test_weights_of_other_sources_are_refused(self, learned: Bundle, tmp_path: Path, n_inputs: int) -> None:
        folder = tmp_path / "b"
        shutil.copytree(learned.folder, folder)
        bundle = with_logistic_ranker(open_bundle(folder), n_inputs)
        with pytest.raises(BundleError, match=f"a ranker of {n_inputs} inputs, its sources give 25"):
            LogisticRanker(bundle)
