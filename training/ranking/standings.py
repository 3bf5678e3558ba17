"""Where each item usually stands among people's candidates, so that serving can tell what suits one in particular."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from recommender.features.standings import standings
from recommender.feed.pipeline import Pipeline
from recommender.feed.stages import Ranker
from recommender.types import FeedQuery, Scores


def usual_standings(
    pipeline: Pipeline,
    ranker: Ranker,
    queries: Iterable[FeedQuery],
    n_items: int,
    advance: Callable[[float], None] = lambda _: None,
) -> Scores:
    """float32 [n_items], the mean standing of each item over the lists of candidates that hold it.

    Nothing of what people turned to afterwards goes in, so it is taken at the very moment that the bundle serves from:
    what is new this week stands high for everybody this week. An item that no list held counts as 0, the middle.

    Args:
        pipeline: Of a bundle.
        ranker: Of the same.
        queries: Of a sample of its users.
        n_items: Of the bundle.
        advance: Told 1 per query.
    """
    sums, counts = np.zeros(n_items), np.zeros(n_items)
    for query in queries:
        candidates = pipeline.candidates(query)
        if len(candidates):
            sums[candidates.rows] += standings(ranker.score(query, candidates))
            counts[candidates.rows] += 1
        advance(1.0)
    return (sums / np.maximum(counts, 1)).astype(np.float32)
