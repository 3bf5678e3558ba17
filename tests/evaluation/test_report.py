from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from recommender.errors import ConfigurationError
from training.evaluation.metrics import Measured
from training.evaluation.plot import plot
from training.evaluation.report import Report, build_report, opened_report, write_report
from training.evaluation.table import print_table, verdict

PROTOCOL: dict[str, Any] = {
    "k": [10, 20],
    "seed": 5,
    "resamples": 300,
    "config_hash": "abc",
    "target": "purchase",
    "novel_only": True,
    "cold": False,
    "window_ms": [1_513_641_600_000, 1_514_851_200_000],
    "removed_targets": 1_234,
}


def report_of(worth: dict[str, float], leaks: tuple[str, ...] = (), **protocol: object) -> Report:
    """Models that are worth a share of what the same 400 users could give; `mrr` the other way round."""
    could = np.random.default_rng(0).random(400)
    measured = {
        name: Measured(
            {
                "ndcg@10": could * share,
                "ndcg@20": could * share,
                "recall@20": could * share,
                "mrr": could * (1 - share),
            },
            {"coverage@20": 0.25, "novelty@20": 7.5},
        )
        for name, share in worth.items()
    }
    return build_report(PROTOCOL | protocol, measured, users=400, leaks=leaks, fit_seconds={"als": 1.25})


