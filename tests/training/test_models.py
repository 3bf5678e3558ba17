"""Every retrieval model keeps one contract, and says what a person would expect of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import BundleWriter
from recommender.components import build_ranker
from recommender.features.recency import Recency
from recommender.types import FeedQuery, History, Item
from recommender.wiring import build_pipeline
from tests.training.small_log import PER_TASTE, small_settings, write_small_log
from tests.training.test_dataset import build, table_of
from training.catalogue import Catalogue
from training.dataset import Dataset, build_dataset
from training.dense import DenseSource, dense_over
from training.inputs import read_inputs
from training.models.content import has_content
from training.models.cooccurrence import CooccurrenceModel, neighbour_lists
from training.models.lineup import make_models
from training.models.newcomers import NewcomersModel
from training.models.parameters import default_recencies
from training.models.popularity import PopularityModel, category_codes
from training.models.protocol import RetrievalModel
from training.models.shapes import UNTIMED_COOCCURRENCE_SHAPES, CooccurrenceShape, Shapes
from training.nightly import NightlyJob, train
from training.progress import SilentProgress

NAMES = (
    *("popularity_recent", "cooccurrence", "als", "gfcf", "own_frequency", "content", "ease"),
    "popularity_category",
    "newcomers",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("log")
    inputs = read_inputs(write_small_log(folder), folder, small_settings())
    weights = {name: small_settings().train.weight_of(name) for name in inputs.table.event_types}
    keep = np.ones(len(inputs.table), np.bool_)
    return build_dataset(inputs.table, keep, inputs.catalogue, weights)


@pytest.fixture(scope="module")
def models(dataset: Dataset) -> dict[str, RetrievalModel]:
    settings = small_settings(sources=NAMES)
    made = make_models(dataset, settings, default_recencies(timed=True), Shapes())
    for model in made:
        model.fit(dataset)
    return {model.name: model for model in made}


def taste_of(dataset: Dataset, row: int) -> int:
    name = dataset.item_ids[row]
    return int(name[1:]) // PER_TASTE if name[1:].isdigit() else 0


def test_a_log_with_content_and_categories_feeds_every_model(models: dict[str, RetrievalModel]) -> None:
    assert tuple(models) == ("popularity_recent", *(name for name in models if name != "popularity_recent"))
    assert set(models) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
class TestEveryModel:
    """The contract of `RetrievalModel`."""

    def test_scores_every_item_with_finite_numbers(
        self, name: str, models: dict[str, RetrievalModel], dataset: Dataset
    ) -> None:
        scores = models[name].score_all(dataset.history(3), dataset.now_ms)
        assert scores.shape == (dataset.n_items,)
        assert np.isfinite(scores).all()

    def test_without_history_or_evidence_scores_nothing_above_zero_but_popularity(
        self, name: str, models: dict[str, RetrievalModel], dataset: Dataset
    ) -> None:
        scores = models[name].score_all(History.empty(), dataset.now_ms)
        assert (scores > 0).any() == (name == "popularity_recent")

    def test_fits_the_same_twice(self, name: str, models: dict[str, RetrievalModel], dataset: Dataset) -> None:
        again = {
            model.name: model
            for model in make_models(dataset, small_settings(sources=NAMES), default_recencies(timed=True), Shapes())
        }
        if name == "popularity_category":
            again["popularity_recent"].fit(dataset)
        again[name].fit(dataset)
        history = dataset.history(5)
        first, second = (which[name].score_all(history, dataset.now_ms) for which in (models, again))
        np.testing.assert_array_equal(first, second)

    def test_keeps_to_a_taste_where_it_knows_one(
        self, name: str, models: dict[str, RetrievalModel], dataset: Dataset
    ) -> None:
        if name in {"popularity_recent", "newcomers"}:
            pytest.skip("popularity knows no taste, and there is one newcomer")
        hits = []
        for user in range(60):
            history = dataset.history(user)
            best = int(np.argmax(models[name].score_all(history, dataset.now_ms)))
            hits.append(taste_of(dataset, best) == taste_of(dataset, int(history.item_rows[-1])))
        assert np.mean(hits) > 0.9

    def test_writes_without_an_array_that_needs_pickle(
        self, name: str, models: dict[str, RetrievalModel], tmp_path: Path
    ) -> None:
        models[name].write(BundleWriter(tmp_path))
        for path in tmp_path.rglob("*.npy"):
            np.load(path, allow_pickle=False)


def test_what_is_served_is_the_head_of_what_is_dense(tmp_path: Path, dataset: Dataset) -> None:
    """Over lists long enough and an exact index, source and model agree on every item that both name."""
    paths = write_small_log(tmp_path)
    settings = small_settings()
    published = train(NightlyJob(paths, tmp_path / "models", settings), SilentProgress())
    from recommender.bundle import open_bundle

    bundle = open_bundle(published.folder)
    tuned = {name: Recency.of(parameters) for name, parameters in bundle.manifest.sources.items()}
    made = make_models(dataset, settings, tuned, Shapes.of(bundle.manifest.sources))
    pipeline = build_pipeline(bundle, settings)
    for model in made:
        model.fit(dataset)
    user = 11
    query = FeedQuery(now_ms=bundle.manifest.now_ms, history=bundle.history(dataset.user_ids[user]))
    candidates = pipeline.candidates(query)
    for model in made:
        dense = model.score_all(dataset.history(user), dataset.now_ms)
        column = candidates.sources.index(model.name)
        own = candidates.source_ranks[:, column] >= 0
        np.testing.assert_allclose(
            candidates.source_scores[own, column], dense[candidates.rows[own]], rtol=2e-3, atol=1e-5, err_msg=model.name
        )
    # Newcomers keep the order of their own source, whatever the ranker that was learnt says of them.
    ranks = candidates.source_ranks.copy()
    ranks[:, candidates.sources.index("newcomers")] = -1
    ranks[:5, candidates.sources.index("newcomers")] = (3, 1, 4, 0, 2)
    scores = build_ranker(bundle).score(query, replace(candidates, source_ranks=ranks))
    assert bundle.manifest.ranker["name"] != "single_source"
    assert (np.diff(scores[[3, 1, 4, 0, 2]]) <= 0).all()
    # The whole pipeline over dense sources then ranks the same rows by the same inputs.
    over = dense_over({model.name: model for model in made}, bundle.tie_ranks)
    found = build_pipeline(bundle, settings, source_over=over).candidates(query)
    places = np.argsort(found.rows)[np.searchsorted(np.sort(found.rows), candidates.rows)]
    np.testing.assert_array_equal(found.rows[places], candidates.rows)
    np.testing.assert_allclose(found.source_scores[places], candidates.source_scores, rtol=2e-3, atol=1e-5)


def test_a_dense_source_gives_allowed_rows_of_positive_score_alone(
    dataset: Dataset, models: dict[str, RetrievalModel]
) -> None:
    source = DenseSource("als", "item", models["als"], np.arange(dataset.n_items, dtype=np.int32))
    history = dataset.history(3)
    scores = models["als"].score_all(history, dataset.now_ms)
    allowed = np.arange(dataset.n_items) % 2 == 0
    result = source.retrieve(FeedQuery(now_ms=dataset.now_ms, history=history, allowed=allowed), 5)
    wanted = np.flatnonzero(allowed & (scores > 0))
    assert result.rows.tolist() == wanted[np.argsort(-scores[wanted], kind="stable")][:5].tolist()
    np.testing.assert_array_equal(result.scores, scores[result.rows])


def test_cooccurrence_knows_direction() -> None:
    rows = [(f"u{n}", "", item, "view", 10**12 + n * 10**6 + step) for n in range(20) for step, item in enumerate("ab")]
    dataset = build(table_of(rows))
    a, b = dataset.item_ids.index("a"), dataset.item_ids.index("b")
    forward = neighbour_lists(dataset, dataset.weights() > 0, CooccurrenceShape(backward=0.25), 5)
    score = {
        (item, int(other)): float(s)
        for item in (a, b)
        for other, s in zip(forward[0][item], forward[1][item], strict=True)
    }
    assert score[a, b] > 2 * score[b, a] > 0


def test_cooccurrence_of_an_untimed_log_has_no_direction() -> None:
    from recommender.types import NO_TIME

    rows = [(f"u{n}", "", item, "view", NO_TIME) for n in range(9) for item in "abc"]
    dataset = build(table_of(rows))
    model = CooccurrenceModel(Recency(), 5, UNTIMED_COOCCURRENCE_SHAPES[0])
    model.fit(dataset)
    assert np.allclose(model.scores[:, :2], model.scores[0, 0])


def test_one_loud_actor_does_not_outweigh_many() -> None:
    loud = [("loud", "", item, "view", 10**12 + n * 10 + step) for n in range(200) for step, item in enumerate("ax")]
    many = [(f"u{n}", "", item, "view", 10**12 + step) for n in range(20) for step, item in enumerate("ay")]
    dataset = build(table_of(loud + many))
    rows, _ = neighbour_lists(dataset, dataset.weights() > 0, CooccurrenceShape(norm_to=0.0), 5)
    assert dataset.item_ids[rows[dataset.item_ids.index("a"), 0]] == "y"


def test_recent_popularity_prefers_what_is_bought_now() -> None:
    day = 86_400_000
    old = [(f"u{n}", "", "old", "purchase", 10**12) for n in range(5)]
    new = [(f"v{n}", "", "new", "purchase", 10**12 + 60 * day) for n in range(3)]
    dataset = build(table_of(old + new))
    model = PopularityModel(small_settings().train)
    model.fit(dataset)
    assert [dataset.item_ids[row] for row in model.order] == ["new", "old"]


def test_category_codes_know_their_parents() -> None:
    codes, paths, parents = category_codes(np.array(["A > B > C", "", "A"], np.object_))
    assert paths == ["A", "A > B", "A > B > C"]
    assert parents.tolist() == [-1, 0, 1]
    assert codes.tolist() == [2, -1, 0]


def test_models_that_a_log_cannot_feed_are_left_out() -> None:
    dataset = build(table_of([("a", "", "i", "view", 10**12), ("a", "", "j", "view", 10**12 + 1)]))
    names = {model.name for model in make_models(dataset, small_settings(), default_recencies(timed=True), Shapes())}
    assert not names & {"content", "newcomers", "popularity_category"}
    assert not has_content(Catalogue.of_items([Item("i", price=3.0)]))
    assert has_content(Catalogue.of_items([Item("i", brand="b")]))


def test_newcomers_are_items_that_nobody_touched_by_the_lift_of_their_kind() -> None:
    kinds = {"lamp": "Home > Lamps", "rug": "Home > Rugs"}
    items = [Item(f"{kind}{n}", title=f"{kind} {n}", category=path) for kind, path in kinds.items() for n in range(4)]
    sold = [("lamp0", 9), ("lamp1", 9), ("rug0", 1)]
    rows = [(f"u{n}", "", item, "purchase", 10**12 + n) for item, times in sold for n in range(times)]
    table = table_of([*rows, *(("both", "", item, "purchase", 10**12) for item in ("lamp0", "rug0"))])
    dataset = build_dataset(table, np.ones(len(table), np.bool_), Catalogue.of_items(items), {"purchase": 1.0})
    model = NewcomersModel(Recency())
    model.fit(dataset)
    scores = model.score_all(dataset.history(dataset.user_ids.index("both")), dataset.now_ms)
    named = {dataset.item_ids[row]: float(score) for row, score in enumerate(scores.tolist())}
    assert {name for name, score in named.items() if score} == {"lamp2", "lamp3", "rug1", "rug2", "rug3"}
    # Half of this history is lamps, but so is nearly the whole log: rugs are what is particular about it.
    assert named["rug1"] > named["lamp2"]
