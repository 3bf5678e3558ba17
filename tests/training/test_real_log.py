"""A real shop's log under other names and in another order: nothing that is learned may change."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import numpy as np
import pytest

from recommender.types import EVENT_TYPES
from tests.training.small_log import small_settings
from training.catalogue import Catalogue
from training.dataset import Dataset, build_dataset
from training.evaluation.report import Report
from training.inputs import InputPaths, read_inputs
from training.progress import SilentProgress
from training.request import TrialRequest
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
        small_settings(als_factors=16, als_alpha=10.0, als_regularization=1.0, teaching_windows=1),
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


def test_metrics_differ_by_no_more_than_what_ties_draw(renamed: Path, tmp_path: Path) -> None:
    first, second = report_of(_SHOP, tmp_path / "first"), report_of(renamed, tmp_path / "second")
    assert first.protocol["folds"] == second.protocol["folds"]
    assert set(first.models) == set(second.models)
    for name in first.models:
        for metric in ("ndcg@20", "recall@20"):
            ours, theirs = (report.models[name][metric]["mean"] for report in (first, second))
            assert ours == pytest.approx(theirs, abs=2e-3), (name, metric)
