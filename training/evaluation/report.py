"""The report: how it was done, for how many users, with which leaks, what each model is worth and against which."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recommender.errors import ConfigurationError, InputError
from training.evaluation.bootstrap import Resampled, bootstrap
from training.evaluation.figures import (
    FORMS,
    PIPELINE,
    SANITY,
    Metrics,
    comparison_figure,
    interval_figure,
    is_rival,
    rounded,
)
from training.evaluation.metrics import Measured, main_cut_off
from training.evaluation.pairs import Codes

_KEYS: Final = ("protocol", "users", "leaks", "models", "paired")


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation's outcome; `users` is 0 and there are no models as long as it is only opened.

    Args:
        protocol: How it was done: at least `k`, `seed`, `resamples`, and what `table.title` reads.
        users: Scored users.
        leaks: Names of known leaks, see `leaks.KNOWN_LEAKS`.
        models: {model: {metric: {"mean", "ci95"} or a number}}.
        paired: {"windowshop-model": {metric: {"mean", "ci95", "relative", "relative_ci95"}}}, and `figures.FORMS`.
        further: What else the file holds: `segments`, `runs`, `stages`, `importance`, as far as they are known.
    """

    protocol: dict[str, Any]
    users: int
    leaks: tuple[str, ...]
    models: dict[str, Metrics]
    paired: dict[str, dict[str, Metrics]]
    further: dict[str, Any] = field(default_factory=dict)

    @property
    def main_k(self) -> int:
        """The cut-off that tables, plots and segments show."""
        return main_cut_off(self.protocol["k"])

    @property
    def main_metric(self) -> str:
        """The metric that models are sorted by."""
        return f"ndcg@{self.main_k}"

    def ranking(self) -> list[str]:
        """The models, best mean of the main metric first."""
        return sorted(self.models, key=lambda name: -float(self.models[name][self.main_metric]["mean"]))

    def rivals(self) -> list[str]:
        """The single models, the best first: neither the pipeline in another form nor sanity rows."""
        return [name for name in self.ranking() if is_rival(name) and name not in SANITY]

    def to_json(self) -> dict[str, Any]:
        """The object in the file."""
        values = (self.protocol, self.users, list(self.leaks), self.models, self.paired)
        return {**dict(zip(_KEYS, values, strict=True)), **self.further}


def build_report(
    protocol: Mapping[str, Any],
    measured: Mapping[str, Measured],
    *,
    users: int,
    leaks: Sequence[str],
    fit_seconds: Mapping[str, float],
    owners: Codes | None = None,
) -> Report:
    """The finished report.

    Args:
        protocol: How it was done, with `k`, `seed` and `resamples`.
        measured: {model: metrics}, all over the same cases in the same order.
        users: Scored users.
        leaks: Names of known leaks.
        fit_seconds: {model: seconds}.
        owners: int64 [n], the user of each case, where one user has several.
    """
    per_case = {name: one.per_user for name, one in measured.items()}
    resampled = bootstrap(per_case, protocol["resamples"], protocol["seed"], owners)
    models = {name: _metrics_of(name, one, resampled, fit_seconds.get(name)) for name, one in measured.items()}
    others = [name for name in measured if name != PIPELINE and PIPELINE in measured]
    pairs = [(PIPELINE, name) for name in others]
    pairs += [(own, form) for form, own in FORMS.items() if form in measured and own in measured]
    paired = {f"{own}-{name}": _paired_with(own, name, measured[name], resampled) for own, name in pairs}
    return Report(dict(protocol), users, tuple(leaks), models, paired)


def read_report(path: Path) -> Report:
    """A report as it was written.

    Raises:
        InputError: The file cannot be read, or holds no finished report.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the report {path}: {error}") from error
    if not isinstance(read, dict) or not all(key in read for key in _KEYS) or not read["models"]:
        raise InputError(f"{path} is no finished report of windowshop evaluate")
    protocol, users, leaks, models, paired = (read.pop(key) for key in _KEYS)
    return Report(protocol, users, tuple(leaks), models, paired, read)


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
    write_json(report.to_json(), path)


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write an object whole or not at all.

    Raises:
        ConfigurationError: The place cannot be written to.
    """
    text = json.dumps(values, indent=1, allow_nan=False) + "\n"
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
    metrics: Metrics = {metric: interval_figure(resampled.interval(name, metric)) for metric in one.per_user}
    metrics |= {metric: rounded(value) for metric, value in one.overall.items()}
    if fit_seconds is not None:
        metrics["fit_seconds"] = round(fit_seconds, 3)
    return metrics


def _paired_with(own: str, other: str, one: Measured, resampled: Resampled) -> dict[str, Metrics]:
    return {metric: comparison_figure(resampled.compare(own, other, metric)) for metric in one.per_user}
