"""From scores to chances: how often visitors of the newest window turned to candidates that were scored alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from recommender.feed.pipeline import Pipeline
from recommender.feed.rankers.short_history import told_items
from recommender.feed.stages import Ranker
from recommender.logs import EventTable
from recommender.types import DAY_MS, Mask, Rows, Scores
from training.dataset import Dataset
from training.ranking.replay import Replay

_MIN_TARGETS: Final = 100
#: A knot stands for so many targets at least, and there are so many knots at most.
_TARGETS_PER_KNOT: Final = 10
_MOST_KNOTS: Final = 200


@dataclass(frozen=True)
class Visits:
    """Who came in a window, and what they turned to in it.

    Args:
        users: int32 [n], users of the fold's dataset with an event of positive weight before it, in a seeded order.
        offsets: int64 [n + 1] into `targets`; most may have none.
        targets: int32, item rows, -1 for items that the dataset lacks.
        days: The window's length: the horizon of a probability that is learned on it.
    """

    users: Rows
    offsets: npt.NDArray[np.int64]
    targets: Rows
    days: float


@dataclass(frozen=True)
class FittedCalibration:
    """Knots as `recommender.feed.rankers.calibration` reads them.

    Args:
        scores: float32 [m], rising.
        probabilities: float32 [m], rising.
    """

    scores: Scores
    probabilities: Scores

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays by their name in the bundle."""
        return {"knot_scores": self.scores, "knot_probabilities": self.probabilities}


def window_visits(table: EventTable, keep: Mask, dataset: Dataset, target: int, seed: int) -> Visits:
    """The visitors of the time from a fold's cut to the end of the training part.

    A visitor has any event there, also without a target: a feed is asked for by people who come, not by all who ever
    came. Where a log has nothing but target events, that is the people who turned to something.

    Args:
        table: The log as read.
        keep: bool over its rows: the whole training part.
        dataset: The fold's, which looks back from the cut.
        target: Code of the target event type.
        seed: Of the order of users.
    """
    inside = keep & (table.users >= 0) & (table.times_ms >= dataset.now_ms)
    row_of = np.full(len(table.user_ids), -1, np.int64)
    row_of[dataset.user_codes] = np.arange(dataset.n_users)
    known = np.zeros(dataset.n_actors + 1, np.bool_)
    known[dataset.actors()[dataset.weights() > 0]] = True
    came = np.unique(row_of[table.users[inside]])
    came = came[(came >= 0) & known[came]]
    users = came[np.random.default_rng(seed).permutation(len(came))]
    hits = inside & (table.types == target)
    items = dataset.rows_of_codes(table.items[hits], len(table.item_ids)).astype(np.int64)
    pairs = np.unique(np.stack([row_of[table.users[hits]], items]), axis=1)
    starts, stops = np.searchsorted(pairs[0], users), np.searchsorted(pairs[0], users, side="right")
    targets = [pairs[1][start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    end_ms = int(table.times_ms[keep].max()) + 1
    return Visits(
        users=users.astype(np.int32),
        offsets=np.cumsum([0, *(stops - starts)], dtype=np.int64),
        targets=np.concatenate([np.empty(0, np.int64), *targets]).astype(np.int32),
        days=(end_ms - dataset.now_ms) / DAY_MS,
    )


def calibrate(
    pipeline: Pipeline,
    ranker: Ranker,
    replay: Replay,
    visits: Visits,
    *,
    type_weights: Scores,
    short_below: int,
    max_users: int,
    advance: Callable[[float], None] = lambda _: None,
) -> tuple[FittedCalibration | None, dict[str, Any]]:
    """Fit the chances of a ranker's scores on all candidates of a window that it has not learned on.

    Args:
        pipeline: Over the bundle that was fitted on the replay's dataset.
        ranker: Of the same bundle.
        replay: Makes the queries.
        visits: Who came then.
        type_weights: float32 [256], by which histories are short.
        short_below: Shorter histories are ranked by something else, and left out.
        max_users: Visitors at most.
        advance: Told 1 per visitor.

    Returns:
        None where fewer than 100 targets are among the candidates, and what the manifest tells of it.
    """
    scores, labels, users = [np.empty(0, np.float32)], [np.empty(0, np.bool_)], 0
    for place, user in enumerate(visits.users[:max_users].tolist()):
        query = replay.query(user)
        advance(1.0)
        if told_items(query.history, type_weights) < short_below:
            continue
        candidates = pipeline.candidates(query)
        users += 1
        scores.append(ranker.score(query, candidates))
        labels.append(np.isin(candidates.rows, visits.targets[visits.offsets[place] : visits.offsets[place + 1]]))
    fitted = fit_calibration(np.concatenate(scores), np.concatenate(labels))
    told = {
        "horizon_days": visits.days,
        "users": users,
        "candidates": sum(map(len, labels)),
        "targets": int(sum(map(np.count_nonzero, labels))),
    }
    return fitted, told


def fit_calibration(scores: Scores, labels: Mask) -> FittedCalibration | None:
    """A rising line from scores to the share of targets.

    Scores are put into bins of at least ten targets, so that no knot stands for a stroke of luck; bins that fall
    become one, which stands at its mean score. So the line rises between knots, and only its ends are flat.

    Args:
        scores: float32 [n].
        labels: bool [n], whether each was a target.

    Returns:
        At most 200 knots; None where there are fewer than 100 targets.

    Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", 2002;
    Oron and Flournoy, "Centered isotonic regression", 2017 (knots at the middle of a pool).
    """
    n_targets = int(np.count_nonzero(labels))
    if n_targets < _MIN_TARGETS:
        return None
    # Equal scores stay together, so that the order of rows decides nothing.
    values, inverse, counts = np.unique(scores.astype(np.float64), return_inverse=True, return_counts=True)
    hits = np.bincount(inverse, weights=labels, minlength=len(values))
    least = max(_TARGETS_PER_KNOT, -(-n_targets // (_MOST_KNOTS - 1)))
    # From the best down: the head of the list is where chances differ.
    above = np.cumsum(hits[::-1])[::-1] - hits
    bins = np.unique(-(above // least), return_inverse=True)[1]
    weights = np.bincount(bins, weights=counts)
    middles = np.bincount(bins, weights=values * counts) / weights
    shares = np.bincount(bins, weights=hits) / weights
    levels = IsotonicRegression().fit_transform(middles, shares, sample_weight=weights)
    pools = np.cumsum(np.append(False, levels[1:] != levels[:-1]))
    pooled = np.bincount(pools, weights=weights)
    knots = (np.bincount(pools, weights=middles * weights) / pooled).astype(np.float32)
    probabilities = (np.bincount(pools, weights=shares * weights) / pooled).astype(np.float32)
    kept = np.append(True, knots[1:] > knots[:-1])
    return FittedCalibration(knots[kept], np.maximum.accumulate(probabilities[kept]))
