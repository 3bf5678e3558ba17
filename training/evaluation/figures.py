"""Figures as a report holds them: rounded, with their intervals."""

from __future__ import annotations

from typing import Any, Final

from training.evaluation.bootstrap import Comparison, Interval

#: The key of the whole pipeline; every other one is compared with it.
PIPELINE: Final = "windowshop"
#: The same with untruncated scores and exact search in place of what serving can afford.
DENSE_PIPELINE: Final = f"{PIPELINE}_dense"
#: ALS with the users' factors as they were fitted, in place of folding their histories in.
STORED_ALS: Final = "als_stored"
#: Rows that are another in another form, and what they are paired with beside the pipeline.
FORMS: Final = {STORED_ALS: "als"}
#: What any model of cold items has to beat.
COLD_BAR: Final = "popularity_in_category"
#: Rows that any model has to beat.
SANITY: Final = frozenset({"random", "popularity", COLD_BAR})

Metrics = dict[str, Any]


def is_rival(name: str) -> bool:
    """Whether a key is a model of its own, and not the pipeline or another one in another form."""
    return not name.startswith(PIPELINE) and name not in FORMS


def interval_figure(interval: Interval) -> Metrics:
    """`{"mean", "ci95"}`."""
    return {"mean": rounded(interval.mean), "ci95": [rounded(interval.low), rounded(interval.high)]}


def comparison_figure(comparison: Comparison) -> Metrics:
    """`{"mean", "ci95", "relative", "relative_ci95"}`; the last two are None where nothing can be said relative."""
    bounds = comparison.relative_interval
    return interval_figure(comparison.difference) | {
        "relative": None if comparison.relative is None else rounded(comparison.relative),
        "relative_ci95": None if bounds is None else [rounded(bound) for bound in bounds],
    }


def rounded(value: float) -> float:
    """Eight digits: what lies behind them is the order in which a sum was taken."""
    return float(f"{value:.8g}")
