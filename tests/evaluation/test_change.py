from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recommender.errors import InputError
from tests.evaluation.test_pool import PROTOCOL, ids, outcome_of
from training.evaluation.change import Change, compare_reports
from training.evaluation.change_table import print_change, sentences
from training.evaluation.pool import Outcome
from training.evaluation.report import write_report
from training.evaluation.summary import summary
from training.evaluation.users_file import read_users, users_path, write_users

OWN = np.random.default_rng(4).random(80)


def written(path: Path, outcomes: list[Outcome], *, users: bool = True, **protocol: Any) -> Path:
    report, pool = summary(PROTOCOL | {"config_hash": "one"} | protocol, outcomes, ())
    write_report(report, path)
    if users:
        write_users(users_path(path), pool)
    return path


def by_model(change: Change, metric: str = "ndcg@20") -> dict[str, Any]:
    return {one.model: one for one in change.metrics if one.metric == metric}


def test_a_small_steady_gain_is_seen_pair_by_pair_and_not_without(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", [outcome_of(ids(80), OWN.tolist())])
    shuffled = np.random.default_rng(1).permutation(80)
    better = [outcome_of([ids(80)[place] for place in shuffled], (OWN + 0.01)[shuffled].tolist())]
    new = written(tmp_path / "new.json", better)
    # The cases are of other places now: user 7 has another target, and nothing can be paired.
    assert "other targets" in compare_reports(old, new).unpaired
    new = written(tmp_path / "new.json", [outcome_of(ids(80), (OWN + 0.01).tolist())])
    change = compare_reports(old, new)
    assert change.unpaired == ""
    own = by_model(change)["windowshop"]
    assert own.verdict == "better"
    assert own.difference["mean"] == pytest.approx(0.01, abs=1e-6)
    assert by_model(change)["als"].verdict == "equal"
    users_path(new).unlink()
    apart = compare_reports(old, new)
    assert "newer report has no file" in apart.unpaired
    assert by_model(apart)["windowshop"].verdict == "cannot be told"
    assert by_model(apart)["windowshop"].difference is None


def test_users_figures_of_another_report_are_not_paired(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", [outcome_of(ids(80), OWN.tolist())])
    written(tmp_path / "other.json", [outcome_of(ids(70), OWN[:70].tolist())])
    users_path(tmp_path / "other.json").replace(users_path(old))
    new = written(tmp_path / "new.json", [outcome_of(ids(80), OWN.tolist())])
    assert "does not belong" in compare_reports(old, new).unpaired


def test_users_figures_name_nobody_and_stand_in_the_same_order_in_every_report(tmp_path: Path) -> None:
    path = written(tmp_path / "report.json", [outcome_of(ids(80), OWN.tolist())])
    figures = read_users(users_path(path))
    assert figures is not None
    assert figures.owners.tolist() == list(range(80))
    assert sorted(figures.per_case["windowshop"]["ndcg@20"]) == pytest.approx(sorted(OWN), abs=1e-6)
    assert b"u79" not in users_path(path).read_bytes()
    assert read_users(tmp_path / "nowhere.parquet") is None


def test_reports_made_on_other_terms_are_told_in_sentences(tmp_path: Path) -> None:
    config = {"train": {"teaching_windows": 64}, "feed.mode": "any"}
    old = written(tmp_path / "old.json", [outcome_of(ids(80), OWN.tolist())], config=config, counts={"targets": 80})
    other = {"train": {"teaching_windows": 128}, "feed.mode": "any"}
    new = written(
        tmp_path / "new.json", [outcome_of(ids(60), OWN[:60].tolist())],
        novel_only=True, config=other, counts={"targets": 60}, config_hash="two", libraries={"numpy": "3.0"},
    )  # fmt: skip
    protocols, data, configurations, libraries = compare_reports(old, new).differing
    assert "novel_only was False, is True" in protocols
    assert "users was 80, is 60; targets was 80, is 60" in data
    assert configurations == "The configurations differ: train.teaching_windows was 64, is 128."
    assert libraries == "Code or libraries differ: numpy was not told, is 3.0."


def test_reports_made_alike_differ_in_nothing(tmp_path: Path) -> None:
    one = written(tmp_path / "one.json", [outcome_of(ids(80), OWN.tolist())])
    change = compare_reports(one, one)
    assert change.differing == ()
    assert sentences(change) == ["Every figure is what it was."]


def test_the_printed_change_says_who_got_better_and_worse(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", [outcome_of(ids(80), OWN.tolist(), other=0.5)])
    new = written(tmp_path / "new.json", [outcome_of(ids(80), (OWN + 0.1).tolist(), other=0.4)])
    console = Console(file=io.StringIO(), width=140)
    print_change(compare_reports(old, new), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "Paired over the same users." in text
    assert "Better: windowshop by ndcg@20 and recall@20." in text
    assert "Worse: als by ndcg@20 and recall@20." in text
    assert "-20.0 % (-20.0, -20.0)" in text


@pytest.mark.parametrize(
    "text", ["{}", "not json", '{"protocol": {}, "users": 0, "leaks": [], "models": {}, "paired": {}}']
)
def test_what_is_no_finished_report_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match=r"report\.json"):
        compare_reports(tmp_path / "report.json", tmp_path / "report.json")
