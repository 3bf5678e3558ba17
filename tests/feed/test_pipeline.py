from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.feed.pipeline import Pipeline
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.feed.stages import EvidenceKind
from recommender.types import Candidates, FeedQuery, Mask, Rows, Scores, SourceResult
from tests.worlds import NOW_MS

N_ITEMS = 30
POPULARITY = np.array([row * 7 % N_ITEMS for row in range(N_ITEMS)], np.int32)
QUERY = FeedQuery(NOW_MS, "ada")


@dataclass
class ListedSource:
    """Retrieves what it was given; fails with what it was told to fail with."""

    name: str
    rows: Sequence[int]
    failure: Exception | None = None
    evidence_kind: EvidenceKind = "item"

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        if self.failure is not None:
            raise self.failure
        rows = np.array(self.rows[:limit], np.int32)
        return SourceResult(rows, np.linspace(1, 0.5, len(rows), dtype=np.float32), rows + 100)


@dataclass
class WithoutFilter:
    """Drops the rows that it was given."""

    dropped: Sequence[int]
    name: str = "without"
    asked: list[int] = field(default_factory=list)

    def keep(self, query: FeedQuery, rows: Rows) -> Mask:
        self.asked.append(len(rows))
        return ~np.isin(rows, np.array(self.dropped, np.int32))

    def room(self, query: FeedQuery) -> int:
        return len(self.dropped)


class SumRanker:
    """The sum of the sources' scores."""

    name = "sum"

    def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
        scores: Scores = np.nansum(candidates.source_scores, axis=1).astype(np.float32)
        return scores

    def probabilities(self, query: FeedQuery, candidates: Candidates, scores: Scores) -> Scores:
        return np.full(len(scores), np.nan, np.float32)

    def inputs(self, query: FeedQuery, candidates: Candidates) -> tuple[tuple[str, ...], Scores]:
        return candidates.sources, candidates.source_scores

    def contributions(self, query: FeedQuery, candidates: Candidates) -> Scores:
        return candidates.source_scores


def pipeline_of(sources: Sequence[ListedSource], dropped: Sequence[int] = (), limit: int = 200) -> Pipeline:
    return Pipeline(
        sources, [WithoutFilter(dropped)], SumRanker(), ScoreOrder(POPULARITY), POPULARITY, source_limit=limit
    )


rows_of_a_source = st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS)
worlds = st.lists(rows_of_a_source, min_size=1, max_size=4)


@given(worlds, st.sets(st.integers(0, N_ITEMS - 1)), st.integers(0, 40))
def test_every_row_that_may_be_shown_is_shown_once_and_no_other(
    retrieved: list[list[int]], dropped: set[int], k: int
) -> None:
    sources = [ListedSource(f"s{place}", rows) for place, rows in enumerate(retrieved)]
    slate, funnel = pipeline_of(sources, sorted(dropped)).run(QUERY, k)
    shown, candidates = slate.rows.tolist(), {row for rows in retrieved for row in rows} - dropped
    assert len(shown) == len(set(shown)) == min(k, N_ITEMS - len(dropped))
    assert not dropped & set(shown)
    assert slate.n_ranked == min(k, len(candidates))
    assert set(shown[: slate.n_ranked]) <= candidates
    assert not candidates & set(shown[slate.n_ranked :])
    for before, after in itertools.pairwise(funnel.of("filter")):
        assert before.n_out == after.n_in >= after.n_out
    assert sum(count.n_out for count in funnel.of("source")) == funnel.of("merge")[0].n_in


@given(worlds)
def test_the_slate_says_what_retrieved_each_row_and_what_led(retrieved: list[list[int]]) -> None:
    sources = [ListedSource(f"s{place}", rows) for place, rows in enumerate(retrieved)]
    slate, _funnel = pipeline_of(sources).run(QUERY, N_ITEMS)
    for place, row in enumerate(slate.rows.tolist()):
        found_by = {source for source, rows in enumerate(retrieved) if row in rows}
        mask, lead = int(slate.source_masks[place]), int(slate.lead_sources[place])
        assert {source for source in range(len(sources)) if mask >> source & 1} == found_by
        if place >= slate.n_ranked:
            assert (lead, slate.evidence[place], slate.scores[place]) == (-1, -1, 0.0)
        else:
            assert lead in found_by
            assert slate.evidence[place] == row + 100
            own_scores = {source: sources[source].retrieve(QUERY, N_ITEMS) for source in found_by}
            best = max(r.scores[r.rows.tolist().index(row)] for r in own_scores.values())
            assert own_scores[lead].scores[own_scores[lead].rows.tolist().index(row)] == best


@given(worlds, st.sets(st.integers(0, N_ITEMS - 1)), st.integers(1, 8))
def test_what_may_not_be_shown_takes_no_place_of_what_a_source_retrieves(
    retrieved: list[list[int]], dropped: set[int], limit: int
) -> None:
    sources = [ListedSource(f"s{place}", rows) for place, rows in enumerate(retrieved)]
    # A source is asked for five times its limit at most.
    dropped = set(sorted(dropped)[: 4 * limit])
    candidates = pipeline_of(sources, sorted(dropped), limit).candidates(QUERY)
    for column, rows in enumerate(retrieved):
        best = [row for row in rows if row not in dropped][:limit]
        present = candidates.source_ranks[:, column] >= 0
        ranks = dict(zip(candidates.rows[present].tolist(), candidates.source_ranks[present, column], strict=True))
        assert ranks == {row: rank for rank, row in enumerate(best)}
        assert (np.isfinite(candidates.source_scores[:, column]) == present).all()


