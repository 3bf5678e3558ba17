"""Folds that never let the future into the past."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.types import DAY_MS, EVENT_TYPE_CODE, NO_TIME
from tests.training.test_dataset import build, table_of
from training.split import Fold, Scheme, choose_scheme, folds

PURCHASE = EVENT_TYPE_CODE["purchase"]
T0 = 1_600_000_000_000

Row = tuple[str, str, str, str, int]

rows_of_log = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "e", ""]),
        st.just(""),
        st.sampled_from(["i", "j", "k", "l"]),
        st.sampled_from(["view", "purchase"]),
        st.integers(T0, T0 + 100 * DAY_MS),
    ),
    min_size=2,
    max_size=60,
)


def cut(scheme: Scheme, rows: list[Row]) -> tuple[list[Fold], object]:
    table = table_of(rows)
    keep = np.ones(len(table), np.bool_)
    return folds(scheme, table, keep, build(table), PURCHASE, 14 * DAY_MS, 7, teaching_windows=3), table


@given(rows_of_log)
def test_windows_fit_on_what_lies_before_and_target_what_comes_after(
    rows: list[Row],
) -> None:
    cuts, table = cut("windows", rows)
    for fold in cuts:
        assert (table.times_ms[fold.keep] < fold.now_ms).all()  # type: ignore[attr-defined]
        later = {
            (u, i)
            for u, i, t, kind in zip(table.users, table.items, table.times_ms, table.types, strict=True)  # type: ignore[attr-defined]
            if t >= fold.now_ms and kind == PURCHASE and u >= 0
        }
        assert set(zip(fold.users.tolist(), fold.items.tolist(), strict=True)) <= later
    assert [fold.name for fold in cuts] == ["choose", "teach", "teach 2", "teach 3"][: len(cuts)]
    for newer, older in pairwise(cuts):
        assert (newer.keep | ~older.keep).all()
        assert older.now_ms is not None
        assert newer.now_ms is not None
        assert older.now_ms < newer.now_ms


def test_windows_that_teach_leave_two_thirds_of_the_log_before_them() -> None:
    rows: list[Row] = [("a", "", "i", "purchase", T0 + day * DAY_MS) for day in range(181)]
    cuts, _ = cut("windows", rows)
    assert len(cuts) == 4
    short, _ = cut("windows", rows[:61])
    assert len(short) == 2


@given(rows_of_log, st.sampled_from(["last", "random"]))
def test_no_row_of_a_target_pair_is_fitted_on(rows: list[Row], scheme: Scheme) -> None:
    if scheme == "random":
        rows = [(*row[:4], NO_TIME) for row in rows]
    cuts, table = cut(scheme, rows)
    users = [set(fold.users.tolist()) for fold in cuts]
    for place, fold in enumerate(cuts):
        kept = {
            (u, i)
            for u, i, k in zip(table.users.tolist(), table.items.tolist(), fold.keep.tolist(), strict=True)  # type: ignore[attr-defined]
            if k
        }
        # Neither its own targets nor those of newer folds.
        for newer in cuts[: place + 1]:
            assert not kept & set(zip(newer.users.tolist(), newer.items.tolist(), strict=True))
        # Whoever is scored has something left to be known by.
        assert set(fold.users.tolist()) <= {user for user, _ in kept}
    assert not users[0] & users[1]
    assert len(cuts) == (4 if scheme == "last" else 2)


def test_the_last_target_is_taken_out_with_every_view_of_its_item() -> None:
    rows = [
        ("a", "", "i", "purchase", T0),
        ("a", "", "j", "view", T0 + 1),
        ("a", "", "j", "purchase", T0 + 2),
        ("a", "", "k", "view", T0 + 3),
    ]
    cuts, table = cut("last", rows)
    assert cuts[0].keep.tolist() == [True, False, False, True]
    assert cuts[2].keep.tolist() == [False, False, False, True]
    items = [[table.item_ids[item] for item in fold.items] for fold in cuts]  # type: ignore[attr-defined]
    assert sorted(items[:2]) == [[], ["j"]]
    assert items[2:] == [["i"], []]


def test_where_items_repeat_the_last_event_is_the_target_and_what_was_before_stays() -> None:
    rows = [
        ("a", "", "i", "purchase", T0),
        ("a", "", "j", "purchase", T0 + 1),
        ("a", "", "i", "purchase", T0 + 2),
        ("a", "", "k", "view", T0 + 2),
        ("b", "", "k", "view", T0 + 9),
    ]
    cuts, table = cut("last_event", rows)
    assert [fold.keep.tolist() for fold in cuts] == [
        *[[True, True, False, False, True]] * 2,
        *[[True, False, False, False, True]] * 2,
    ]
    items = [[table.item_ids[item] for item in fold.items] for fold in cuts]  # type: ignore[attr-defined]
    assert sorted(items[:2]) == [[], ["i"]]
    assert items[2:] == [["j"], []]


@pytest.mark.parametrize(
    ("timed", "published", "scheme"), [(True, False, "windows"), (True, True, "last"), (False, True, "random")]
)
def test_the_scheme_follows_times_and_test_part(timed: bool, published: bool, scheme: Scheme) -> None:
    assert choose_scheme(timed, published_test=published) == scheme
