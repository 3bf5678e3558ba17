"""The best single source alone, for logs on which a learned ranker does not beat it."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender.bundle import Bundle
from recommender.errors import BundleError
from recommender.feed.rankers.calibration import Calibration
from recommender.feed.sources.newcomers import NewcomersSource
from recommender.types import Candidates, FeedQuery, Scores

#: Below what a single event of last year leaves of a popularity.
_LEAST: Final = 1e-9


class SingleSourceRanker:
    """The named source's order first, then everything else by popularity.

    Args:
        bundle: Names the source, where no other is given.
        source: Its name.

    Raises:
        BundleError: The bundle lacks the source.
    """

    name = "single_source"

    def __init__(self, bundle: Bundle, source: str | None = None) -> None:
        self._source = source or str(bundle.manifest.ranker["source"])
        if self._source not in bundle.manifest.sources:
            raise BundleError(
                f"bundle {bundle.folder} ranks by the source {self._source!r}, "
                f"which is not among its own, {', '.join(bundle.manifest.sources)}: train it again"
            )
        # What a bundle tells of chances it tells of its own ranker.
        self._calibration = Calibration.of(bundle) if source is None else Calibration()
        self._popularity = bundle.array("popularity/recent")

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n]: 1 + 1 / (1 + rank) where the source retrieved the row, else its popularity in [0, 1].

        What has no popularity at all, for want of a history, goes by its place among the newcomers.
        """
        del query
        popularity = self._popularity[candidates.rows]
        if NewcomersSource.name in candidates.sources:
            popularity = np.maximum(popularity, _LEAST * _by_place(candidates, NewcomersSource.name))
        own = _by_place(candidates, self._source)
        return np.where(own > 0, 1.0 + own, popularity).astype(np.float32)

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1], NaN where the bundle tells none."""
        del query, candidates
        return self._calibration.probabilities(scores)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """The row's rank in the named source, NaN where it was not retrieved, and its popularity; float32 [n, 2]."""
        del query
        ranks = candidates.source_ranks[:, candidates.sources.index(self._source)].astype(np.float32)
        values = np.stack((np.where(ranks >= 0, ranks, np.nan), self._popularity[candidates.rows]), axis=1)
        return (f"{self._source}.rank", "popularity"), values.astype(np.float32)

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources]: the named source leads where it retrieved the row, else the best-placed source."""
        del query
        column = candidates.sources.index(self._source)
        by_rank = np.where(candidates.source_ranks >= 0, -candidates.source_ranks.astype(np.float32), -np.inf)
        by_rank[:, column] = np.where(candidates.source_ranks[:, column] >= 0, 1.0, -np.inf)
        return by_rank.astype(np.float32)


def _by_place(candidates: Candidates, source: str) -> Scores:
    """float64 [n], 1 / (1 + rank) in a source's list, 0 where it did not retrieve the row."""
    ranks = candidates.source_ranks[:, candidates.sources.index(source)]
    places: Scores = np.where(ranks >= 0, 1.0 / (1.0 + np.maximum(ranks, 0)), 0.0)
    return places
