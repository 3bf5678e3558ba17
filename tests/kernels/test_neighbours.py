from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.kernels.neighbours import cooccurrence_lists, sum_lists
from recommender.kernels.top import take_touched
from recommender.types import Rows, Scores

N_ITEMS = 6

#: One actor's events, oldest first: (item, time, weight).
Walk = list[tuple[int, int, float]]
walks = st.lists(
    st.lists(st.tuples(st.integers(0, N_ITEMS - 1), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0])), max_size=9)
    .map(lambda walk: sorted(walk, key=lambda event: event[1])),
    max_size=5,
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    window: int = 3
    backward: float = 0.5
    gap_power: float = 0.75
    saturation: float = 1.0


shapes = st.builds(
    Shape,
    st.sampled_from([1, 2, 100]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 0.75]),
    st.sampled_from([0.0, 1.0]),
)
NORMS_FROM = np.linspace(1, 2, N_ITEMS, dtype=np.float32)
NORMS_TO = np.linspace(3, 1, N_ITEMS, dtype=np.float32)


def lists_of(log: list[Walk], shape: Shape, k: int, n_parts: int) -> tuple[Rows, Scores]:
    flat = [(actor, *event) for actor, walk in enumerate(log) for event in walk]
    items = np.array([item for _, item, _, _ in flat], np.int32)
    occurrences = np.argsort(items, kind="stable").astype(np.int64)
    found: tuple[Rows, Scores] = cooccurrence_lists(
        np.cumsum([0, *map(len, log)]).astype(np.int64),
        np.array([actor for actor, *_ in flat], np.int32),
        items,
        np.array([time_ms for _, _, time_ms, _ in flat], np.int64),
        np.array([weight for *_, weight in flat], np.float32),
        occurrences,
        np.searchsorted(items[occurrences], np.arange(N_ITEMS + 1)).astype(np.int64),
        NORMS_FROM,
        NORMS_TO,
        shape.window,
        shape.backward,
        shape.gap_power,
        shape.saturation,
        k,
        n_parts,
    )
    return found


def plain_scores(log: list[Walk], shape: Shape) -> dict[int, dict[int, float]]:
    """The definition, event pair by event pair."""
    scores: dict[int, dict[int, float]] = {item: defaultdict(float) for item in range(N_ITEMS)}
    for walk in log:
        voices: dict[tuple[int, int], float] = defaultdict(float)
        for p, (i, time_p, _) in enumerate(walk):
            for q, (j, time_q, weight) in enumerate(walk):
                gap = abs(p - q)
                if i == j or gap > shape.window:
                    continue
                decay = 1.0 if time_p == time_q else gap**-shape.gap_power * (1.0 if q > p else shape.backward)
                voices[i, j] += weight * decay
        for (i, j), voice in voices.items():
            if voice > 0:
                scores[i][j] += voice / (voice + shape.saturation) * float(NORMS_FROM[i]) * float(NORMS_TO[j])
    return scores


@settings(max_examples=150)
@given(walks, shapes, st.integers(1, N_ITEMS + 1))
def test_lists_hold_the_best_followers_of_the_plain_definition(log: list[Walk], shape: Shape, k: int) -> None:
    rows, scores = lists_of(log, shape, k, 2)
    for item, wanted in plain_scores(log, shape).items():
        n = min(k, len(wanted))
        listed = rows[item, :n].tolist()
        assert len(set(listed)) == n
        np.testing.assert_allclose(scores[item, :n], [wanted[row] for row in listed], rtol=1e-5)
        np.testing.assert_allclose(scores[item, :n], sorted(wanted.values(), reverse=True)[:n], rtol=1e-5)
        assert (rows[item, n:] == -1).all()
        assert not scores[item, n:].any()


@settings(max_examples=30)
@given(walks, shapes)
def test_the_number_of_parts_changes_nothing(log: list[Walk], shape: Shape) -> None:
    whole = lists_of(log, shape, 4, 1)
    for n_parts in (2, 5, 9):
        parted = lists_of(log, shape, 4, n_parts)
        np.testing.assert_array_equal(parted[0], whole[0])
        np.testing.assert_array_equal(parted[1], whole[1])


