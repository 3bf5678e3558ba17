"""A real shop's log under other names and in another order: nothing that is learned may change."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import numpy as np
import pytest
from catboost import CatBoostClassifier

from recommender.feed.rankers.trees import TreeInputs
from recommender.types import EVENT_TYPES
from recommender.wiring import build_pipeline
from tests.training.ranking.test_trees import scores_of, with_borders
from tests.training.small_log import small_settings
from training.build import cut_replays, fit_parts
from training.catalogue import Catalogue
from training.dataset import Dataset, build_dataset
from training.evaluation.report import Report
from training.inputs import InputPaths, read_inputs
from training.progress import SilentProgress
from training.ranking.examples import build_examples
from training.ranking.trees import exported
from training.recipe import Recipe
from training.request import TrialRequest
from training.stages import StageStore
from training.teaching import UNDECIDED, FittedFold
from training.trial import evaluate

_SHOP = Path(os.environ.get("WINDOWSHOP_DATA", "")) / "retailrocket_mb"
pytestmark = pytest.mark.skipif(
    "WINDOWSHOP_DATA" not in os.environ, reason="WINDOWSHOP_DATA does not name the folder of public logs"
)


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log and its test part with every id replaced by a hash of it, and all rows in another order."""
    folder = tmp_path_factory.mktemp("renamed")
    for name in ("events", "test"):
        duckdb.execute(f"""
            COPY (
                SELECT 'p' || md5(user_id || 'salt') AS user_id, 'q' || md5('salt' || item_id) AS item_id,
                    event_type, timestamp
                FROM '{_SHOP / name}.parquet' ORDER BY hash(user_id || item_id || event_type, timestamp)
            ) TO '{folder / name}.parquet'
        """)
    return folder


def dataset_of(folder: Path, scratch: Path) -> Dataset:
    table = read_inputs(InputPaths(folder / "events.parquet"), scratch, small_settings()).table
    return build_dataset(table, np.ones(len(table), np.bool_), Catalogue.empty(), dict.fromkeys(EVENT_TYPES, 1.0))


def report_of(folder: Path, scratch: Path) -> Report:
    request = TrialRequest(
        InputPaths(folder / "events.parquet"),
        scratch / "report.json",
        small_settings(shapes={"als": {"factors": 16, "alpha": 10, "regularization": 1}}, teaching_windows=1),
        test=folder / "test.parquet",
        ks=(20,),
        novel_only=True,
        baselines=frozenset({"cooccurrence", "gfcf", "popularity"}),
    )
    return evaluate(request, SilentProgress()).report


def test_all_that_models_see_is_equal(renamed: Path, tmp_path: Path) -> None:
    first, second = dataset_of(_SHOP, tmp_path), dataset_of(renamed, tmp_path)
    for name in ("offsets", "items", "types", "times_ms"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


def test_the_kernel_scores_real_candidates_as_the_library_to_a_millionth_also_on_the_borders(tmp_path: Path) -> None:
    settings = small_settings(sources=("cooccurrence", "own_frequency", "popularity_recent"), teaching_windows=1)
    table = read_inputs(InputPaths(_SHOP / "events.parquet"), tmp_path, settings).table
    everything = np.ones(len(table), np.bool_)
    recipe = Recipe(table, everything, Catalogue.empty(), settings, "last", "touched", None, "key")
    replay = cut_replays(recipe, recipe.dataset(everything, None))[1][0]
    store, silent = StageStore(tmp_path / "stages"), SilentProgress()
    fold = FittedFold(replay, fit_parts(recipe, store, "fold", replay.dataset, silent))
    bundle = fold.open(recipe, tmp_path / "fold", UNDECIDED)
    names = TreeInputs(bundle)
    data = build_examples(build_pipeline(bundle, settings), replay.cases(300), names.of)
    model = CatBoostClassifier(iterations=60, depth=6, nan_mode="Min", verbose=False, allow_writing_files=False)
    model.fit(data.inputs, data.labels.astype(int))
    trees = exported(model, names.names, tuple(bundle.manifest.sources), (0, 1))
    inputs = with_borders(data.inputs, trees)
    assert len(inputs) > len(data.inputs) + 300 > 10_000
    wanted = model.predict(inputs, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(scores_of(trees, inputs), wanted, atol=1e-6, rtol=0)


def test_metrics_differ_by_no_more_than_what_ties_draw(renamed: Path, tmp_path: Path) -> None:
    first, second = report_of(_SHOP, tmp_path / "first"), report_of(renamed, tmp_path / "second")
    assert first.protocol["folds"] == second.protocol["folds"]
    assert set(first.models) == set(second.models)
    for name in first.models:
        for metric in ("ndcg@20", "recall@20"):
            ours, theirs = (report.models[name][metric]["mean"] for report in (first, second))
            assert ours == pytest.approx(theirs, abs=2e-3), (name, metric)
