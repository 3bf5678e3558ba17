"""Two reports of one thing: which keys got better or worse, and whether that can be said at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.evaluation.bootstrap import bootstrap
from training.evaluation.figures import comparison_figure
from training.evaluation.report import Report, read_report
from training.evaluation.terms import differing_terms
from training.evaluation.users_file import UserFigures, read_users, users_path

Verdict = Literal["better", "worse", "equal", "cannot be told"]


@dataclass(frozen=True)
class MetricChange:
    """What became of one metric of one key.

    Args:
        model: The key.
        metric: The metric.
        old, new: `{"mean", "ci95"}` of either report.
        difference: New minus old with interval and relative, over the same users; None where users cannot be paired.
        verdict: By the paired interval; without one, by whether the two intervals overlap.
    """

    model: str
    metric: str
    old: dict[str, Any]
    new: dict[str, Any]
    difference: dict[str, Any] | None
    verdict: Verdict


@dataclass(frozen=True)
class Change:
    """Two reports compared.

    Args:
        differing: Sentences that say where protocols, data, configurations and code differ; empty where they do not.
        unpaired: Why users cannot be paired; empty where they are.
        main_metric: The metric to begin with.
        metrics: Of every key that both have, the new report's best key first.
        only_old, only_new: Keys of one report alone.
    """

    differing: tuple[str, ...]
    unpaired: str
    main_metric: str
    metrics: tuple[MetricChange, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        return asdict(self)


def compare_reports(old_path: Path, new_path: Path) -> Change:
    """Compare two reports, user by user where both hold the figures of the same users on the same targets.

    Raises:
        InputError: One of them is no finished report, or its users' figures cannot be read.
    """
    old, new = read_report(old_path), read_report(new_path)
    then, now = read_users(users_path(old_path)), read_users(users_path(new_path))
    unpaired = _why_unpaired(old, new, then, now)
    shared = [name for name in new.ranking() if name in old.models]
    metrics = tuple(_changes(old, new, shared, None if unpaired else (then, now)))
    return Change(
        differing=tuple(differing_terms(old, new)),
        unpaired=unpaired,
        main_metric=new.main_metric,
        metrics=metrics,
        only_old=tuple(name for name in old.ranking() if name not in new.models),
        only_new=tuple(name for name in new.ranking() if name not in old.models),
    )


def _why_unpaired(old: Report, new: Report, then: UserFigures | None, now: UserFigures | None) -> str:
    lacking = [name for name, figures in (("older", then), ("newer", now)) if figures is None]
    if lacking:
        return f"the {' and the '.join(lacking)} report has no file of users' figures beside it"
    fingerprints = [report.protocol.get("scored", {}).get("fingerprint") for report in (old, new)]
    if fingerprints[0] is None or fingerprints[0] != fingerprints[1]:
        return "they score other users, or the same ones on other targets"
    if then is not None and now is not None and not np.array_equal(then.owners, now.owners):
        return "a file of users' figures does not belong to its report"
    return ""


def _changes(
    old: Report, new: Report, shared: list[str], figures: tuple[UserFigures | None, UserFigures | None] | None
) -> Iterator[MetricChange]:
    paired = _paired(new, shared, *figures) if figures is not None else {}
    for name in shared:
        for metric, now in new.models[name].items():
            then = old.models[name].get(metric)
            if isinstance(now, Mapping) and isinstance(then, Mapping):
                difference = paired.get((name, metric))
                verdict = _verdict(difference["ci95"]) if difference else _verdict_apart(then["ci95"], now["ci95"])
                yield MetricChange(name, metric, dict(then), dict(now), difference, verdict)


def _paired(
    new: Report, shared: list[str], then: UserFigures | None, now: UserFigures | None
) -> dict[tuple[str, str], dict[str, Any]]:
    """{(model, metric): figure} of new minus old on the same resamples of users."""
    assert then is not None  # noqa: S101  # `_why_unpaired` has looked
    assert now is not None  # noqa: S101
    columns: dict[str, dict[str, Any]] = {}
    for name in shared:
        both = [metric for metric in now.per_case.get(name, {}) if metric in then.per_case.get(name, {})]
        if both:
            columns[f"new {name}"] = {metric: now.per_case[name][metric] for metric in both}
            columns[f"old {name}"] = {metric: then.per_case[name][metric] for metric in both}
    _, owners = np.unique(now.owners, return_inverse=True)
    resampled = bootstrap(columns, new.protocol["resamples"], new.protocol["seed"], owners)
    return {
        (name, metric): comparison_figure(resampled.compare(f"new {name}", f"old {name}", metric))
        for name in shared
        for metric in columns.get(f"new {name}", {})
    }


def _verdict(bounds: list[float]) -> Verdict:
    low, high = bounds
    if low == high == 0:
        return "equal"
    return "better" if low > 0 else "worse" if high < 0 else "cannot be told"


def _verdict_apart(old: list[float], new: list[float]) -> Verdict:
    return "better" if new[0] > old[1] else "worse" if new[1] < old[0] else "cannot be told"
