"""Intervals over users: the percentile bootstrap, with the same resamples for every model, so that pairs stay pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.evaluation.metrics import PerUser

#: Resamples whose counts are held at once take about this many bytes.
_CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one model has over another.

    Args:
        difference: Mean difference over the same users.
        relative: The difference over the other's mean; None where the other scored nothing.
        relative_interval: (low, high); None where the other scored nothing in some resample.
    """

    difference: Interval
    relative: float | None
    relative_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Resampled:
    """The means of a set of columns, on the users as they are and on every resample of them.

    Args:
        names: Keys of the columns, such as (model, metric).
        means: float64 [m].
        samples: float64 [resamples, m]; row r is the same draw of users in every column.
    """

    names: tuple[tuple[str, str], ...]
    means: npt.NDArray[np.float64]
    samples: npt.NDArray[np.float64]

    def interval(self, model: str, metric: str) -> Interval:
        """A model's mean of a metric with its interval."""
        column = self.names.index((model, metric))
        return Interval(float(self.means[column]), *_bounds(self.samples[:, column]))

    def compare(self, model: str, other: str, metric: str) -> Comparison:
        """`model` minus `other`, absolute and relative."""
        here, there = self.names.index((model, metric)), self.names.index((other, metric))
        gap = self.samples[:, here] - self.samples[:, there]
        difference = Interval(float(self.means[here] - self.means[there]), *_bounds(gap))
        if not self.means[there] > 0:
            return Comparison(difference, None, None)
        relative = difference.mean / float(self.means[there])
        # With few hits a resample may hold none of the other's, and nothing can be said relative to it.
        measurable = self.samples[:, there].min() > 0
        return Comparison(difference, relative, _bounds(gap / self.samples[:, there]) if measurable else None)


def bootstrap(per_user: Mapping[str, Mapping[str, PerUser]], resamples: int, seed: int) -> Resampled:
    """Resample the users of every model and metric at once.

    A resample draws as many users as there are, with replacement. It is kept as how often each user was drawn, so the
    means of all columns are one matrix product.

    Args:
        per_user: {model: {metric: float64 [n]}}, the same users in the same order throughout.
        resamples: How many.
        seed: At least 0.

    Cost:
        2 s for 30,000 users, 12 models of 10 metrics and 2,000 resamples; 32 MB of counts whatever the users.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979; percentile intervals.
    """
    names = tuple((model, metric) for model, metrics in per_user.items() for metric in metrics)
    values = np.column_stack([per_user[model][metric] for model, metric in names])
    n_users = len(values)
    rng = np.random.default_rng(seed)
    samples = np.empty((resamples, len(names)))
    step = max(1, _CHUNK_BYTES // (8 * n_users))
    for start in range(0, resamples, step):
        chunk = min(step, resamples - start)
        counts = np.empty((chunk, n_users))
        for row in counts:
            row[:] = np.bincount(rng.integers(n_users, size=n_users), minlength=n_users)
        samples[start : start + chunk] = counts @ values / n_users
    return Resampled(names, values.mean(axis=0), samples)


def _bounds(samples: npt.NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(samples, (0.025, 0.975))
    return float(low), float(high)
