from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from recommender.bundle import Bundle
from recommender.errors import BundleError
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.types import Candidates
from tests.feed.rankers.contract import COLUMNS, QUERY, RankerContract, candidate_sets, over_candidates

OWN = COLUMNS.index("cooccurrence")


class TestSingleSourceRanker(RankerContract):
    @pytest.fixture
    def ranker(self, bundle: Bundle) -> SingleSourceRanker:
        return SingleSourceRanker(bundle)

    @over_candidates
    @given(candidates=candidate_sets())
    def test_the_source_s_order_comes_first_and_popularity_follows(
        self, ranker: SingleSourceRanker, bundle: Bundle, candidates: Candidates
    ) -> None:
        popularity, ranks = bundle.array("popularity/recent"), candidates.source_ranks[:, OWN]

        def place(at: int) -> tuple[bool, float]:
            own = bool(ranks[at] >= 0)
            return not own, float(ranks[at] if own else -popularity[candidates.rows[at]])

        scores = ranker.score(QUERY, candidates)
        wanted = sorted(range(len(candidates)), key=place)
        ordered = scores[wanted]
        assert (np.diff(ordered) <= 0).all()
        own = int((ranks >= 0).sum())
        assert (np.diff(ordered[:own]) < 0).all()
        assert not own or own == len(candidates) or ordered[own] < ordered[own - 1]

    @over_candidates
    @given(candidates=candidate_sets())
    def test_the_source_leads_what_it_retrieved_and_the_best_placed_one_the_rest(
        self, ranker: SingleSourceRanker, candidates: Candidates
    ) -> None:
        leads = ranker.contributions(QUERY, candidates).argmax(axis=1)
        for at, lead in enumerate(leads.tolist()):
            ranks = candidates.source_ranks[at]
            if ranks[OWN] >= 0:
                assert lead == OWN
            else:
                assert ranks[lead] == ranks[ranks >= 0].min()

    def test_two_thousand_ranks_keep_their_order(self, ranker: SingleSourceRanker) -> None:
        ranks = np.full((2_000, len(COLUMNS)), -1, np.int32)
        ranks[:, OWN] = np.arange(2_000)
        rows = np.zeros(2_000, np.int32)
        scores = ranker.score(QUERY, Candidates(rows, ranks.astype(np.float32), ranks, ranks, COLUMNS))
        assert (np.diff(scores) < 0).all()
        assert scores[-1] > 1.0

    def test_another_source_can_be_named(self, bundle: Bundle) -> None:
        ranker = SingleSourceRanker(bundle, "als")
        ranks = np.full((2, len(COLUMNS)), -1, np.int32)
        ranks[:, COLUMNS.index("als")] = [1, 0]
        rows = np.array([0, 1], np.int32)
        scores = ranker.score(QUERY, Candidates(rows, ranks.astype(np.float32), ranks, ranks, COLUMNS))
        assert scores.tolist() == [1.5, 2.0]

    def test_a_source_that_the_bundle_lacks_is_refused(self, bundle: Bundle) -> None:
        with pytest.raises(BundleError, match="ranks by the source 'visual', which is not among its own, als, content"):
            SingleSourceRanker(bundle, "visual")

    def test_what_has_no_popularity_goes_by_its_place_among_the_newcomers(self, bundle: Bundle) -> None:
        untouched = np.flatnonzero(bundle.array("popularity/recent") == 0).astype(np.int32)[:2]
        rows = np.concatenate((untouched, np.flatnonzero(bundle.array("popularity/recent") > 0)[:1])).astype(np.int32)
        ranks = np.array([[-1, 5], [-1, 2], [-1, -1]], np.int32)
        candidates = Candidates(rows, ranks.astype(np.float32), ranks, ranks, ("cooccurrence", "newcomers"))
        scores = SingleSourceRanker(bundle, "cooccurrence").score(QUERY, candidates)
        assert np.argsort(-scores).tolist() == [2, 1, 0]
