"""What variety costs: the same candidates and scores, ordered in many ways, each measured on the same users."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from recommender.bundle import open_bundle
from recommender.components import build_ranker
from recommender.config import Settings
from recommender.wiring import build_pipeline, build_reranker
from training.build import Built
from training.evaluation.bootstrap import bootstrap
from training.evaluation.figures import comparison_figure, interval_figure, rounded
from training.evaluation.metrics import MRR_DEPTH, ItemFacts, measure
from training.evaluation.protocol import Cases
from training.lists import queries_of
from training.progress import Progress

_K: Final = 20
#: `feed.diversity` and `feed.personal_every` of each slate beside that of the settings; the plain order comes first.
_GRID: Final = (
    *((0.0, 0), (0.0, 20), (0.0, 10), (0.0, 7), (0.0, 5), (0.0, 3)),
    *((0.1, 0), (0.3, 0), (0.5, 0), (0.7, 0), (0.1, 20), (0.1, 10), (0.1, 5), (0.3, 10)),
)


def slate_curve(built: Built, cases: Cases, facts: ItemFacts, settings: Settings, progress: Progress) -> dict[str, Any]:
    """NDCG@20, coverage, novelty, diversity and the head's share of slots at every point of a grid.

    Candidates are retrieved and scored once per user; only the last stage runs once per point.

    Args:
        built: The bundle.
        cases: Who is scored on what.
        facts: Of the items.
        settings: Of the feed, whose own diversity and personal slots are a point too, `served`.
        progress: Told of every user.

    Returns:
        `points`, each with what the slate was made by, its metrics, and `over_plain`: NDCG@20 against the plain order,
        paired.
    """
    bundle, own = open_bundle(built.folder, verify=False), (settings.feed.diversity, settings.feed.personal_every)
    pipeline, ranker = build_pipeline(bundle, settings), build_ranker(bundle)
    points = list(dict.fromkeys((*_GRID, own)))
    rerankers = [
        build_reranker(bundle, settings.feed.model_copy(update={"diversity": diversity, "personal_every": every}))
        for diversity, every in points
    ]
    lists = np.full((len(points), len(cases), max(_K, MRR_DEPTH)), -1, np.int32)
    with progress.stage("slates", len(cases)) as stage:
        for place, query in enumerate(queries_of(bundle, cases, built.dataset)):
            candidates = pipeline.candidates(query)
            scores = ranker.score(query, candidates) if len(candidates) else np.empty(0, np.float32)
            for point, reranker in enumerate(rerankers):
                order, _ = reranker.order(query, candidates, scores, _K)
                lists[point, place, : len(order)] = candidates.rows[order]
            stage.advance(1)
    measured = {str(point): measure(rows, cases, (_K,), facts) for point, rows in enumerate(lists)}
    metric = f"ndcg@{_K}"
    per_user = {name: {metric: one.per_user[metric]} for name, one in measured.items()}
    resampled = bootstrap(per_user, settings.evaluate.resamples, settings.evaluate.seed)
    found = [
        {
            "diversity": diversity,
            "personal_every": every,
            "served": (diversity, every) == own,
            metric: interval_figure(resampled.interval(str(point), metric)),
            "over_plain": comparison_figure(resampled.compare(str(point), "0", metric)),
            **{name: rounded(value) for name, value in measured[str(point)].overall.items()},
        }
        for point, (diversity, every) in enumerate(points)
    ]
    return {"points": found}
