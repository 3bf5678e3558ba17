"""The report: how it was done, for how many users, with which leaks, what each model is worth and against which."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recommender.errors import ConfigurationError
from training.evaluation.bootstrap import Comparison, Interval, Resampled, bootstrap
from training.evaluation.metrics import Measured

#: The key of the whole pipeline; every other one is compared with it.
PIPELINE: Final = "windowshop"

Metrics = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation's outcome; `users` is 0 and there are no models as long as it is only opened.

    Args:
        protocol: How it was done: at least `k`, `seed`, `resamples`, and what `table.title` reads.
        users: Scored users.
        leaks: Names of known leaks, see `leaks.KNOWN_LEAKS`.
        models: {model: {metric: {"mean", "ci95"} or a number}}.
        paired: {"windowshop-model": {metric: {"mean", "ci95", "relative", "relative_ci95"}}}.
    """

    protocol: dict[str, Any]
    users: int
    leaks: tuple[str, ...]
    models: dict[str, Metrics]
    paired: dict[str, dict[str, Metrics]]

    @property
    def main_k(self) -> int:
        """The cut-off that tables and plots show: 20 if there, else the largest."""
        ks = self.protocol["k"]
        return 20 if 20 in ks else int(max(ks))

    @property
    def main_metric(self) -> str:
        """The metric that models are sorted by."""
        return f"ndcg@{self.main_k}"

    def ranking(self) -> list[str]:
        """The models, best mean of the main metric first."""
        return sorted(self.models, key=lambda name: -float(self.models[name][self.main_metric]["mean"]))

    def to_json(self) -> dict[str, Any]:
        """The contract's object."""
        return {
            "protocol": self.protocol,
            "users": self.users,
            "leaks": list(self.leaks),
            "models": self.models,
            "paired": self.paired,
        }


def build_report(
    protocol: Mapping[str, Any],
    measured: Mapping[str, Measured],
    *,
    users: int,
    leaks: Sequence[str],
    fit_seconds: Mapping[str, float],
) -> Report:
    """The finished report.

    Args:
        protocol: How it was done, with `k`, `seed` and `resamples`.
        measured: {model: metrics}, all over the same cases in the same order.
        users: Scored users.
        leaks: Names of known leaks.
        fit_seconds: {model: seconds}.
    """
    per_user = {name: one.per_user for name, one in measured.items()}
    resampled = bootstrap(per_user, protocol["resamples"], protocol["seed"])
    models = {name: _metrics_of(name, one, resampled, fit_seconds.get(name)) for name, one in measured.items()}
    others = [name for name in measured if name != PIPELINE and PIPELINE in measured]
    paired = {f"{PIPELINE}-{name}": _paired_with(name, measured[name], resampled) for name in others}
    return Report(dict(protocol), users, tuple(leaks), models, paired)


@contextmanager
def opened_report(protocol: Mapping[str, Any], path: Path) -> Iterator[None]:
    """Put the protocol into the report before the test part is opened; what stood there comes back on failure.

    So nobody can say that the configuration was chosen by looking at the test part, and a place that cannot be
    written to is known before the work rather than after it.

    Args:
        protocol: With the configuration's hash.
        path: The report's file.

    Raises:
        ConfigurationError: The place cannot be written to.
    """
    before = path.read_bytes() if path.is_file() else None
    write_report(Report(dict(protocol), 0, (), {}, {}), path)
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
        raise


def write_report(report: Report, path: Path) -> None:
    """Write a report whole or not at all.

    Raises:
        ConfigurationError: The place cannot be written to.
    """
    text = json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ConfigurationError(f"cannot write the report to {path}: {error.strerror}; give another --out") from error


def _metrics_of(name: str, one: Measured, resampled: Resampled, fit_seconds: float | None) -> Metrics:
    metrics: Metrics = {metric: _interval(resampled.interval(name, metric)) for metric in one.per_user}
    metrics |= {metric: _rounded(value) for metric, value in one.overall.items()}
    if fit_seconds is not None:
        metrics["fit_seconds"] = round(fit_seconds, 3)
    return metrics


def _paired_with(other: str, one: Measured, resampled: Resampled) -> dict[str, Metrics]:
    return {metric: _comparison(resampled.compare(PIPELINE, other, metric)) for metric in one.per_user}


def _interval(interval: Interval) -> Metrics:
    return {"mean": _rounded(interval.mean), "ci95": [_rounded(interval.low), _rounded(interval.high)]}


def _comparison(comparison: Comparison) -> Metrics:
    bounds = comparison.relative_interval
    return _interval(comparison.difference) | {
        "relative": None if comparison.relative is None else _rounded(comparison.relative),
        "relative_ci95": None if bounds is None else [_rounded(bound) for bound in bounds],
    }


def _rounded(value: float) -> float:
    """Eight digits: what lies behind them is the order in which a sum was taken."""
    return float(f"{value:.8g}")
