from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import Bundle, BundleWriter, open_bundle
from recommender.components import build_ranker
from recommender.errors import BundleError
from recommender.feed.rankers.calibration import Calibration
from recommender.types import Candidates, Scores
from tests.feed.rankers.contract import COLUMNS, QUERY
from tests.feed.rankers.weights import with_logistic_ranker
from tests.worlds import write_tiny_bundle

_finite = st.floats(-30, 30, width=32)


def with_calibration(bundle: Bundle, scores: Scores, probabilities: Scores) -> Bundle:
    """The same bundle, in its folder, with chances."""
    writer = BundleWriter(bundle.folder)
    writer.array("ranker/knot_scores", scores)
    writer.array("ranker/knot_probabilities", probabilities)
    ranker = {**bundle.manifest.ranker, "calibration": {"horizon_days": 14.0}}
    writer.finish(bundle.manifest.model_copy(update={"ranker": ranker}))
    return open_bundle(bundle.folder)


def knots(*pairs: tuple[float, float]) -> tuple[Scores, Scores]:
    scores, probabilities = np.array(pairs, np.float32).T
    return np.ascontiguousarray(scores), np.ascontiguousarray(probabilities)


@given(
    st.lists(_finite, min_size=1, max_size=8, unique=True),
    st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8),
    st.lists(_finite, max_size=30),
)
def test_a_larger_score_never_has_a_smaller_chance(at: list[float], levels: list[float], asked: list[float]) -> None:
    rising = np.array(sorted(levels[: len(at)]), np.float32)
    calibration = Calibration(np.array(sorted(at), np.float32), rising)
    chances = calibration.probabilities(np.array(sorted(asked), np.float32))
    assert (np.diff(chances) >= 0).all()
    assert ((chances >= 0) & (chances <= 1)).all()


def test_a_bundle_without_knots_knows_no_chance(tmp_path: Path) -> None:
    ranker = build_ranker(with_logistic_ranker(write_tiny_bundle(tmp_path / "v")))
    candidates = some_candidates()
    assert np.isnan(ranker.probabilities(QUERY, candidates, ranker.score(QUERY, candidates))).all()


def test_knots_are_read_between_and_kept_beyond_their_ends(tmp_path: Path) -> None:
    bundle = with_calibration(write_tiny_bundle(tmp_path / "v"), *knots((0, 0.0), (2, 0.5), (4, 0.75)))
    found = Calibration.of(bundle).probabilities(np.array([-9, 1, 3, 9], np.float32))
    np.testing.assert_allclose(found, [0.0, 0.25, 0.625, 0.75])


@pytest.mark.parametrize("pairs", [[(0, 0.1), (0, 0.2)], [(0, 0.2), (1, 0.1)], [(0, -0.1)], [(0, 1.1)], [(0, np.nan)]])
def test_knots_that_do_not_rise_are_refused(tmp_path: Path, pairs: list[tuple[float, float]]) -> None:
    bundle = with_calibration(write_tiny_bundle(tmp_path / "v"), *knots(*pairs))
    with pytest.raises(BundleError, match="knots do not rise"):
        build_ranker(bundle)


def test_where_one_source_stands_alone_its_places_are_no_chances(tmp_path: Path) -> None:
    bundle = with_calibration(with_logistic_ranker(write_tiny_bundle(tmp_path / "v")), *knots((-9, 0.1), (9, 0.9)))
    ranker = build_ranker(bundle)
    both, alone = some_candidates(), some_candidates(columns=1)
    assert not np.isnan(ranker.probabilities(QUERY, both, ranker.score(QUERY, both))).any()
    assert np.isnan(ranker.probabilities(QUERY, alone, ranker.score(QUERY, alone))).all()


def some_candidates(columns: int = 2, n: int = 6) -> Candidates:
    ranks = np.full((n, len(COLUMNS)), -1, np.int32)
    for column in range(columns):
        ranks[:, column] = np.roll(np.arange(n), column)
    scores = np.where(ranks >= 0, 1.0 / (2.0 + ranks), np.nan).astype(np.float32)
    return Candidates(np.arange(n, dtype=np.int32), scores, ranks, np.full_like(ranks, -1), COLUMNS)
