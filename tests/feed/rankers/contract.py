"""What holds for every ranker."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.bundle import Bundle
from recommender.feed.stages import Ranker
from recommender.types import Candidates, FeedQuery, Rows, Scores
from tests.worlds import NOW_MS, SOURCES, tiny_items

N_ITEMS = len(tiny_items())
#: The columns of candidates, in the order of a bundle's manifest.
COLUMNS = tuple(sorted(SOURCES))
QUERY = FeedQuery(NOW_MS, "ada")
over_candidates = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
)


@st.composite
def candidate_sets(draw: st.DrawFn) -> Candidates:
    """What a merge could give: unique rows, each of at least one source, ranked by each source's own scores."""
    lists = draw(
        st.lists(
            st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=10),
            min_size=len(COLUMNS),
            max_size=len(COLUMNS),
        )
    )
    rows = list(dict.fromkeys(row for listed in lists for row in listed))
    scores: Scores = np.full((len(rows), len(COLUMNS)), np.nan, np.float32)
    ranks: Rows = np.full((len(rows), len(COLUMNS)), -1, np.int32)
    for source, listed in enumerate(lists):
        largest = draw(st.floats(0.125, 64, width=32))
        for rank, row in enumerate(listed):
            scores[rows.index(row), source], ranks[rows.index(row), source] = largest / (1 + rank), rank
    return Candidates(np.array(rows, np.int32), scores, ranks, np.full_like(ranks, -1), COLUMNS)


class RankerContract:
    """Inherited by the tests of each ranker, which give it as a fixture."""

    #: Whether what does not come from a source is always known: trees ask for more than a log can tell.
    all_is_known = True

    @pytest.fixture
    def ranker(self, bundle: Bundle) -> Ranker:
        raise NotImplementedError

    @over_candidates
    @given(candidates=candidate_sets())
    def test_every_candidate_gets_one_finite_score(self, ranker: Ranker, candidates: Candidates) -> None:
        scores = ranker.score(QUERY, candidates)
        assert scores.dtype == np.float32
        assert scores.shape == (len(candidates),)
        assert np.isfinite(scores).all()

    @over_candidates
    @given(candidates=candidate_sets(), draw=st.randoms(use_true_random=False))
    def test_the_order_of_candidates_changes_no_score(
        self, ranker: Ranker, candidates: Candidates, draw: random.Random
    ) -> None:
        order = np.array(draw.sample(range(len(candidates)), len(candidates)), np.intp)
        np.testing.assert_array_equal(
            ranker.score(QUERY, candidates.take(order)), ranker.score(QUERY, candidates)[order]
        )

    @over_candidates
    @given(candidates=candidate_sets())
    def test_its_inputs_have_names_and_are_what_it_saw(self, ranker: Ranker, candidates: Candidates) -> None:
        names, values = ranker.inputs(QUERY, candidates)
        assert len(set(names)) == len(names) > 0
        assert values.dtype == np.float32
        assert values.shape == (len(candidates), len(names))
        assert not np.isinf(values).any()
        # A missing value belongs to a source that did not retrieve the candidate, and to nothing else.
        for column, name in enumerate(names):
            source, _, what = name.partition(".")
            missing = np.isnan(values[:, column])
            if what == "rank":
                assert (missing == (candidates.source_ranks[:, candidates.sources.index(source)] < 0)).all()
            elif not what and self.all_is_known:
                assert not missing.any()

    @over_candidates
    @given(candidates=candidate_sets())
    def test_some_source_that_retrieved_a_candidate_speaks_for_it(self, ranker: Ranker, candidates: Candidates) -> None:
        contributions = ranker.contributions(QUERY, candidates)
        assert contributions.dtype == np.float32
        assert contributions.shape == candidates.source_ranks.shape
        assert not np.isnan(contributions).any()
        present = candidates.source_ranks >= 0
        assert np.isfinite(contributions[present]).all()
        assert (contributions[~present] == -np.inf).all()
