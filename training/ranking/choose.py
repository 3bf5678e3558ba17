"""Choices made on folds through the served path: how fast each source's history fades, and what ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from recommender.feed.pipeline import Pipeline
from recommender.feed.stages import Ranker, Source
from recommender.types import History, Rows
from training.models.protocol import RetrievalModel
from training.ranking.replay import Case, Replay

_K = 20
T = TypeVar("T")


def ndcg_of(rows: Rows, targets: Rows) -> float:
    """Binary NDCG@20 of one user's list, over the ideal at 20."""
    gains = 1.0 / np.log2(np.arange(2, _K + 2))
    hits = np.isin(rows[:_K], targets)
    return float((hits * gains[: len(hits)]).sum() / gains[: min(len(targets), _K)].sum())


def source_ndcg(source: Source, pipeline: Pipeline, replay: Replay, max_users: int) -> npt.NDArray[np.float64]:
    """float64 [n_users], NDCG@20 of a source alone, behind the pipeline's filters."""
    found = []
    for case in replay.cases(max_users):
        rows = source.retrieve(case.query, _K + len(case.query.hidden_rows) + len(case.query.history)).rows
        found.append(ndcg_of(rows[pipeline.keep(case.query, rows)], case.targets))
    return np.array(found)


def model_ndcg(model: RetrievalModel, replay: Replay, max_users: int) -> npt.NDArray[np.float64]:
    """float64 [n_users], NDCG@20 of a fitted model over all items that a query does not hide."""
    found = []
    for case in replay.cases(max_users):
        scores = model.score_all(case.query.history, case.query.now_ms)
        scores[case.query.hidden_rows] = 0.0
        best = np.argpartition(-scores, _K)[:_K] if len(scores) > _K else np.arange(len(scores))
        rows = best[np.argsort(-scores[best], kind="stable")].astype(np.int32)
        found.append(ndcg_of(rows[scores[rows] > 0], case.targets))
    return np.array(found)


def ranker_ndcg(
    pipeline: Pipeline,
    rankers: Mapping[str, Ranker],
    cases: Iterable[Case],
    newest_events: int | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """{ranker: float64 [n_users]}, NDCG@20 of each ranker over the same candidates of the served pipeline.

    With `newest_events` queries know only so many events, as if their users had come a minute ago.
    """
    found: dict[str, list[float]] = {name: [] for name in rankers}
    for case in cases:
        query = case.query
        if newest_events is not None:
            query = query.with_history(_newest(query.history, newest_events))
        candidates = pipeline.candidates(query)
        for name, ranker in rankers.items():
            scores = ranker.score(query, candidates)
            order, _ = pipeline.reranker.order(query, candidates, scores, _K)
            found[name].append(ndcg_of(candidates.rows[order], case.targets))
    return {name: np.array(values) for name, values in found.items()}


def first_as_good(per_user: Mapping[T, npt.NDArray[np.float64]], margin: float) -> T:
    """The first option that falls short of the best by at most `margin` standard errors of their paired difference.

    Where users cannot tell options apart, their order does; with a margin of 0 it is the best, the first of equals.

    Source: Breiman et al., "Classification and regression trees", 1984 (the one-standard-error rule).

    Args:
        per_user: {option: float64 [n_users]}, the same users in the same order.
        margin: At least 0.
    """
    best = max(per_user.values(), key=mean_of)
    for option, own in per_user.items():
        error = float((own - best).std() / np.sqrt(len(own))) if len(own) else 0.0
        if mean_of(best) - mean_of(own) <= margin * error:
            return option
    raise AssertionError("the best is as good as itself")


def mean_of(values: npt.NDArray[np.float64]) -> float:
    """The mean, 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0


def _newest(history: History, limit: int) -> History:
    last = slice(max(len(history) - limit, 0), None)
    return History(history.item_rows[last], history.event_types[last], history.times_ms[last])


def best_of(options: Sequence[T], score: Callable[[T], float]) -> tuple[T, dict[int, float]]:
    """The option of the highest score, the earlier one where two are equal, and all scores by place."""
    scores = {place: score(option) for place, option in enumerate(options)}
    return options[max(scores, key=lambda place: (scores[place], -place))], scores
