"""Why an item is shown or not: the feed's own run, looked at with a recording funnel instead of a counting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from recommender.feed.catalogue import Catalogue
from recommender.feed.cutting import PageCutter
from recommender.feed.explanation import Explanation, ItemStage, SourceFinding
from recommender.feed.filters.available import AvailableFilter
from recommender.feed.funnel import Recording, Run
from recommender.feed.pipeline import Pipeline
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.feed.taking import SnapshotTaker, without
from recommender.feed.tokens import Place
from recommender.types import FeedQuery, Rows

#: How deep sources are searched for an item that they did not retrieve.
_DEPTH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the feeds of one bundle.

    Args:
        catalogue: The bundle's items.
        taker: Takes the snapshot that GetFeed would take.
        cutter: Cuts it as GetFeed would.
    """

    catalogue: Catalogue
    taker: SnapshotTaker
    cutter: PageCutter

    def explain(self, item_id: str, query: FeedQuery, page_size: int) -> Explanation:
        """What becomes of an item in the feed of a query, all its pages turned at this moment.

        Args:
            item_id: Of the item.
            query: As GetFeed would make it, without a deadline.
            page_size: Cards that a page wants: by it a filter is relaxed.

        Cost: that of a first page without its cards, and of searching each source to a depth of 10,000.
        """
        recording, row = Recording(), self.catalogue.row(item_id)
        snapshot = self.taker.take(query, page_size, recording)
        if row < 0:
            return Explanation(ItemStage.NOT_IN_CATALOGUE, snapshot.model_version)
        query = replace(query, filter=without(query.filter, snapshot.relaxations))
        cut = self.cutter.cut(snapshot, Place(), query, len(snapshot))
        positions, shown = np.flatnonzero(cut.rows == row).tolist(), snapshot.lead_sources[cut.entries] >= 0
        # Of runs with ever wider filters the first one that shows the item placed it; else the widest one lost it.
        run = next((run for run in recording.runs if positions and row in run.slate.rows), recording.runs[-1])
        refused_by = self.taker.pipeline.refused_by(run.query, row)
        ranked = self._ranked(run, row)
        return Explanation(
            stage=ItemStage.SHOWN if positions else _loss(run, row, refused_by, ranked.rank),
            model_version=snapshot.model_version,
            absence=self.catalogue.absence(row, query.now_ms) if AvailableFilter.name in refused_by else None,
            filters=refused_by,
            position=positions[0] if positions else None,
            rank=ranked.rank,
            score=ranked.score,
            probability=ranked.probability,
            last_score=float(snapshot.scores[cut.entries][shown][-1]) if shown.any() else None,
            sources=self._findings(run, row, ranked, {count.name: count.error for count in recording.of("source")}),
            ranker="" if ranked.rank is None else run.ranker.name,
            inputs=ranked.inputs,
            relaxations=snapshot.relaxations,
        )

    def _ranked(self, run: Run, row: int) -> _Ranked:
        places = np.flatnonzero(run.candidates.rows == row)
        if not len(places):
            return _Ranked()
        place, candidates = int(places[0]), run.candidates
        score_order = ScoreOrder(self.taker.pipeline.tail)
        order, _ = score_order.order(run.query, candidates, run.scores, len(candidates))
        names, values = run.ranker.inputs(run.query, candidates)
        return _Ranked(
            rank=int(np.flatnonzero(order == place)[0]),
            score=float(run.scores[place]),
            probability=_finite(float(run.ranker.probabilities(run.query, candidates, run.scores)[place])),
            contributions=tuple(map(_finite, run.ranker.contributions(run.query, candidates)[place].tolist())),
            inputs=tuple(zip(names, map(_finite, values[place].tolist()), strict=True)),
        )

    def _findings(self, run: Run, row: int, ranked: _Ranked, errors: dict[str, str]) -> tuple[SourceFinding, ...]:
        """What each source says: of what it retrieved, else of what it would have had it been let to go on."""
        pipeline, found = self.taker.pipeline, []
        retrieved = [bool((result.rows == row).any()) for result in run.retrieved]
        further = run.retrieved
        if not all(retrieved):
            further = pipeline.retrieve(run.query, min(_DEPTH, self.catalogue.n_items))
        for place, source in enumerate(pipeline.sources):
            result = (run.retrieved if retrieved[place] else further)[place]
            at = int(np.argmax(np.append(result.rows == row, True)))  # its place, or the end
            finding = SourceFinding(source, error=errors.get(source, ""))
            if at < len(result.rows):
                item_id, category = self._evidence(pipeline, place, result.evidence[at])
                contribution = ranked.contributions[place] if ranked.contributions else None
                score = _finite(float(result.scores[at]))
                finding = SourceFinding(source, retrieved[place], at, score, item_id, category, contribution)
            found.append(finding)
        return tuple(found)

    def _evidence(self, pipeline: Pipeline, place: int, evidence: np.int32) -> tuple[str, str]:
        """Item id and category path that a source named, empty where it did not."""
        kind = pipeline.evidence_kinds[place]
        if evidence < 0 or kind == "none":
            return "", ""
        if kind == "category":
            return "", self.catalogue.category_path(int(evidence))
        named: Rows = np.array([evidence], np.int32)
        return self.catalogue.item_ids(named)[0], ""


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What the ranker made of the item; nothing where it was no candidate."""

    rank: int | None = None
    score: float | None = None
    probability: float | None = None
    contributions: tuple[float | None, ...] = ()
    inputs: tuple[tuple[str, float | None], ...] = ()


def _loss(run: Run, row: int, refused_by: tuple[str, ...], rank: int | None) -> ItemStage:
    """Where an item that is not shown was lost; what may not be shown is said before what is not found."""
    if AvailableFilter.name in refused_by:
        return ItemStage.UNAVAILABLE
    if refused_by:
        return ItemStage.FILTERED
    if rank is None:
        return ItemStage.NOT_RETRIEVED
    # A wider filter's slate is cut off by what stands in the narrower ones before it.
    by_reranker = rank < run.k and row not in run.slate.rows
    return ItemStage.CAPPED if by_reranker else ItemStage.OUTRANKED


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
