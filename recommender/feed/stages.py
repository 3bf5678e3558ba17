"""The stages of a feed as protocols: each returns only what it may decide.

    Source(query, limit)            -> rows, scores, evidence     cannot hide or rank
    Filter(query, candidates)       -> keep mask [n]              cannot reorder, invent, lose count
    Ranker(query, candidates)       -> scores, chances [n]        cannot drop, see the slate
    Reranker(query, candidates, k)  -> order [m], propensity [m]  cannot invent

`pipeline.py` is the only loop that applies them, so counts and timings come from one place.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from recommender.types import Candidates, FeedQuery, Mask, Scores, SourceResult

EvidenceKind = Literal["item", "category", "none"]


class Source(Protocol):
    """Retrieves rows for a query. One that fails yields nothing and a funnel entry."""

    name: str
    evidence_kind: EvidenceKind

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows, best first, each once."""
        ...


class Filter(Protocol):
    """Decides whether a row can be shown at all. One that fails fails the request."""

    name: str

    def keep(self, query: FeedQuery, rows: npt.NDArray[np.int32]) -> Mask:
        """bool [n]: True where the row may be shown. The same row always gets the same answer."""
        ...

    def room(self, query: FeedQuery) -> int:
        """How many rows it refuses because of who asks: often the best, so sources retrieve as many more."""
        ...


class Ranker(Protocol):
    """Scores each candidate alone."""

    name: str

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n], finite, higher is better."""
        ...

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        """float32 [n] in [0, 1]: the chance of a target event on each within the bundle's horizon; NaN where unknown.

        Args:
            query: Of the scores.
            candidates: Likewise.
            scores: float32 [n], what `score` gave; the larger of two never has the smaller chance.
        """
        ...

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        """Names [n_inputs] and values float32 [n, n_inputs] of what the scores come from, NaN where missing."""
        ...

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        """float32 [n, n_sources]: how much each source speaks for each candidate; the largest one leads."""
        ...


class Reranker(Protocol):
    """Builds the slate from scored candidates."""

    name: str

    def order(
        self, query: FeedQuery, candidates: Candidates, scores: Scores, k: int
    ) -> tuple[npt.NDArray[np.intp], Scores]:
        """Indices [m <= k] into the candidates, and the propensity [m] of each slot given those above."""
        ...
