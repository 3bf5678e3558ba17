"""One report of all outcomes: users of all cuts together, segments, and each cut and seed by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from training.evaluation.figures import COLD_BAR, PIPELINE
from training.evaluation.metrics import main_cut_off
from training.evaluation.pool import Outcome, Pool, pooled
from training.evaluation.report import Report, build_report
from training.evaluation.segments import segment_figures

#: So many of the best single models are told of in segments.
_RIVALS: Final = 3


def summary(protocol: Mapping[str, Any], outcomes: Sequence[Outcome], leaks: Sequence[str]) -> tuple[Report, Pool]:
    """The report of a whole evaluation, and the cases that it is over.

    Args:
        protocol: How it was done, with `k`, `seed` and `resamples`.
        outcomes: Of every cut with every seed, the newest cut first.
        leaks: Names of known leaks.
    """
    pool = pooled(outcomes)
    report = build_report(
        {**protocol, "scored": {"users": pool.n_users, "cases": len(pool.owners), "fingerprint": pool.fingerprint}},
        pool.measured,
        users=pool.n_users,
        leaks=leaks,
        fit_seconds=pool.fit_seconds,
        owners=pool.owners,
    )
    # On cold items the user's categories are the bar, and hardly a model knows more.
    leading = [name for name in (PIPELINE, COLD_BAR) if name in report.models]
    report.further["segments"] = segment_figures(
        pool,
        [*leading, *report.rivals()[:_RIVALS]],
        main_cut_off(protocol["k"]),
        protocol["resamples"],
        protocol["seed"],
    )
    if len(outcomes) > 1:
        report.further["runs"] = [_run(protocol, outcome) for outcome in outcomes]
    return report, pool


def _run(protocol: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """One cut with one seed as an evaluation of its own."""
    own = build_report(
        protocol, outcome.measured, users=len(outcome.cases), leaks=(), fit_seconds=outcome.fit_seconds
    ).to_json()
    return {
        "cut": outcome.cut,
        "seed": outcome.seed,
        "window_ms": None if outcome.window_ms is None else list(outcome.window_ms),
        "users": own["users"],
        "models": own["models"],
        "paired": own["paired"],
    }