def printed(report: Report, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# --- the file


def test_the_object_has_the_keys_and_shapes_of_the_contract() -> None:
    written = report_of({"windowshop": 0.5, "als": 0.4}, ("no_times",)).to_json()
    assert list(written) == ["protocol", "users", "leaks", "models", "paired"]
    assert written["users"] == 400
    assert written["leaks"] == ["no_times"]
    assert written["protocol"]["config_hash"] == "abc"
    als = written["models"]["als"]
    assert set(als) == {"ndcg@10", "ndcg@20", "recall@20", "mrr", "coverage@20", "novelty@20", "fit_seconds"}
    assert set(als["ndcg@20"]) == {"mean", "ci95"}
    assert als["ndcg@20"]["ci95"][0] < als["ndcg@20"]["mean"] < als["ndcg@20"]["ci95"][1]
    assert (als["coverage@20"], als["fit_seconds"]) == (0.25, 1.25)
    assert list(written["paired"]) == ["windowshop-als"]
    pair = written["paired"]["windowshop-als"]
    assert set(pair) == {"ndcg@10", "ndcg@20", "recall@20", "mrr"}
    assert set(pair["ndcg@20"]) == {"mean", "ci95", "relative", "relative_ci95"}
    assert pair["ndcg@20"]["relative"] == pytest.approx(0.25)
    assert pair["ndcg@20"]["mean"] == pytest.approx(
        written["models"]["windowshop"]["ndcg@20"]["mean"] - als["ndcg@20"]["mean"]
    )


def test_a_model_without_any_hit_leaves_no_nan(tmp_path: Path) -> None:
    report = report_of({"windowshop": 0.5, "nothing": 0.0})
    write_report(report, tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    pair = read["paired"]["windowshop-nothing"]["ndcg@20"]
    assert pair["relative"] is None
    assert pair["relative_ci95"] is None
    assert pair["ci95"][0] > 0


def test_without_the_pipeline_nothing_is_paired() -> None:
    report = report_of({"als": 0.4, "ease": 0.3})
    assert report.paired == {}
    assert verdict(report) == []
    assert "als" in printed(report, 100)


def test_the_same_input_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(report_of({"windowshop": 0.5, "als": 0.4}), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_report_is_opened_with_its_protocol_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    with opened_report({"config_hash": "abc"}, path):
        opened = json.loads(path.read_text())
        assert opened["protocol"] == {"config_hash": "abc"}
        assert (opened["users"], opened["models"]) == (0, {})
        write_report(report_of({"windowshop": 0.5}), path)
    assert json.loads(path.read_text())["users"] == 400
    assert [file.name for file in path.parent.iterdir()] == ["report.json"]


@pytest.mark.parametrize("before", [None, "an earlier report"])
def test_a_failed_run_leaves_what_stood_before(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "report.json"
    if before is not None:
        path.write_text(before)
    with pytest.raises(KeyboardInterrupt), opened_report({"config_hash": "abc"}, path):
        raise KeyboardInterrupt
    assert (path.read_text() if path.exists() else None) == before


def test_a_place_that_cannot_be_written_to_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigurationError, match=r"report\.json.*another --out"),
        opened_report({}, tmp_path / "file" / "report.json"),
    ):
        pytest.fail("the work has begun")


# --- for a person


def test_the_table_is_sorted_by_the_main_metric_and_marks_the_pipeline() -> None:
    report = report_of({"random": 0.01, "windowshop": 0.5, "ease": 0.6, "als": 0.4})
    lines = printed(report, 160).splitlines()
    assert report.main_metric == "ndcg@20"
    order = [line.split()[0] for line in lines if line.split() and line.split()[0] in report.models]
    assert order == ["ease", "windowshop", "als", "random"]
    assert "400 users, target purchase, new items, test days 2017-12-19 to 2018-01-01" in lines[0]
    assert any("+25.0 % (+25.0, +25.0)" in line for line in lines if line.lstrip().startswith("als"))
    assert any("more than 10 x" in line for line in lines if line.lstrip().startswith("random"))
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    print_table(report, console)
    assert isinstance(console.file, io.StringIO)
    bold = [line for line in console.file.getvalue().splitlines() if "1;32m" in line]
    assert len(bold) == 1
    assert "windowshop" in bold[0]


@pytest.mark.parametrize("width", [80, 100, 120, 180])
def test_no_figure_is_cut_off_at_any_width(width: int) -> None:
    report = report_of({"windowshop": 0.5, "popularity_in_category": 0.003, "random": 0.0})
    text = printed(report, width)
    assert "…" not in text
    assert "popularity_in_category" in text
    assert ("novelty@20" in text) == (width == 180)


def test_the_verdict_says_where_the_pipeline_loses() -> None:
    sentences = verdict(report_of({"windowshop": 0.5, "ease": 0.6, "als": 0.4, "gfcf": 0.5}))
    assert sentences[0].startswith("By ndcg@20, windowshop beats als; cannot be told from gfcf at")
    assert "loses to ease at -16.7 % (-16.7, -16.7)" in sentences[0]
    assert sentences[1] == "It also loses to ease by ndcg@10 and recall@20; to als by mrr."


def test_a_pipeline_that_always_wins_loses_to_none() -> None:
    report = report_of({"windowshop": 0.5, "als": 0.4})
    for pair in report.paired.values():
        del pair["mrr"]
    assert verdict(report) == [
        "By ndcg@20, windowshop beats als.",
        "By the other metrics of accuracy it loses to none.",
    ]


@pytest.mark.parametrize(
    ("dense", "told"),
    [(0.5, "Serving costs at most 1 %"), (0.503, "at most 1 %"), (0.51, "more than 1 %"), (0.45, "at most 1 %")],
)
def test_what_serving_costs_is_said_apart_from_rivals(dense: float, told: str) -> None:
    said = verdict(report_of({"windowshop": 0.5, "windowshop_dense": dense, "als": 0.4}))
    assert said[0] == "By ndcg@20, windowshop beats als."
    assert said[-1].startswith("Serving costs")
    assert told in said[-1]
    assert "perhaps" not in said[-1]


def test_what_folding_users_in_costs_is_said_too() -> None:
    report = report_of({"windowshop": 0.5, "als": 0.4, "als_stored": 0.5})
    assert report.rivals() == ["als"]
    assert "costs more than 1 % of the ndcg@20 of als_stored: -20.0 % (-20.0, -20.0)." in verdict(report)[-1]


def test_on_cold_items_the_bar_is_popularity_in_the_users_categories() -> None:
    said = verdict(report_of({"windowshop": 0.5, "popularity_in_category": 0.2}, cold=True))
    assert "Its recall@20 is 2.50 times (2.50 - 2.50) that of popularity in the user's categories." in said


def test_known_leaks_are_explained_below_the_table() -> None:
    text = printed(report_of({"windowshop": 0.5}, ("other_users_future",)), 200)
    assert "other_users_future: models learned from events later" in text
    assert "1,234 targets were taken out" in text


@pytest.mark.parametrize(
    "worth",
    [
        {"windowshop": 0.5, "ease": 0.6, "als": 0.4, "als_stored": 0.3, "random": 0.0001, "nothing": 0.0},
        {"windowshop": 0.0, "nothing": 0.0},
        {"als": 0.4},
    ],
)
def test_the_picture_is_written_whatever_the_figures(tmp_path: Path, worth: dict[str, float]) -> None:
    plot(report_of(worth), tmp_path / "report.png")
    pixels = matplotlib.image.imread(tmp_path / "report.png")
    assert pixels.shape[1] == 1_650
    assert pixels[..., :3].std() > 0.05
