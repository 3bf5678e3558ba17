"""The ranker's examples: candidates of the served pipeline at a cut, labelled by what came after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.features.ranker_inputs import ranker_inputs
from recommender.feed.pipeline import Pipeline
from recommender.types import Mask, Scores
from training.ranking.replay import Replay


@dataclass(frozen=True)
class Examples:
    """Rows of candidates.

    Args:
        inputs: float32 [n, n_inputs], as `recommender.features.ranker_inputs` makes them.
        labels: bool [n], whether the candidate was a target.
        offsets: int64 [n_users + 1], where each user's candidates begin; every user has a target among them.
        candidate_recall: Mean share of a user's targets among the candidates: the ranker's ceiling.
    """

    inputs: Scores
    labels: Mask
    offsets: npt.NDArray[np.int64]
    candidate_recall: float


def build_examples(
    pipeline: Pipeline,
    replay: Replay,
    popularity: Scores,
    *,
    max_users: int,
    advance: Callable[[float], None] = lambda _: None,
) -> Examples:
    """Run the served pipeline's retrieval for each user and label what it found.

    Users none of whose targets were found teach no order and give no rows, but count in the recall.

    Args:
        pipeline: Over the bundle that was fitted on the replay's dataset.
        replay: The fold's users.
        popularity: float32 [n_items] of the same bundle.
        max_users: Users at most.
        advance: Told 1 per user.
    """
    inputs, labels, recalls = [], [], []
    for case in replay.cases(max_users):
        candidates = pipeline.candidates(case.query)
        hits = np.isin(candidates.rows, case.targets)
        recalls.append(hits.sum() / len(case.targets))
        if hits.any():
            inputs.append(ranker_inputs(candidates, popularity))
            labels.append(hits)
        advance(1.0)
    width = 4 * len(pipeline.sources) + 1
    return Examples(
        np.concatenate(inputs) if inputs else np.empty((0, width), np.float32),
        np.concatenate(labels) if labels else np.empty(0, np.bool_),
        np.cumsum([0, *(len(rows) for rows in labels)], dtype=np.int64),
        float(np.mean(recalls)) if recalls else 0.0,
    )
