from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import ConfigurationError, InputError
from recommender.types import DAY_MS, NO_TIME
from tests.evaluation.cases import held_out_part, training_part
from training.evaluation.protocol import Cases, Window, build_cases, holdout_cut, window_ending_at

FORTNIGHT = 14 * 86_400.0


def targets_of(cases: Cases) -> dict[int, list[int]]:
    parts = np.split(cases.target_items, cases.target_offsets[1:-1])
    return {user: part.tolist() for user, part in zip(cases.users.tolist(), parts, strict=True)}


def hidden_of(cases: Cases) -> dict[int, list[int]]:
    return {user: cases.hidden(place, place + 1)[1].tolist() for place, user in enumerate(cases.users.tolist())}


# --- the cut


@pytest.mark.parametrize("offset", [0, 1, DAY_MS // 2, DAY_MS - 1])
def test_fourteen_days_are_the_day_of_the_last_target_and_the_thirteen_before(offset: int) -> None:
    day = 100 * DAY_MS
    times = np.array([0, day - 13 * DAY_MS - 1, day - 13 * DAY_MS, day + offset], np.int64)
    window = holdout_cut(times, np.array([True, True, True, True]), FORTNIGHT)
    assert window == Window(day - 13 * DAY_MS, day + DAY_MS)
    assert window.before(times).tolist() == [True, True, False, False]
    assert window.holds(times).tolist() == [False, False, True, True]


def test_the_last_target_decides_and_not_what_comes_after_it() -> None:
    day = 50 * DAY_MS
    times = np.array([0, day, day + DAY_MS, day + 9 * DAY_MS], np.int64)
    window = holdout_cut(times, np.array([False, True, False, False]), 2 * 86_400.0)
    assert window == Window(day - DAY_MS, day + DAY_MS)
    assert (window.before(times) | window.holds(times)).tolist() == [True, True, False, False]


def test_events_without_time_are_counted_and_refused() -> None:
    times = np.array([DAY_MS, NO_TIME, NO_TIME], np.int64)
    with pytest.raises(InputError, match="2 of 3 events have no timestamp"):
        holdout_cut(times, np.ones(3, np.bool_), FORTNIGHT)


def test_a_log_without_a_target_event_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="--target"):
        holdout_cut(np.array([1, 2], np.int64), np.zeros(2, np.bool_), FORTNIGHT)


def test_a_holdout_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(InputError, match="leaves no event to train on"):
        holdout_cut(np.array([DAY_MS, 2 * DAY_MS], np.int64), np.ones(2, np.bool_), FORTNIGHT)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_holdout_has_a_length(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        window_ending_at(DAY_MS, seconds)


@given(
    others=st.lists(st.integers(0, 100 * DAY_MS)),
    target=st.integers(40 * DAY_MS, 100 * DAY_MS),
    days=st.integers(1, 30),
)
def test_every_training_event_lies_before_every_test_event(others: list[int], target: int, days: int) -> None:
    times = np.array([0, *others, target], np.int64)
    window = holdout_cut(times, np.arange(len(times)) == len(times) - 1, days * 86_400.0)
    before, test = times[window.before(times)], times[window.holds(times)]
    assert target in test
    assert before.max() < window.start_ms <= test.min()
    assert window.end_ms - window.start_ms == days * DAY_MS


# --- who and what is scored


def test_targets_are_a_users_distinct_items_with_a_target_event() -> None:
    train = training_part((0, 0), (1, 1))
    test = held_out_part((0, 2), (0, 2), (0, 1), (1, 0, False), (1, 2))
    cases = build_cases(train, test, 3)
    assert targets_of(cases) == {0: [1, 2], 1: [2]}
    assert cases.candidates is None
    assert cases.n_candidates == 3


def test_scored_users_have_an_id_a_training_event_of_positive_weight_and_a_target() -> None:
    anonymous, weightless, unknown, without_target, scored = -1, 1, 2, 3, 4
    train = training_part((anonymous, 0), (weightless, 0, 0.0), (without_target, 0), (scored, 0), (scored, 1, 0.0))
    test = held_out_part((anonymous, 1), (weightless, 1), (unknown, 1), (without_target, 1, False), (scored, 1))
    cases = build_cases(train, test, 2)
    assert cases.users.tolist() == [scored]
    assert cases.counts["users_with_targets"] == 3
    assert cases.counts["users_without_enough_training"] == 2
    assert cases.counts["target_events_without_user"] == 1


def test_a_target_that_no_candidate_covers_stays_in_the_denominator() -> None:
    n_items = 2
    test = held_out_part((0, 1), (0, n_items), (0, n_items + 1), (0, n_items + 1))
    cases = build_cases(training_part((0, 0)), test, n_items)
    assert targets_of(cases) == {0: [1, -1, -1]}
    assert cases.target_counts.tolist() == [3]
    assert cases.counts["uncovered_targets"] == 2


def test_novel_only_hides_what_was_touched_by_any_event_and_takes_it_out_of_the_targets() -> None:
    train = training_part((0, 0), (0, 1, 0.0), (0, 0), (1, 0), (2, 2))
    test = held_out_part((0, 0), (0, 1), (0, 2), (1, 0), (2, 0))
    cases = build_cases(train, test, 3, novel_only=True)
    assert targets_of(cases) == {0: [2], 2: [0]}
    assert hidden_of(cases) == {0: [0, 1], 2: [2]}
    assert cases.removed_targets == 3
    assert cases.counts["users_without_targets_left"] == 1


def test_without_novel_only_nothing_is_hidden() -> None:
    cases = build_cases(training_part((0, 0), (1, 0)), held_out_part((0, 0), (1, 0)), 2)
    assert hidden_of(cases) == {0: [], 1: []}
    assert cases.removed_targets == 0


def test_cold_ranks_only_items_without_any_training_event_for_users_with_five() -> None:
    known, cold, cold_unseen_in_test, cold_viewed, beyond = 0, 1, 2, 3, 4
    train = training_part(*[(0, known)] * 5, *[(1, known)] * 4, (-1, known))
    test = held_out_part((0, known), (0, cold), (0, cold_viewed, False), (0, beyond), (1, cold))
    cases = build_cases(train, test, 4, cold=True)
    assert targets_of(cases) == {0: [cold, -1]}
    assert cases.candidates is not None
    assert np.flatnonzero(cases.candidates).tolist() == [cold, cold_viewed]
    assert cases.candidate_items.tolist() == [cold, cold_viewed]
    assert cold_unseen_in_test not in cases.candidate_items


def test_an_item_that_only_strangers_touched_before_is_not_cold() -> None:
    train = training_part(*[(0, 0)] * 5, (-1, 1, 0.0))
    with pytest.raises(InputError, match="no user with an id has a cold target"):
        build_cases(train, held_out_part((0, 1)), 2, cold=True)


def test_a_test_part_without_target_events_is_refused() -> None:
    with pytest.raises(InputError, match="no event of the --target type"):
        build_cases(training_part((0, 0)), held_out_part((0, 0, False)), 1)


@pytest.mark.parametrize("novel_only", [False, True])
@pytest.mark.parametrize("cold", [False, True])
def test_a_log_without_any_user_id_is_refused(novel_only: bool, cold: bool) -> None:
    with pytest.raises(InputError, match="no user with an id"):
        build_cases(training_part((-1, 0)), held_out_part((-1, 0)), 1, novel_only=novel_only, cold=cold)


def test_parts_that_share_no_user_are_refused() -> None:
    with pytest.raises(InputError, match="name users alike"):
        build_cases(training_part((0, 0)), held_out_part((1, 0)), 1)


def test_novel_only_that_leaves_nobody_is_refused_with_the_count() -> None:
    with pytest.raises(InputError, match="took out all 2 targets of 1 users"):
        build_cases(training_part((0, 0), (0, 1)), held_out_part((0, 0), (0, 1)), 2, novel_only=True)


def test_training_items_are_coded_before_others() -> None:
    with pytest.raises(ValueError, match="not below n_items"):
        build_cases(training_part((0, 5)), held_out_part((0, 0)), 5)


events = st.lists(st.tuples(st.integers(-1, 6), st.integers(0, 8), st.booleans()), min_size=1, max_size=40)


@given(train=events, test=events, novel_only=st.booleans(), cold=st.booleans())
def test_cases_are_those_of_the_plain_definition(
    train: list[tuple[int, int, bool]], test: list[tuple[int, int, bool]], novel_only: bool, cold: bool
) -> None:
    """The same by sets and loops."""
    n_items = 1 + max(item for _, item, _ in train)
    touched: dict[int, set[int]] = {user: {item for who, item, _ in train if who == user} for user in range(-1, 7)}
    counted = Counter(user for user, _, _ in train)
    positive = {user for user, _, weighty in train if weighty}
    seen = {item for _, item, _ in train}
    expected: dict[int, list[int]] = {}
    removed = 0
    for user in sorted({user for user, _, _ in test} & positive - {-1}):
        wanted = {item for who, item, is_target in test if who == user and is_target and not (cold and item in seen)}
        if cold and counted[user] < 5:
            continue
        removed += len(wanted & touched[user]) if novel_only else 0
        wanted -= touched[user] if novel_only else set()
        if wanted:
            expected[user] = sorted(item if item < n_items else 99 for item in wanted)
    parts = training_part(*[(u, i, float(w)) for u, i, w in train]), held_out_part(*test)
    if not expected:
        with pytest.raises(InputError):
            build_cases(*parts, n_items, novel_only=novel_only, cold=cold)
        return
    cases = build_cases(*parts, n_items, novel_only=novel_only, cold=cold)
    assert targets_of(cases) == {user: [-1 if i == 99 else i for i in items] for user, items in expected.items()}
    assert cases.removed_targets == removed
    assert hidden_of(cases) == {user: sorted(touched[user]) if novel_only else [] for user in expected}
