"""The way of a query through the stages: the only loop over components.

retrieve -> merge -> filter -> rank -> rerank -> tail

Before a source or the ranker runs, the loop looks at what it lately took and at what is left of the query's time. What
does not fit is left out and told: the ranker first, then the slowest sources, at last all of them, which leaves the
tail. Filters always run. Nothing that began is ever cut off.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.feed.costs import Costs
from recommender.feed.funnel import Funnel, Run
from recommender.feed.rankers.reciprocal_rank import ReciprocalRankRanker
from recommender.feed.stages import EvidenceKind, Filter, Ranker, Reranker, Source
from recommender.kernels.membership import contains
from recommender.kernels.merge import limited_ranks, merge_sources
from recommender.types import Candidates, FeedQuery, Mask, Rows, Scores, Slate, SourceResult

#: Name of what every request has to do whatever is left out: filters, slate, snapshot, cards.
REST: Final = "rest"
#: Of the source limit: so much more is retrieved at most for users whose past hides a lot.
_MOST_ROOM: Final = 4
_logger = logging.getLogger(__name__)


class Pipeline:
    """Turns a query into a slate; immutable, shared by all threads.

    Args:
        sources: In the order of their columns, 32 at most.
        filters: All must agree that a row can be shown.
        ranker: Scores what is left.
        reranker: Orders it.
        tail: int32 [n_items], all rows, the most popular first; fills what the ranked candidates leave open.
        source_limit: Rows that each source may retrieve.
        stand_in: Ranks where there is no time for the ranker.
        perf_counter: Seconds, for the funnel's timings and the query's deadline.

    Attributes:
        tail: As given.
        costs: What sources, the ranker and, by `REST`, all else lately took.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        filters: Sequence[Filter],
        ranker: Ranker,
        reranker: Reranker,
        tail: Rows,
        *,
        source_limit: int = 200,
        stand_in: Ranker | None = None,
        perf_counter: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._sources = tuple(sources)
        self._filters = tuple(filters)
        self._ranker = ranker
        self._stand_in = stand_in or ReciprocalRankRanker()
        self.costs = Costs()
        self.reranker = reranker
        self.tail = tail
        self._source_limit = source_limit
        self._seconds = perf_counter
        self._bits = np.uint32(1) << np.arange(len(self._sources), dtype=np.uint32)
        self._failures_told: set[tuple[str, str]] = set()
        self.sources: tuple[str, ...] = tuple(source.name for source in sources)
        self.evidence_kinds: tuple[EvidenceKind, ...] = tuple(source.evidence_kind for source in sources)

    def over(
        self,
        filters: Sequence[Filter],
        reranker: Reranker,
        new_rows: Rows,
        source_over: Callable[[Source], Source],
        ranker_over: Callable[[Ranker], Ranker],
    ) -> Pipeline:
        """The same pipeline on live items; what it learns of its costs is shared.

        Args:
            filters: On the live items.
            reranker: The same.
            new_rows: int32 [n_new], behind all rows of the tail.
            source_over: What stands for a source.
            ranker_over: What stands for the ranker.
        """
        other = copy.copy(self)
        vars(other).update(
            reranker=reranker,
            _filters=tuple(filters),
            _sources=tuple(map(source_over, self._sources)),
            _ranker=ranker_over(self._ranker),
            tail=np.concatenate((self.tail, new_rows)) if len(new_rows) else self.tail,
        )
        return other

    def run(self, query: FeedQuery, k: int, funnel: Funnel | None = None) -> tuple[Slate, Funnel]:
        """The slate of at most k rows, fewer only where fewer can be shown, and what happened on the way."""
        funnel = Funnel() if funnel is None else funnel
        retrieved, candidates = self._candidates(query, funnel)
        ranker = self._ranker_in_time(query, candidates, funnel)
        scores = self._scored(query, candidates, ranker, funnel)
        order, propensities = self._ordered(query, candidates, scores, k, funnel)
        tail = self._tail_beyond(query, candidates.rows[order], k - len(order), funnel)
        slate = self._slate(query, candidates, ranker, scores, order, propensities, tail)
        funnel.see(Run(query, k, retrieved, candidates, ranker, scores, order, slate))
        return slate, funnel

    def candidates(self, query: FeedQuery) -> Candidates:
        """What can be ranked for a query: retrieved, merged, filtered; the ranker's examples come from here."""
        return self._candidates(query, Funnel())[1]

    def keep(self, query: FeedQuery, rows: Rows, funnel: Funnel | None = None) -> Mask:
        """bool [n]: True where every filter lets the row be shown."""
        mask = np.ones(len(rows), np.bool_)
        for component in self._filters:
            started, n_in = self._seconds(), int(np.count_nonzero(mask))
            mask &= component.keep(query, rows)
            if funnel is not None:
                n_out = int(np.count_nonzero(mask))
                funnel.add("filter", component.name, n_in, n_out, self._seconds() - started)
        return mask

    def refused_by(self, query: FeedQuery, row: int) -> tuple[str, ...]:
        """Names of the filters that do not let a row be shown."""
        rows = np.array([row], np.int32)
        return tuple(component.name for component in self._filters if not component.keep(query, rows)[0])

    def retrieve(self, query: FeedQuery, limit: int) -> list[SourceResult]:
        """What each source gives where it may give so many rows; nothing where it fails."""
        return self._retrieved(query, Funnel(), limit)

    def _candidates(self, query: FeedQuery, funnel: Funnel) -> tuple[list[SourceResult], Candidates]:
        """What each source retrieved, and its best `source_limit` rows of those that can be shown, merged."""
        room = min(sum(component.room(query) for component in self._filters), _MOST_ROOM * self._source_limit)
        retrieved = self._retrieved(query, funnel, self._source_limit + room)
        candidates = self._filtered(query, self._merged(retrieved, funnel), funnel)
        ranks, ends = limited_ranks(candidates.source_ranks, self._source_limit)
        retrieved = [result.first(end) for result, end in zip(retrieved, ends.tolist(), strict=True)]
        absent = ranks < 0
        scores = np.where(absent, np.float32(np.nan), candidates.source_scores)
        evidence = np.where(absent, np.int32(-1), candidates.evidence)
        limited = Candidates(candidates.rows, scores, ranks, evidence, self.sources)
        return retrieved, limited.take(np.flatnonzero(~absent.all(axis=1)))

    def _retrieved(self, query: FeedQuery, funnel: Funnel, limit: int) -> list[SourceResult]:
        results = []
        for place, source in enumerate(self._sources):
            if not self._has_time(query, source.name, self.sources[place + 1 :]):
                funnel.leave_out("source", source.name)
                results.append(SourceResult.empty())
                continue
            started, error = self._seconds(), ""
            try:
                result = source.retrieve(query, limit)
            except Exception as failure:  # noqa: BLE001  # whatever a source does, the others serve the request
                result, error = SourceResult.empty(), self._told(source.name, failure)
            funnel.add("source", source.name, 0, len(result.rows), self._seconds() - started, error)
            results.append(result)
        return results

    def _has_time(self, query: FeedQuery, name: str, among: tuple[str, ...] = ()) -> bool:
        if query.deadline == math.inf:
            return True
        left = query.deadline - self._seconds()
        if self.costs.fits(name, left, among=among, reserve=REST):
            return True
        self.costs.shrink(name)
        return False

    def _told(self, source: str, failure: Exception) -> str:
        """The failure as text; each kind of failure of a source is logged once."""
        kind = (source, type(failure).__name__)
        if kind not in self._failures_told:
            self._failures_told.add(kind)
            _logger.error("source %s failed and is left out; further %s of it are not logged", *kind, exc_info=failure)
        return f"{kind[1]}: {failure}"

    def _merged(self, results: list[SourceResult], funnel: Funnel) -> Candidates:
        started = self._seconds()
        lengths = [len(result.rows) for result in results]
        rows, scores, ranks, evidence = merge_sources(
            np.concatenate([result.rows for result in results], dtype=np.int32),
            np.concatenate([result.scores for result in results], dtype=np.float32),
            np.concatenate([result.evidence for result in results], dtype=np.int32),
            np.cumsum([0, *lengths]),
        )
        funnel.add("merge", "merge", sum(lengths), len(rows), self._seconds() - started)
        return Candidates(rows, scores, ranks, evidence, self.sources)

    def _filtered(self, query: FeedQuery, candidates: Candidates, funnel: Funnel) -> Candidates:
        mask = self.keep(query, candidates.rows, funnel)
        return candidates if mask.all() else candidates.take(mask)

    def _ranker_in_time(self, query: FeedQuery, candidates: Candidates, funnel: Funnel) -> Ranker:
        # The ranker goes first: where a source had to go there is no ranker either, nor did it learn without that one.
        shed = any(count.shed for count in funnel.of("source"))
        if not len(candidates) or (not shed and self._has_time(query, self._ranker.name)):
            return self._ranker
        funnel.leave_out("rank", self._ranker.name)
        return self._stand_in

    def _scored(self, query: FeedQuery, candidates: Candidates, ranker: Ranker, funnel: Funnel) -> Scores:
        started, n = self._seconds(), len(candidates)
        scores = ranker.score(query, candidates) if n else np.empty(0, np.float32)
        funnel.add("rank", ranker.name, n, len(scores), self._seconds() - started)
        return scores

    def _ordered(
        self, query: FeedQuery, candidates: Candidates, scores: Scores, k: int, funnel: Funnel
    ) -> tuple[npt.NDArray[np.intp], Scores]:
        started = self._seconds()
        order, propensities = self.reranker.order(query, candidates, scores, k)
        funnel.add("rerank", self.reranker.name, len(candidates), len(order), self._seconds() - started)
        return order, propensities

    def _tail_beyond(self, query: FeedQuery, ranked: Rows, wanted: int, funnel: Funnel) -> Rows:
        """The first `wanted` rows of the popularity order that can be shown and are not ranked."""
        started, found, n_found, at = self._seconds(), [np.empty(0, np.int32)], 0, 0
        # Most of the popularity order passes most filters; where few do, larger blocks reach its end in few steps.
        step = wanted + len(ranked) + 64
        while n_found < wanted and at < len(self.tail):
            block = self.tail[at : at + step]
            shown = block[self.keep(query, block) & ~contains(ranked, block)]
            found.append(shown)
            n_found, at, step = n_found + len(shown), at + step, 4 * step
        tail = np.concatenate(found)[:wanted]
        funnel.add("tail", "tail", min(at, len(self.tail)), len(tail), self._seconds() - started)
        return tail

    def _slate(
        self,
        query: FeedQuery,
        candidates: Candidates,
        ranker: Ranker,
        scores: Scores,
        order: npt.NDArray[np.intp],
        propensities: Scores,
        tail: Rows,
    ) -> Slate:
        n_ranked, n_tail = len(order), len(tail)
        present = candidates.source_ranks[order] >= 0
        leads = np.empty(0, np.int8)
        if n_ranked:
            contributions = ranker.contributions(query, candidates)[order]
            leads = np.where(present, contributions, -np.inf).argmax(axis=1).astype(np.int8)
        return Slate(
            rows=np.concatenate((candidates.rows[order], tail)),
            scores=np.concatenate((scores[order], np.zeros(n_tail, np.float32))),
            propensities=np.concatenate((propensities, np.ones(n_tail, np.float32))),
            source_masks=np.concatenate((present @ self._bits, np.zeros(n_tail, np.uint32))).astype(np.uint32),
            lead_sources=np.concatenate((leads, np.full(n_tail, -1, np.int8))),
            evidence=np.concatenate((candidates.evidence[order, leads.astype(np.intp)], np.full(n_tail, -1, np.int32))),
            sources=self.sources,
            n_ranked=n_ranked,
        )
