from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import Bundle, BundleWriter, open_bundle
from recommender.components import build_ranker
from recommender.errors import BundleError
from recommender.feed.rankers.short_history import ShortHistoryRanker
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.rankers.trees import TreeInputs, TreeRanker
from recommender.types import Candidates, FeedQuery, History, Scores
from tests.feed.rankers.contract import COLUMNS, QUERY, RankerContract
from tests.worlds import NOW_MS, write_tiny_bundle


def with_trees(bundle: Bundle, **ranker: object) -> Bundle:
    """The same bundle, in its folder, ranked by seeded trees over all inputs, with personal slots."""
    names = list(TreeInputs(bundle).names)
    rng = np.random.default_rng(5)
    writer = BundleWriter(bundle.folder)
    writer.array("ranker/features", rng.integers(0, len(names), (8, 4)).astype(np.int32))
    writer.array("ranker/borders", rng.normal(size=(8, 4)).astype(np.float32))
    writer.array("ranker/leaves", rng.normal(size=(8, 16)))
    writer.array("ranker/usual_standings", rng.normal(size=bundle.n_items).astype(np.float32))
    parameters = {"name": "trees", "bias": -2.0, "inputs": names, "voices": dict.fromkeys(bundle.manifest.sources, 1.0)}
    writer.finish(bundle.manifest.model_copy(update={"ranker": {**parameters, **ranker}}))
    return open_bundle(bundle.folder)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return with_trees(write_tiny_bundle(tmp_path_factory.mktemp("trees") / "tiny"))


def some_candidates(n: int = 6) -> Candidates:
    ranks = np.full((n, len(COLUMNS)), -1, np.int32)
    ranks[:, 0], ranks[:, 1] = np.arange(n), np.arange(n)[::-1]
    scores = np.where(ranks >= 0, 1.0 / (2.0 + ranks), np.nan).astype(np.float32)
    return Candidates(np.arange(n, dtype=np.int32), scores, ranks, np.full_like(ranks, -1), COLUMNS)


class TestTreeRanker(RankerContract):
    all_is_known = False

    @pytest.fixture
    def ranker(self, grown: Bundle) -> TreeRanker:
        return TreeRanker(grown)

    def test_the_source_that_had_the_row_highest_leads_where_all_weigh_the_same(self, ranker: TreeRanker) -> None:
        leads = ranker.contributions(QUERY, some_candidates()).argmax(axis=1)
        assert leads.tolist() == [0, 0, 0, 1, 1, 1]

    def test_a_history_changes_the_inputs_of_what_it_holds(self, grown: Bundle) -> None:
        inputs = TreeInputs(grown)
        own = inputs.names.index("own_had")
        bought = History(np.array([2], np.int32), np.array([6], np.uint8), np.array([NOW_MS - 1], np.int64))
        found = inputs.of(FeedQuery(NOW_MS, "x", history=bought), some_candidates())[:, own]
        assert np.flatnonzero(found).tolist() == [2]

    def test_trees_over_other_inputs_are_refused(self, tmp_path: Path) -> None:
        bundle = with_trees(write_tiny_bundle(tmp_path / "tiny"), inputs=["als.score"])
        with pytest.raises(BundleError, match="inputs that this build does not make"):
            TreeRanker(bundle)

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("features", np.full((8, 4), 999, np.int32)),
            ("borders", np.zeros((8, 3), np.float32)),
            ("leaves", np.zeros((8, 15))),
        ],
    )
    def test_arrays_that_do_not_fit_together_are_refused(self, tmp_path: Path, name: str, values: Scores) -> None:
        bundle = with_trees(write_tiny_bundle(tmp_path / "tiny"))
        writer = BundleWriter(bundle.folder)
        writer.array(f"ranker/{name}", values)
        writer.finish(bundle.manifest)
        with pytest.raises(BundleError, match="do not fit together"):
            TreeRanker(open_bundle(bundle.folder))


def test_below_the_shortest_history_that_was_learned_one_source_ranks(tmp_path: Path) -> None:
    bundle = with_trees(write_tiny_bundle(tmp_path / "tiny"), short={"source": COLUMNS[1], "below": 3})
    ranker, learned = build_ranker(bundle), TreeRanker(bundle)
    assert isinstance(ranker, ShortHistoryRanker)
    assert ranker.name == "trees"
    candidates = some_candidates()

    def query(rows: list[int], kind: int = 0) -> FeedQuery:
        n = len(rows)
        times = np.full(n, NOW_MS - 5, np.int64)
        return FeedQuery(NOW_MS, "x", history=History(np.array(rows, np.int32), np.full(n, kind, np.uint8), times))

    alone = SingleSourceRanker(bundle, COLUMNS[1]).score(QUERY, candidates)
    for few in (query([]), query([1, 2]), query([1, 2, 1, 2, 1]), query([1, 2, 3, 4], kind=8)):
        np.testing.assert_array_equal(ranker.score(few, candidates), alone)
    enough = query([1, 2, 3])
    np.testing.assert_array_equal(ranker.score(enough, candidates), learned.score(enough, candidates))
    np.testing.assert_array_equal(ranker.contributions(enough, candidates), learned.contributions(enough, candidates))
