"""Evaluation of the whole: honest about time, blind to ids and to the order of rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.config import Settings
from recommender.errors import ConfigurationError, InputError
from recommender.logs import EdgeRow, LoggedRow, write_edges, write_events
from recommender.types import DAY_MS
from tests.training.small_log import DAYS, START_MS, small_rows, small_settings, write_small_log
from training.inputs import InputPaths
from training.progress import SilentProgress
from training.request import TrialRequest
from training.trial import evaluate

KEYS = {
    "windowshop", "windowshop_dense", "random", "popularity", "popularity_recent", "own_frequency", "als",
    "cooccurrence", "content",
    "popularity_category",
    "gfcf", "als_stored", "newcomers",
}  # fmt: skip


def run(folder: Path, rows: list[LoggedRow] | None = None, **changes: Any) -> dict[str, Any]:
    """The report of a small log as it is read back from its file."""
    paths = write_small_log(folder, rows)
    request = TrialRequest(paths, folder / "report.json", small_settings(), holdout_seconds=10 * 86_400.0, ks=(10, 20))
    request = replace(request, slate_curve=True)
    evaluate(replace(request, **changes), SilentProgress())
    return dict(json.loads((folder / "report.json").read_text()))


def _few_sources() -> Settings:
    return small_settings(sources=("cooccurrence", "popularity_recent"), most_trees=10)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("trial"))


def test_the_report_holds_every_model_with_intervals_and_every_pair(report: dict[str, Any]) -> None:
    assert set(report["models"]) == KEYS
    assert set(report["paired"]) == {f"windowshop-{name}" for name in KEYS - {"windowshop"}} | {"als-als_stored"}
    for metrics in report["models"].values():
        low, high = metrics["ndcg@20"]["ci95"]
        assert low <= metrics["ndcg@20"]["mean"] <= high
        assert metrics["fit_seconds"] >= 0


def test_the_pipeline_learns_what_there_is_to_learn(report: dict[str, Any]) -> None:
    assert report["paired"]["windowshop-random"]["ndcg@20"]["ci95"][0] > 0.1
    assert report["paired"]["windowshop-popularity"]["ndcg@20"]["ci95"][0] > 0.05


def test_the_protocol_says_how_it_was_done(report: dict[str, Any]) -> None:
    protocol = report["protocol"]
    start, end = protocol["window_ms"]
    assert end - start == 10 * DAY_MS
    assert start % DAY_MS == 0
    assert len(protocol["config_hash"]) == 64
    assert protocol["scheme"] == "windows"
    assert protocol["counts"]["candidates"] == 91


def test_chances_of_the_newest_window_are_held_against_what_came_in_the_test_part(report: dict[str, Any]) -> None:
    chances = report["chances"]
    assert chances["horizon_days"] == pytest.approx(10, abs=0.5)
    assert chances["horizon_days"] == report["protocol"]["ranker"]["calibration"]["horizon_days"]
    assert chances["users"] > 200
    for part in ("candidates", "first_20"):
        assert chances[part]["observed_over_predicted"]["mean"] == pytest.approx(1, abs=0.35)
    predicted = [tenth["predicted"] for tenth in chances["candidates"]["deciles"]]
    assert predicted == sorted(predicted)
    assert predicted[-1] > 3 * predicted[0]


def test_the_curve_of_slates_begins_at_the_pipeline_itself_and_names_what_is_served(report: dict[str, Any]) -> None:
    points = report["slates"]["points"]
    plain, served = points[0], [point for point in points if point["served"]]
    assert plain["ndcg@20"]["mean"] == report["models"]["windowshop"]["ndcg@20"]["mean"]
    assert plain["coverage@20"] == report["models"]["windowshop"]["coverage@20"]
    assert [(point["diversity"], point["personal_every"]) for point in served] == [(0.1, 10)]
    personal = next(point for point in points if (point["diversity"], point["personal_every"]) == (0.0, 3))
    assert personal["ndcg@20"] != plain["ndcg@20"]
    assert personal["over_plain"]["ci95"][0] <= personal["over_plain"]["mean"] <= personal["over_plain"]["ci95"][1]
    assert 0 <= personal["top_1_percent_share@20"] <= 1


def test_diversity_is_off_unless_asked_for(report: dict[str, Any], tmp_path: Path) -> None:
    asked = small_settings()
    asked = asked.model_copy(update={"evaluate": asked.evaluate.model_copy(update={"diversity": 0.9})})
    varied = run(tmp_path, settings=asked, baselines=frozenset({"popularity"}))
    assert (report["protocol"]["diversity"], varied["protocol"]["diversity"]) == (0.0, 0.9)
    for name in ("folds", "sources", "ranker", "config_hash"):
        assert varied["protocol"][name] == report["protocol"][name]
    plain, other = report["models"]["windowshop"], varied["models"]["windowshop"]
    assert other["diversity@20"] > plain["diversity@20"]
    assert other["ndcg@20"]["mean"] < plain["ndcg@20"]["mean"]
    assert varied["models"]["popularity"]["ndcg@20"] == report["models"]["popularity"]["ndcg@20"]


def test_what_is_planted_after_the_cut_changes_no_example_and_no_count(report: dict[str, Any], tmp_path: Path) -> None:
    end = report["protocol"]["window_ms"][1]
    # Behind the last target's day: it belongs neither to the training part nor to the test part.
    planted = [LoggedRow(f"u{n}", "i1", "view", end + n) for n in range(500)]
    again = run(tmp_path, [*small_rows(), *planted])
    for name in ("folds", "sources", "ranker"):
        assert again["protocol"][name] == report["protocol"][name]
    assert _without_seconds(again) == _without_seconds(report)


def test_what_is_planted_in_the_test_part_changes_nothing_that_is_fitted(
    report: dict[str, Any], tmp_path: Path
) -> None:
    start = report["protocol"]["window_ms"][0]
    planted = [LoggedRow(f"u{n % 400}", f"i{n % 90}", "view", start + n) for n in range(2_000)]
    again = run(tmp_path, [*small_rows(), *planted])
    for name in ("folds", "sources", "ranker", "data_end"):
        assert again["protocol"][name] == report["protocol"][name]
    assert _without_seconds(again)["windowshop"] == _without_seconds(report)["windowshop"]


def test_ids_and_the_order_of_rows_change_no_metric(report: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    users, items = rng.permutation(1_000), rng.permutation(1_000)
    rows = small_rows()
    renamed = [
        replace(row, user_id=f"p{users[int(row.user_id[1:])]}", item_id=f"q{items[int(row.item_id[1:])]}")
        for row in rows
    ]
    shuffled = [renamed[place] for place in rng.permutation(len(renamed))]
    pairs = [(user, int(friend)) for user in range(400) for friend in rng.integers(0, 400, 3)]
    edges = [EdgeRow(f"u{user}", f"u{friend}", "friend") for user, friend in pairs]
    again = [EdgeRow(f"p{users[friend]}", f"p{users[user]}", "friend") for user, friend in reversed(pairs)]
    first = run(tmp_path / "first", rows, paths=_unlisted(tmp_path / "first", rows, edges))
    second = run(tmp_path / "second", shuffled, paths=_unlisted(tmp_path / "second", shuffled, again))
    assert "friends" in first["protocol"]["sources"]
    assert "friends" in first["models"]
    assert first["protocol"]["folds"] == second["protocol"]["folds"]
    for name, metrics in first["models"].items():
        if name != "random":
            for metric in ("ndcg@20", "recall@20"):
                assert second["models"][name][metric]["mean"] == pytest.approx(metrics[metric]["mean"], abs=2e-3)
    del report


def _unlisted(folder: Path, rows: list[LoggedRow], edges: list[EdgeRow]) -> InputPaths:
    """Files without items."""
    folder.mkdir(parents=True, exist_ok=True)
    write_events(folder / "events.parquet", rows)
    write_edges(folder / "edges.parquet", edges)
    return InputPaths(folder / "events.parquet", edges=folder / "edges.parquet")


def test_several_cuts_and_seeds_are_pooled_and_told_one_by_one(tmp_path: Path) -> None:
    report = run(
        tmp_path, settings=_few_sources(), cuts=2, seeds=2, holdout_seconds=7 * 86_400.0, ablate=("sources",),
        baselines=frozenset({"popularity"}),
    )  # fmt: skip
    runs = report["runs"]
    assert [(one["cut"], one["seed"]) for one in runs] == [(0, 42), (0, 43), (1, 42), (1, 43)]
    newest, older = runs[0]["window_ms"], runs[2]["window_ms"]
    assert older[1] == newest[0]
    assert report["protocol"]["window_ms"] == newest
    assert report["protocol"]["train_seeds"] == [42, 43]
    cases = [one["users"] for one in runs]
    assert cases[0] == cases[1]
    assert report["protocol"]["scored"]["cases"] == cases[0] + cases[2] > report["users"] >= max(cases)
    means = [one["models"]["popularity"]["ndcg@20"]["mean"] for one in runs]
    pooled = (cases[0] * (means[0] + means[1]) + cases[2] * (means[2] + means[3])) / (2 * (cases[0] + cases[2]))
    assert report["models"]["popularity"]["ndcg@20"]["mean"] == pytest.approx(pooled)
    taken = report["ablation"]
    assert {row["name"] for row in taken["rows"]} == {"cooccurrence", "popularity_recent"}
    assert taken["pipeline"]["ndcg@20"]["mean"] == runs[0]["models"]["windowshop"]["ndcg@20"]["mean"]
    assert report["stages"]["run windowshop"]["seconds"] > 0
    assert report["stages"]["all"]["peak_bytes"] > 2**20


def test_more_cuts_than_the_log_is_long_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cut 3 of 3 has no training event"):
        run(tmp_path, cuts=3, holdout_seconds=20 * 86_400.0)
    with pytest.raises(ConfigurationError, match="--cuts 0"):
        run(tmp_path, cuts=0)
    with pytest.raises(ConfigurationError, match=r"report\.json"):
        run(tmp_path, out=tmp_path / "report.html")
    with pytest.raises(ConfigurationError, match="--test is one test part"):
        run(tmp_path, cuts=2, test=tmp_path / "x", holdout_seconds=None)


def test_the_report_parts_users_and_targets_into_segments(report: dict[str, Any]) -> None:
    segments = {one["name"]: one for one in report["segments"]}
    assert set(segments) == {"history_length", "popularity_decile", "category"}
    assert sum(segment["users"] for segment in segments["history_length"]["segments"]) == report["users"]
    for one in segments.values():
        assert sum(segment["targets"] for segment in one["segments"]) == report["protocol"]["counts"]["targets"]


def test_serving_costs_nothing_where_lists_are_whole_and_search_is_exact(report: dict[str, Any]) -> None:
    pair = report["paired"]["windowshop-windowshop_dense"]["ndcg@20"]
    assert abs(pair["relative"]) < 0.02


def test_users_folded_in_and_users_stored_are_told_apart(report: dict[str, Any]) -> None:
    pair = report["paired"]["als-als_stored"]["ndcg@20"]
    folded, stored = (report["models"][name]["ndcg@20"]["mean"] for name in ("als", "als_stored"))
    assert pair["mean"] == pytest.approx(folded - stored, abs=1e-7)
    assert stored > 2 * report["models"]["random"]["ndcg@20"]["mean"]
    assert folded != stored


def test_novel_only_shows_nothing_that_was_touched_and_counts_what_it_took_out(tmp_path: Path) -> None:
    sources = ("cooccurrence", "own_frequency", "popularity_recent")
    report = run(tmp_path, novel_only=True, settings=small_settings(sources=sources), slate_curve=False)
    assert report["protocol"]["removed_targets"] > 0
    assert report["protocol"]["mode"] == "discover"
    assert report["models"]["own_frequency"]["ndcg@20"]["mean"] < 0.2


def test_cold_ranks_only_items_first_seen_in_the_test_part(tmp_path: Path) -> None:
    cut = START_MS + (DAYS - 10) * DAY_MS
    rng = np.random.default_rng(2)
    fresh = [
        LoggedRow(row.user_id, "fresh" if int(row.item_id[1:]) < 45 else "unlisted", "purchase", row.time_ms)
        for row in small_rows()
        if (row.time_ms or 0) >= cut and rng.random() < 0.5
    ]
    report = run(tmp_path, [*small_rows(), *fresh], cold=True, baselines=frozenset({"content"}))
    assert set(report["models"]) == {"windowshop", "random", "popularity_in_category", "content"}
    assert report["protocol"]["counts"]["uncovered_targets"] > 0


def test_cold_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    cut = START_MS + (DAYS - 10) * DAY_MS
    fresh = [replace(row, item_id="new") for row in small_rows() if (row.time_ms or 0) >= cut]
    with pytest.raises(InputError, match="--items"):
        run(tmp_path, [*small_rows(), *fresh], cold=True, settings=_few_sources())


def test_a_test_file_names_users_and_items_as_it_likes(tmp_path: Path) -> None:
    rows = small_rows()
    cut = START_MS + 50 * DAY_MS
    write_events(tmp_path / "test.parquet", [row for row in rows if (row.time_ms or 0) >= cut])
    report = run(
        tmp_path, [row for row in rows if (row.time_ms or 0) < cut],
        test=tmp_path / "test.parquet", holdout_seconds=None,
        settings=_few_sources(), baselines=frozenset({"random"}), slate_curve=False,
    )  # fmt: skip
    assert report["protocol"]["scheme"] == "last_event"
    assert report["protocol"]["window_ms"] is None
    assert report["paired"]["windowshop-random"]["ndcg@20"]["ci95"][0] > 0.1


def test_both_or_neither_of_test_and_holdout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="either --test FILE or --holdout"):
        run(tmp_path, test=tmp_path / "x", holdout_seconds=1.0)
    with pytest.raises(ConfigurationError, match="either --test FILE or --holdout"):
        run(tmp_path, holdout_seconds=None)


def test_a_report_that_stood_before_survives_a_run_that_fails(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"old": true}')
    with pytest.raises(InputError, match="target type"):
        run(tmp_path, target="wave")
    assert (tmp_path / "report.json").read_text() == '{"old": true}'


def _without_seconds(report: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {metric: value for metric, value in metrics.items() if metric != "fit_seconds"}
        for name, metrics in report["models"].items()
    }
