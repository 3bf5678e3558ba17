from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from training.evaluation.slates_view import plot_slates, print_slates


def point(every: int, relative_ci95: list[float] | None, *, served: bool = False) -> dict[str, Any]:
    over = {"mean": -0.002, "ci95": [-0.003, 0.001], "relative": -0.02, "relative_ci95": relative_ci95}
    metrics = {"coverage@20": 0.02, "novelty@20": 2.5, "top_1_percent_share@20": 0.8}
    return {
        "diversity": 0.1, "personal_every": every, "served": served, "ndcg@20": {"mean": 0.1}, "over_plain": over,
        **metrics,
    }  # fmt: skip


def test_an_interval_that_cannot_be_relative_is_told_in_the_metric_itself(tmp_path: Path) -> None:
    slates = {"points": [point(0, None), point(10, [-0.03, 0.01], served=True), point(5, None)]}
    console = Console(width=140, record=True, file=io.StringIO())
    print_slates(slates, console)
    text = console.export_text()
    assert "-2.0 % (-3.0, +1.0)" in text
    assert "-0.0020 (-0.0030, +0.0010)" in text
    plot_slates(slates, tmp_path / "slates.png")
    assert (tmp_path / "slates.png").stat().st_size > 5_000
