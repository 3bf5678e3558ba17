from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from recommender.feed.rankers.reciprocal_rank import ReciprocalRankRanker
from recommender.types import Candidates
from tests.feed.rankers.contract import QUERY, RankerContract, candidate_sets, over_candidates


class TestReciprocalRankRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> ReciprocalRankRanker:
        return ReciprocalRankRanker()

    @over_candidates
    @given(candidates=candidate_sets())
    def test_a_score_is_the_sum_over_the_lists_that_hold_the_candidate(
        self, ranker: ReciprocalRankRanker, candidates: Candidates
    ) -> None:
        wanted = [sum(1 / (61 + rank) for rank in ranks if rank >= 0) for ranks in candidates.source_ranks.tolist()]
        np.testing.assert_allclose(ranker.score(QUERY, candidates), np.array(wanted, np.float32), rtol=1e-5)
