"""Are chances what they say: predicted against observed, by decile of what was predicted, with intervals over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.types import Mask, Scores

_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Chances:
    """What was foretold of each user's candidates, and what came.

    Args:
        users: int64 [n], the place of each candidate's user, 0 to n_users - 1.
        n_users: How many there are, those without candidates included.
        predicted: float32 [n] in [0, 1].
        observed: bool [n].
    """

    users: npt.NDArray[np.int64]
    n_users: int
    predicted: Scores
    observed: Mask

    def __len__(self) -> int:
        return len(self.predicted)

    def where(self, keep: Mask) -> Chances:
        """The candidates at a mask [n], of the same users."""
        return Chances(self.users[keep], self.n_users, self.predicted[keep], self.observed[keep])


def reliability(chances: Chances, resamples: int, seed: int) -> dict[str, Any]:
    """Mean prediction and share that came in each tenth of the candidates, the least likely first.

    Args:
        chances: Of at least one user.
        resamples: Of the bootstrap over users.
        seed: At least 0.

    Returns:
        `deciles`, each with `candidates`, `predicted`, `observed` and its `ci95`; and `observed_over_predicted` of all
        candidates, with its `ci95`. Equal predictions stay in one tenth, so there may be fewer than ten.
    """
    if not len(chances):
        return {"deciles": []}
    edges = np.unique(np.quantile(chances.predicted, np.arange(1, _BINS) / _BINS))
    bins = np.searchsorted(edges, chances.predicted, side="right")
    held = np.unique(bins)
    cells = chances.users * len(held) + np.searchsorted(held, bins)
    shape = (chances.n_users, len(held))
    counts, hits, expected = (
        np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
        for weights in (None, chances.observed, chances.predicted.astype(np.float64))
    )
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(chances.n_users, np.full(chances.n_users, 1.0 / chances.n_users), size=resamples)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (drawn @ hits) / (drawn @ counts)
        ratios = (drawn @ hits.sum(axis=1)) / (drawn @ expected.sum(axis=1))
    n = counts.sum(axis=0)
    deciles = [
        {
            "candidates": int(n[place]),
            "predicted": _rounded(expected[:, place].sum() / n[place]),
            "observed": _rounded(hits[:, place].sum() / n[place]),
            "ci95": _bounds(shares[:, place]),
        }
        for place in range(len(held))
    ]
    ratio = {"mean": _rounded(hits.sum() / expected.sum()), "ci95": _bounds(ratios)} if expected.sum() > 0 else None
    return {"deciles": deciles, "observed_over_predicted": ratio}


def _bounds(samples: npt.NDArray[np.float64]) -> list[float]:
    return [_rounded(bound) for bound in np.nanquantile(samples, (0.025, 0.975))]


def _rounded(value: float) -> float:
    return float(f"{value:.8g}")
