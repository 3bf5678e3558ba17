from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.features.ranker_inputs import SOURCE_INPUTS, input_names, ranker_inputs
from recommender.types import Candidates, Rows

POPULARITY = np.linspace(1, 0, 30, dtype=np.float32)
SOURCES = ("als", "content", "popularity_recent")


@st.composite
def candidate_sets(draw: st.DrawFn) -> Candidates:
    """What a merge could give: unique rows, each of at least one source, whose ranks are its own order."""
    rows = draw(st.lists(st.integers(0, 29), unique=True, max_size=12))
    present = draw(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=len(rows), max_size=len(rows)))
    mask = np.array(present, np.bool_).reshape(-1, 3)
    drawn = st.floats(-2, 9, width=32)
    values = draw(st.lists(drawn, min_size=3 * len(rows), max_size=3 * len(rows)))
    scores = np.where(mask, np.array(values, np.float32).reshape(-1, 3), np.nan).astype(np.float32)
    ranks = np.argsort(np.argsort(-np.nan_to_num(scores, nan=-99.0), axis=0), axis=0)
    own: Rows = np.where(mask, ranks, -1).astype(np.int32)
    return Candidates(np.array(rows, np.int32), scores, own, np.full_like(own, -1), SOURCES)


@given(candidate_sets())
def test_what_a_source_did_not_retrieve_is_missing_and_never_zero(candidates: Candidates) -> None:
    inputs = ranker_inputs(candidates, POPULARITY)
    assert inputs.shape == (len(candidates), len(input_names(SOURCES)))
    for source in range(3):
        columns = dict(zip(SOURCE_INPUTS, inputs[:, 4 * source : 4 * source + 4].T, strict=True))
        absent = candidates.source_ranks[:, source] < 0
        for name in ("score", "share", "rank"):
            np.testing.assert_array_equal(np.isnan(columns[name]), absent)
        np.testing.assert_array_equal(columns["present"], ~absent)


@given(candidate_sets(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_is_no_input(candidates: Candidates, draw: random.Random) -> None:
    order = np.array(draw.sample(range(len(candidates)), len(candidates)), np.intp)
    permuted = ranker_inputs(candidates.take(order), POPULARITY)
    np.testing.assert_array_equal(permuted, ranker_inputs(candidates, POPULARITY)[order])


@given(candidate_sets())
def test_a_source_s_inputs_do_not_depend_on_the_other_sources(candidates: Candidates) -> None:
    alone = Candidates(
        candidates.rows,
        candidates.source_scores[:, [1]].copy(),
        candidates.source_ranks[:, [1]].copy(),
        candidates.evidence[:, [1]].copy(),
        SOURCES[1:2],
    )
    np.testing.assert_array_equal(
        ranker_inputs(alone, POPULARITY)[:, :4], ranker_inputs(candidates, POPULARITY)[:, 4:8]
    )


def test_the_worked_out_inputs_of_two_candidates() -> None:
    candidates = Candidates(
        np.array([0, 29], np.int32),
        np.array([[3.0, np.nan], [1.5, -2.0]], np.float32),
        np.array([[0, -1], [2, 0]], np.int32),
        np.full((2, 2), -1, np.int32),
        ("als", "content"),
    )
    first, second = ranker_inputs(candidates, POPULARITY)
    assert input_names(candidates.sources) == (
        *("als.score", "als.share", "als.rank", "als.present"),
        *("content.score", "content.share", "content.rank", "content.present"),
        "popularity",
    )
    nan = float("nan")
    assert first.tolist() == pytest.approx(
        [np.log(3), 1.0, 0.0, 1.0, nan, nan, nan, 0.0, np.log(10_001)], nan_ok=True, rel=1e-5
    )
    # No score of the second source is positive, so no share of one is either.
    assert second.tolist() == pytest.approx(
        [np.log(1.5), 0.5, -np.log(3), 1.0, np.log(1e-6), 0.0, 0.0, 1.0, 0.0], rel=1e-5
    )


def test_no_candidates_have_no_inputs() -> None:
    nothing = np.empty((0, 3), np.int32)
    empty = Candidates(np.empty(0, np.int32), np.empty((0, 3), np.float32), nothing, nothing, SOURCES)
    assert ranker_inputs(empty, POPULARITY).shape == (0, 13)
