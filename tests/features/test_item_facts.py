"""Item facts: worked-out answers, and nothing of ids or order."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.features.item_facts import ITEM_FACTS, item_facts
from recommender.types import DAY_MS, NO_TIME, Scores

NOW_MS = 500 * DAY_MS


def facts_of(events: list[tuple[int, int, float, bool]], n_items: int = 3, timed: bool = True) -> Scores:
    """Facts of (item, actor, age in days, bought) events."""
    return item_facts(
        np.array([item for item, *_ in events], np.int32),
        np.array([actor for _, actor, *_ in events], np.int32),
        np.array([NOW_MS - int(age * DAY_MS) if timed else NO_TIME for _, _, age, _ in events], np.int64),
        np.ones(len(events), np.float32),
        np.array([bought for *_, bought in events], np.bool_),
        n_items,
        NOW_MS,
    )


def column(facts: Scores, name: str) -> list[float]:
    return list(map(float, facts[:, ITEM_FACTS.index(name)].tolist()))


def test_the_worked_out_facts_of_three_items() -> None:
    facts = facts_of([(0, 0, 7.0, True), (0, 0, 0.0, False), (0, 1, 0.0, False), (1, -1, 90.0, True)])
    nan = float("nan")
    assert facts.shape == (3, len(ITEM_FACTS))
    assert facts.dtype == np.float32
    assert column(facts, "popularity_7d") == pytest.approx([np.log1p(2.5), np.log1p(2 ** (-90 / 7)), 0.0], abs=1e-6)
    assert column(facts, "popularity_90d")[1] == pytest.approx(np.log1p(0.5))
    assert column(facts, "owners") == pytest.approx([np.log1p(2), 0.0, 0.0])
    # One of the two came back a week later.
    assert column(facts, "repeats") == pytest.approx([0.5, nan, nan], nan_ok=True)
    assert column(facts, "age") == pytest.approx([np.log1p(7), np.log1p(90), nan], nan_ok=True)
    assert column(facts, "bought") == pytest.approx([1 / 3, 1.0, nan], nan_ok=True)


def test_a_rising_item_trends_up_and_an_untouched_one_is_flat() -> None:
    rising = [(0, actor, 0.5, False) for actor in range(40)]
    falling = [(1, actor, 60.0, False) for actor in range(40)]
    up, down, flat = column(facts_of(rising + falling), "trend")
    assert up > 0.3
    assert down < -0.3
    assert flat == pytest.approx(0.0, abs=1e-6)


def test_without_times_nothing_fades_and_several_events_are_a_return() -> None:
    facts = facts_of([(0, 0, 9.0, False), (0, 0, 1.0, False), (1, 1, 5.0, True)], timed=False)
    assert column(facts, "popularity_7d")[:2] == pytest.approx([np.log1p(2), np.log1p(1)])
    assert column(facts, "repeats")[:2] == [1.0, 0.0]
    assert np.isnan(column(facts, "age")).all()


def test_neither_order_nor_actors_names_matter() -> None:
    events = [(n % 3, n % 5, float(n), n % 2 == 0) for n in range(40)]
    shuffled = [events[n] for n in np.random.default_rng(3).permutation(40)]
    renamed = [(item, 9 - actor, age, bought) for item, actor, age, bought in shuffled]
    np.testing.assert_array_equal(facts_of(events), facts_of(renamed))


def test_no_events_have_facts_of_nothing() -> None:
    facts = facts_of([])
    assert column(facts, "owners") == [0.0, 0.0, 0.0]
    assert np.isnan(column(facts, "age")).all()
