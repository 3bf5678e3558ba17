"""The funnel: what went into each stage of one request, what came out, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from recommender.feed.stages import Ranker
from recommender.types import Candidates, Degradation, FeedQuery, Scores, Slate, SourceResult

Stage = Literal["history", "source", "merge", "filter", "rank", "rerank", "tail", "snapshot", "cut"]


@dataclass(frozen=True, slots=True)
class StageCount:
    """One component's part in one request.

    Args:
        n_in: Rows that it was given; 0 for sources.
        n_out: Rows that it gave on.
        error: Type and message where it failed and the request went on without it.
        shed: Whether it was left out to hold the deadline.
    """

    stage: Stage
    name: str
    n_in: int
    n_out: int
    seconds: float
    error: str = ""
    shed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the pipeline held on its way.

    Args:
        query: What was asked.
        k: How many rows were wanted.
        retrieved: What each source gave, in order.
        candidates: Merged and filtered.
        ranker: What scored them.
        scores: float32 [n], of the candidates.
        order: intp [m], the reranker's.
        slate: The answer.
    """

    query: FeedQuery
    k: int
    retrieved: list[SourceResult]
    candidates: Candidates
    ranker: Ranker
    scores: Scores
    order: npt.NDArray[np.intp]
    slate: Slate


@dataclass(frozen=True, slots=True)
class Funnel:
    """The counts of one request, in the order of the stages."""

    counts: list[StageCount] = field(default_factory=list)

    def add(self, stage: Stage, name: str, n_in: int, n_out: int, seconds: float, error: str = "") -> None:
        """Note one component's part."""
        self.counts.append(StageCount(stage, name, n_in, n_out, seconds, error))

    def leave_out(self, stage: Stage, name: str) -> None:
        """Note a component that was left out to hold the deadline."""
        self.counts.append(StageCount(stage, name, 0, 0, 0.0, shed=True))

    def see(self, run: Run) -> None:
        """Look at a finished run; a funnel that only counts does not."""

    def degradations(self) -> tuple[Degradation, ...]:
        """What was left out, in the order of the wire's numbers; empty where nothing was."""
        shed = [count.stage for count in self.counts if count.shed]
        found = set()
        if "rank" in shed:
            found.add(Degradation.NO_RANKER)
        if any(count.shed or count.error for count in self.of("history")):
            found.add(Degradation.NO_STATE)
        if "source" in shed:
            alone = all(count.shed for count in self.of("source"))
            found.add(Degradation.FALLBACK if alone else Degradation.FEWER_SOURCES)
        return tuple(sorted(found))

    def of(self, stage: Stage) -> list[StageCount]:
        """The counts of one stage, in the order they were taken."""
        return [count for count in self.counts if count.stage == stage]


@dataclass(frozen=True, slots=True)
class Recording(Funnel):
    """A funnel that keeps what it sees."""

    runs: list[Run] = field(default_factory=list)

    def see(self, run: Run) -> None:
        """Keep a finished run."""
        self.runs.append(run)