def test_the_direction_of_time_counts_but_not_within_one_moment() -> None:
    after = lists_of([[(0, 1, 1.0), (1, 2, 1.0)]], Shape(backward=0.0), 3, 1)[0]
    assert after[0].tolist() == [1, -1, -1]
    assert after[1].tolist() == [-1, -1, -1]
    together = lists_of([[(0, 1, 1.0), (1, 1, 1.0)]], Shape(backward=0.0), 3, 1)[0]
    assert [row[0] for row in together[:2].tolist()] == [1, 0]


def test_the_same_follower_again_adds_less_and_less() -> None:
    pair: Walk = [(0, 1, 1.0), (5, 2, 1.0)]
    one, same_voice, two_voices = (
        lists_of(log, Shape(window=1), 1, 1)[1][0, 0] for log in ([pair], [pair + pair], [pair, pair])
    )
    assert two_voices == pytest.approx(2 * one)
    assert one < same_voice < two_voices


def test_equal_scores_inside_a_list_go_by_row() -> None:
    flat = np.ones(N_ITEMS, np.float32)
    rows, _ = cooccurrence_lists(
        np.array([0, 4], np.int64), np.zeros(4, np.int32), np.array([3, 5, 4, 2], np.int32), np.zeros(4, np.int64),
        np.ones(4, np.float32), np.array([3, 0, 2, 1], np.int64), np.array([0, 0, 0, 1, 2, 3, 4], np.int64),
        flat, flat, 10, 1.0, 1.0, 1.0, 3, 1,
    )  # fmt: skip
    assert rows[5].tolist() == [2, 3, 4]


def test_a_voice_too_faint_to_count_is_listed_once_or_not_at_all() -> None:
    faint = lists_of([[(0, 1, 1e-38), (1, 2, 1e-38)]] * 3, Shape(saturation=1e300), 3, 1)
    assert (faint[0] == -1).all()


neighbour_lists = st.lists(
    st.lists(
        st.tuples(st.integers(0, N_ITEMS - 1), st.sampled_from([0.0, -1.0, 1e-30, 0.25, 3.0])),
        max_size=4,
        unique_by=lambda entry: entry[0],
    ),
    min_size=N_ITEMS,
    max_size=N_ITEMS,
)
own = st.dictionaries(st.integers(0, N_ITEMS - 1), st.sampled_from([0.0, 1e-30, 0.5, 2.0]))


@given(neighbour_lists, own)
def test_sums_over_lists_are_plain_sums_and_the_scratch_is_left_zeroed(
    lists: list[list[tuple[int, float]]], history: dict[int, float]
) -> None:
    rows, scores = np.full((N_ITEMS, 4), -1, np.int32), np.zeros((N_ITEMS, 4), np.float32)
    for item, entries in enumerate(lists):
        for place, (row, score) in enumerate(entries):
            rows[item, place], scores[item, place] = row, score
    addends: dict[int, dict[int, float]] = defaultdict(dict)
    for item, weight in history.items():
        for row, score in lists[item]:
            value = float(np.float32(weight) * np.float32(score))
            if value > 0:
                addends[row][item] = value
    sums, best = np.zeros(N_ITEMS, np.float32), np.full(N_ITEMS, 99.0, np.float32)
    evidence, touched = np.full(N_ITEMS, 99, np.int32), np.full(N_ITEMS, 99, np.int32)
    n_touched = sum_lists(
        np.array(list(history), np.int32),
        np.array(list(history.values()), np.float32),
        rows, scores, sums, best, evidence, touched,
    )  # fmt: skip
    found_rows, found = take_touched(touched, n_touched, sums)
    assert found_rows.tolist() == list(addends)
    np.testing.assert_allclose(found, [sum(each.values()) for each in addends.values()], rtol=1e-6)
    for row, each in addends.items():
        assert each[int(evidence[row])] == max(each.values())
    assert not sums.any()


def test_a_sum_that_is_not_a_number_stays_out() -> None:
    rows, scores = np.array([[1], [0]], np.int32), np.array([[np.nan], [1.0]], np.float32)
    sums, scratch = np.zeros(2, np.float32), np.zeros(2, np.int32)
    history = np.array([0, 1], np.int32)
    n_touched = sum_lists(
        history, np.ones(2, np.float32), rows, scores, sums, np.zeros(2, np.float32), scratch, scratch.copy()
    )
    assert (n_touched, sums.tolist()) == (1, [1.0, 0.0])
