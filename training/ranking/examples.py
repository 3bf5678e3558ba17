"""The ranker's examples: candidates of the served pipeline at a cut, labelled by what came after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.features.ranker_inputs import input_names
from recommender.features.user_item_inputs import USER_ITEM_INPUTS
from recommender.feed.pipeline import Pipeline
from recommender.types import Candidates, FeedQuery, Mask, Scores
from training.ranking.replay import Case

#: Of users: a ranker has hardly seen histories as short as theirs.
_UNSEEN_PERCENT = 5.0


@dataclass(frozen=True)
class Examples:
    """Rows of candidates.

    Args:
        inputs: float32 [n, n_inputs], as rankers read them.
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
    cases: Iterable[Case],
    inputs_of: Callable[[FeedQuery, Candidates], Scores],
    advance: Callable[[float], None] = lambda _: None,
) -> Examples:
    """Run the served pipeline's retrieval for each user and label what it found.

    Users none of whose targets were found teach no order and give no rows, but count in the recall.

    Args:
        pipeline: Over the bundle that was fitted on the fold's dataset.
        cases: The fold's users.
        inputs_of: Makes the inputs, of the same bundle.
        advance: Told 1 per user.
    """
    inputs, labels, recalls = [], [], []
    for case in cases:
        candidates = pipeline.candidates(case.query)
        hits = np.isin(candidates.rows, case.targets)
        recalls.append(hits.sum() / len(case.targets))
        if hits.any():
            inputs.append(inputs_of(case.query, candidates))
            labels.append(hits)
        advance(1.0)
    return Examples(
        np.concatenate(inputs) if inputs else np.empty((0, 0), np.float32),
        np.concatenate(labels) if labels else np.empty(0, np.bool_),
        np.cumsum([0, *(len(rows) for rows in labels)], dtype=np.int64),
        float(np.mean(recalls)) if recalls else 0.0,
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """Examples of several folds, one behind the other; the recall is the mean over users."""
    parts = [part for part in parts if len(part.labels)] or list(parts[:1])
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return Examples(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.cumsum([0, *lengths], dtype=np.int64),
        float(np.mean([part.candidate_recall for part in parts])),
    )


def parted(examples: Examples, n_users: int) -> tuple[Examples, Examples]:
    """Those of the first `n_users` users and those of the others; the same memory."""
    at = int(examples.offsets[n_users])
    return (
        Examples(
            examples.inputs[:at], examples.labels[:at], examples.offsets[: n_users + 1], examples.candidate_recall
        ),
        Examples(
            examples.inputs[at:], examples.labels[at:], examples.offsets[n_users:] - at, examples.candidate_recall
        ),
    )


@contextmanager
def without_inputs(examples: Examples, columns: Sequence[int]) -> Iterator[Examples]:
    """The examples as if nothing were known of some inputs; what was there comes back at the end.

    In place, since a copy may take a gigabyte: what is constant no ranker can learn from.
    """
    kept = examples.inputs[:, list(columns)]
    examples.inputs[:, list(columns)] = np.nan
    try:
        yield examples
    finally:
        examples.inputs[:, list(columns)] = kept


def shortest_history(examples: Examples, sources: tuple[str, ...]) -> int:
    """The distinct items in the history of all but the one in twenty users with the shortest ones; 0 without users."""
    if not len(examples.labels):
        return 0
    column = len(input_names(sources)) + USER_ITEM_INPUTS.index("history_items")
    counts = np.expm1(examples.inputs[examples.offsets[:-1], column])
    return int(np.percentile(np.round(counts), _UNSEEN_PERCENT))