def test_scores_fall_within_the_ranked_part_and_the_tail_follows_popularity() -> None:
    slate, _ = pipeline_of([ListedSource("s", [4, 9, 2]), ListedSource("t", [2])]).run(QUERY, N_ITEMS)
    ranked, tail = slate.rows[: slate.n_ranked].tolist(), slate.rows[slate.n_ranked :].tolist()
    assert ranked == [2, 4, 9]
    assert (np.diff(slate.scores[: slate.n_ranked]) <= 0).all()
    assert tail == [row for row in POPULARITY.tolist() if row not in ranked]
    assert slate.propensities.tolist() == [1.0] * N_ITEMS


def test_equal_scores_go_by_popularity() -> None:
    one_by_one = [ListedSource(f"s{row}", [row]) for row in (3, 21, 7)]
    slate, _ = pipeline_of(one_by_one).run(QUERY, 3)
    assert slate.rows.tolist() == [row for row in POPULARITY.tolist() if row in (3, 21, 7)]


def test_a_failing_source_yields_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = pipeline_of([ListedSource("broken", [1], ValueError("no index")), ListedSource("sound", [5])])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            slate, funnel = pipeline.run(QUERY, 2)
    assert slate.rows[0] == 5
    assert [(count.n_out, count.error) for count in funnel.of("source")] == [(0, "ValueError: no index"), (1, "")]
    assert len(caplog.records) == 1
    assert "broken" in caplog.text


def test_another_kind_of_failure_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    source = ListedSource("broken", [], ValueError("a"))
    pipeline = pipeline_of([source])
    with caplog.at_level(logging.ERROR):
        pipeline.run(QUERY, 1)
        source.failure = KeyError("b")
        pipeline.run(QUERY, 1)
    assert len(caplog.records) == 2


def test_when_every_source_fails_the_tail_still_fills_the_slate() -> None:
    slate, _ = pipeline_of([ListedSource("broken", [], ValueError())]).run(QUERY, 4)
    assert slate.rows.tolist() == POPULARITY[:4].tolist()
    assert slate.n_ranked == 0


def test_a_failing_filter_fails_the_request() -> None:
    class BrokenFilter(WithoutFilter):
        def keep(self, query: FeedQuery, rows: Rows) -> Mask:
            raise OSError("availability unknown")

    pipeline = Pipeline([ListedSource("s", [1])], [BrokenFilter([])], SumRanker(), ScoreOrder(POPULARITY), POPULARITY)
    with pytest.raises(OSError, match="availability unknown"):
        pipeline.run(QUERY, 3)


def test_the_tail_reaches_the_last_row_of_the_catalogue_where_few_may_be_shown() -> None:
    n_items = 5_000
    order = np.arange(n_items, dtype=np.int32)
    pipeline = Pipeline(
        [ListedSource("s", [])], [WithoutFilter(range(n_items - 2))], SumRanker(), ScoreOrder(order), order
    )
    slate, funnel = pipeline.run(QUERY, 10)
    assert slate.rows.tolist() == [n_items - 2, n_items - 1]
    assert (funnel.of("tail")[0].n_in, funnel.of("tail")[0].n_out) == (n_items, 2)


def test_the_tail_passes_over_no_row_between_its_blocks() -> None:
    order = np.arange(800, dtype=np.int32)[::-1].copy()
    for start in range(0, 800, 8):
        shown = set(range(start, start + 8))
        dropped = [row for row in range(800) if row not in shown]
        pipeline = Pipeline([ListedSource("s", [])], [WithoutFilter(dropped)], SumRanker(), ScoreOrder(order), order)
        assert pipeline.run(QUERY, 9)[0].rows.tolist() == sorted(shown, reverse=True)


def test_candidates_are_what_can_be_ranked() -> None:
    pipeline = pipeline_of([ListedSource("s", [4, 9, 2]), ListedSource("t", [2, 8])], dropped=[9])
    candidates = pipeline.candidates(QUERY)
    assert candidates.rows.tolist() == [4, 2, 8]
    assert candidates.sources == ("s", "t")
    np.testing.assert_array_equal(candidates.source_ranks, [[0, -1], [1, 0], [-1, 1]])


def test_each_source_is_held_to_the_limit() -> None:
    pipeline = pipeline_of([ListedSource("s", range(20))], limit=3)
    assert len(pipeline.candidates(QUERY)) == 3


def test_the_funnel_names_every_component_and_takes_its_time_from_the_counter() -> None:
    ticks = itertools.count()
    pipeline = Pipeline(
        [ListedSource("s", [1, 2])],
        [WithoutFilter([2])],
        SumRanker(),
        ScoreOrder(POPULARITY),
        POPULARITY,
        perf_counter=lambda: float(next(ticks)),
    )
    _, funnel = pipeline.run(QUERY, 4)
    counts = [(count.stage, count.name, count.n_in, count.n_out) for count in funnel.counts]
    assert counts == [
        ("source", "s", 0, 2),
        ("merge", "merge", 2, 2),
        ("filter", "without", 2, 1),
        ("rank", "sum", 1, 1),
        ("rerank", "score_order", 1, 1),
        ("tail", "tail", N_ITEMS, 3),
    ]
    assert all(count.seconds >= 1.0 for count in funnel.counts)


def test_a_query_keeps_what_all_filters_keep() -> None:
    filters = [WithoutFilter([1]), WithoutFilter([2])]
    pipeline = Pipeline([ListedSource("s", [])], filters, SumRanker(), ScoreOrder(POPULARITY), POPULARITY)
    rows = np.arange(4, dtype=np.int32)
    assert pipeline.keep(replace(QUERY), rows).tolist() == [True, False, False, True]
