"""The served probabilities against what came: visitors of the test part, all that could be ranked for them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from recommender.bundle import open_bundle
from recommender.components import build_ranker
from recommender.config import Settings
from recommender.logs import EventTable
from recommender.types import DAY_MS, Mask
from recommender.wiring import build_pipeline
from training.build import Built
from training.evaluation.reliability import Chances, reliability
from training.progress import Progress
from training.ranking.calibration import window_visits
from training.ranking.replay import Hide, Replay

_MAX_USERS: Final = 3_000
_SHOWN: Final = 20


def measured_chances(
    built: Built, table: EventTable, within: Mask, target: int, hide: Hide, settings: Settings, progress: Progress
) -> dict[str, Any]:
    """How reliable the bundle's probabilities are on what came after its cut, within its horizon.

    Args:
        built: The bundle, and the dataset that it was fitted on.
        table: The log as read, the test part included.
        within: bool over its rows: the training part and the test part.
        target: Code of the target event type.
        hide: What queries hide.
        settings: Of the feed and the bootstrap.
        progress: Told of every visitor.

    Returns:
        `horizon_days`, `observed_days` that the log goes on after the cut, `users`, and `reliability` of all
        `candidates` and of those that a feed shows first; `none` with the reason where nothing can be measured.
    """
    calibration = built.manifest.ranker.get("calibration")
    if calibration is None:
        return {"none": "the model tells no probability: no windows of time, or too few targets in the newest"}
    horizon_ms, cut_ms = int(calibration["horizon_days"] * DAY_MS), built.dataset.now_ms
    within = within & (table.times_ms < cut_ms + horizon_ms)
    visits = window_visits(table, within, built.dataset, target, settings.train.seed)
    replay = Replay(built.dataset, visits.users, visits.offsets, visits.targets, hide, settings.bundle.history_events)
    bundle = open_bundle(built.folder, verify=False)
    pipeline, ranker = build_pipeline(bundle, settings), build_ranker(bundle)
    users, predicted, observed, shown, n_users = [], [], [], [], 0
    with progress.stage("chances", min(len(visits.users), _MAX_USERS)) as stage:
        for place, user in enumerate(visits.users[:_MAX_USERS].tolist()):
            query = replay.query(user)
            candidates = pipeline.candidates(query)
            scores = ranker.score(query, candidates)
            chances = ranker.probabilities(query, candidates, scores)
            stage.advance(1.0)
            if np.isnan(chances).any():
                continue
            order, _ = pipeline.reranker.order(query, candidates, scores, _SHOWN)
            users.append(np.full(len(chances), n_users))
            predicted.append(chances)
            observed.append(np.isin(candidates.rows, visits.targets[visits.offsets[place] : visits.offsets[place + 1]]))
            shown.append(np.isin(np.arange(len(chances)), order))
            n_users += 1
    if not n_users:
        return {"none": "nobody whose chances the model tells came back in the test part"}
    found = Chances(np.concatenate(users), n_users, np.concatenate(predicted), np.concatenate(observed))
    seed, resamples = settings.evaluate.seed, settings.evaluate.resamples
    return {
        "horizon_days": calibration["horizon_days"],
        "observed_days": visits.days,
        "users": n_users,
        "candidates": reliability(found, resamples, seed),
        f"first_{_SHOWN}": reliability(found.where(np.concatenate(shown)), resamples, seed),
    }
