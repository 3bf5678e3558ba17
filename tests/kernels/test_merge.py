from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.merge import limited_ranks, merge_sources
from recommender.types import Rows, Scores

Retrieved = list[list[tuple[int, float, int]]]

entries = st.tuples(st.integers(0, 40), st.floats(-9, 9, width=32), st.integers(-1, 99))
far_apart = st.tuples(st.sampled_from([0, 1, 2**31 - 1, 2**30, 65_536, 131_072]), st.just(1.0), st.just(-1))
sources = st.lists(st.lists(entries | far_apart, max_size=30), min_size=1, max_size=6)


def columns(retrieved: Retrieved) -> tuple[Rows, Scores, Rows, npt.NDArray[np.int64]]:
    flat = [entry for source in retrieved for entry in source]
    return (
        np.array([row for row, _, _ in flat], np.int32),
        np.array([score for _, score, _ in flat], np.float32),
        np.array([evidence for _, _, evidence in flat], np.int32),
        np.cumsum([0, *map(len, retrieved)]),
    )


def plainly_merged(retrieved: Retrieved) -> tuple[Rows, Scores, Rows, Rows]:
    """The definition, by numpy's own unique."""
    rows, scores, evidence, offsets = columns(retrieved)
    found, first = np.unique(rows, return_index=True)
    unique = found[np.argsort(first)]
    shape = (len(unique), len(retrieved))
    all_scores, all_ranks, all_evidence = np.full(shape, np.nan, np.float32), np.full(shape, -1), np.full(shape, -1)
    for source, (start, stop) in enumerate(pairwise(offsets)):
        found, first = np.unique(rows[start:stop], return_index=True)
        for row, rank in zip(found, first, strict=True):
            place = np.flatnonzero(unique == row)[0]
            all_scores[place, source] = scores[start + rank]
            all_ranks[place, source] = rank
            all_evidence[place, source] = evidence[start + rank]
    return unique, all_scores, all_ranks.astype(np.int32), all_evidence.astype(np.int32)


@given(sources)
def test_merging_equals_its_plain_definition(retrieved: Retrieved) -> None:
    for got, wanted in zip(merge_sources(*columns(retrieved)), plainly_merged(retrieved), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@given(sources, st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_ranks_are_closed_up_to_the_limit_once_rows_are_gone(retrieved: Retrieved, limit: int, seed: int) -> None:
    ranks = merge_sources(*columns(retrieved))[2]
    ranks = ranks[np.random.default_rng(seed).random(len(ranks)) < 0.7]
    limited, ends = limited_ranks(ranks, limit)
    assert limited.dtype == np.int32
    for source in range(ranks.shape[1]):
        left = sorted(rank for rank in ranks[:, source].tolist() if rank >= 0)
        wanted = [left.index(rank) if rank in left[:limit] else -1 for rank in ranks[:, source].tolist()]
        assert limited[:, source].tolist() == wanted
        assert [rank for rank in left if rank < ends[source]] == left[:limit]


@given(sources)
def test_nothing_is_lost_and_nothing_invented(retrieved: Retrieved) -> None:
    rows, scores, ranks, _ = merge_sources(*columns(retrieved))
    assert len(set(rows.tolist())) == len(rows)
    for source, entries_of_one in enumerate(retrieved):
        assert set(rows[ranks[:, source] >= 0].tolist()) == {row for row, _, _ in entries_of_one}
    np.testing.assert_array_equal(np.isnan(scores), ranks < 0)


def test_a_row_of_several_sources_keeps_what_each_said() -> None:
    rows, scores, ranks, evidence = merge_sources(*columns([[(7, 0.5, 1), (3, 0.25, 2)], [(3, 9.0, -1)]]))
    assert rows.tolist() == [7, 3]
    np.testing.assert_array_equal(scores, np.array([[0.5, np.nan], [0.25, 9.0]], np.float32))
    assert ranks.tolist() == [[0, -1], [1, 0]]
    assert evidence.tolist() == [[1, -1], [2, -1]]
