"""Datasets in an order that neither ids nor row numbers decide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.logs import EventTable, ReadReport
from recommender.types import EVENT_TYPE_CODE, EVENT_TYPES, NO_TIME, Item
from training.catalogue import Catalogue
from training.dataset import Dataset, build_dataset

WEIGHTS = dict.fromkeys(EVENT_TYPES, 1.0)


def table_of(rows: list[tuple[str, str, str, str, int]]) -> EventTable:
    """A table of (user, session, item, type, time) rows; empty text is none."""
    users, sessions, items, types, times = zip(*rows, strict=True)
    vocabularies = [sorted(set(column) - {""}) for column in (users, sessions, items)]
    codes = [
        np.array([vocabulary.index(value) if value else -1 for value in column], np.int32)
        for vocabulary, column in zip(vocabularies, (users, sessions, items), strict=True)
    ]
    return EventTable(
        vocabularies[0],
        vocabularies[1],
        vocabularies[2],
        EVENT_TYPES,
        codes[0],
        codes[1],
        codes[2],
        np.array([EVENT_TYPE_CODE[name] for name in types], np.uint8),
        np.array(times, np.int64),
        {},
        ReadReport("events", "made", len(rows), len(rows)),
    )


def build(table: EventTable, keep: np.ndarray | None = None, catalogue: Catalogue | None = None) -> Dataset:
    mask = np.ones(len(table), np.bool_) if keep is None else keep
    return build_dataset(table, mask, catalogue or Catalogue.empty(), WEIGHTS)


events = st.tuples(
    st.sampled_from(["", "a", "b", "c", "d"]),
    st.sampled_from(["", "s", "t"]),
    st.sampled_from(["i", "j", "k", "l", "m"]),
    st.sampled_from(["view", "purchase"]),
    st.integers(10**12, 10**12 + 10),
)


def structure(dataset: Dataset) -> list[object]:
    """All that models see."""
    arrays = (dataset.offsets, dataset.items, dataset.types, dataset.times_ms, dataset.loose_items)
    return [dataset.n_users, *(values.tolist() for values in arrays)]


@given(st.lists(events, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[str, str, str, str, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    first, second = build(table_of(rows)), build(table_of(shuffled))
    assert structure(first) == structure(second)
    assert first.item_ids == second.item_ids


def test_other_ids_change_no_row_where_the_log_tells_items_and_users_apart() -> None:
    rng = np.random.default_rng(3)
    rows = [
        (f"u{rng.integers(30)}", "", f"i{int(rng.pareto(1.0)) % 50}", "view", 10**12 + int(rng.integers(10**9)))
        for _ in range(600)
    ]
    users, items = rng.permutation(100), rng.permutation(100)
    renamed = [(f"x{users[int(u[1:])]}", s, f"y{items[int(i[1:])]}", kind, time) for u, s, i, kind, time in rows]
    first, second = build(table_of(rows)), build(table_of(renamed))
    assert structure(first) == structure(second)
    assert second.item_ids == [f"y{items[int(item[1:])]}" for item in first.item_ids]


def test_what_is_not_kept_changes_nothing_not_even_an_order() -> None:
    rows = [("a", "", "i", "view", 1), ("b", "", "j", "view", 2), ("b", "", "i", "view", 3)]
    planted = [*rows, *(("z", "", "j", "purchase", 9), ("z", "", "k", "purchase", 9)) * 5]
    keep = np.arange(len(planted)) < len(rows)
    assert structure(build(table_of(planted), keep)) == structure(build(table_of(rows)))
    assert build(table_of(planted), keep).item_ids == build(table_of(rows)).item_ids


def test_anonymous_sessions_are_actors_but_not_users_and_events_without_either_stay_loose() -> None:
    dataset = build(table_of([("", "s", "i", "view", 1), ("a", "", "i", "view", 2), ("", "", "j", "view", 3)]))
    assert (dataset.n_users, dataset.n_actors) == (1, 2)
    assert dataset.user_ids == ["a"]
    assert [dataset.item_ids[row] for row in dataset.loose_items] == ["j"]


def test_one_event_without_a_time_makes_the_whole_log_untimed() -> None:
    dataset = build(table_of([("a", "", "i", "view", 1), ("a", "", "j", "view", NO_TIME)]))
    assert not dataset.timed
    assert set(dataset.times_ms.tolist()) == {NO_TIME}


def test_a_history_is_in_order_of_time_and_can_be_cut_to_its_newest_events() -> None:
    dataset = build(table_of([("a", "", item, "view", time) for item, time in (("i", 5), ("j", 1), ("k", 3))]))
    assert [dataset.item_ids[row] for row in dataset.history(0).item_rows] == ["j", "k", "i"]
    assert [dataset.item_ids[row] for row in dataset.history(0, 1).item_rows] == ["i"]


def test_items_of_the_catalogue_alone_have_rows_behind_all_others() -> None:
    catalogue = Catalogue.of_items([Item("new", title="lamp"), Item("i", title="rug")])
    dataset = build(table_of([("a", "", "i", "view", 1), ("a", "", "j", "view", 2)]), catalogue=catalogue)
    assert dataset.item_ids[-1] == "new"
    assert dataset.catalogue.titles.tolist()[dataset.item_ids.index("i")] == "rug"
    assert dataset.catalogue.titles.tolist()[dataset.item_ids.index("j")] == ""


def test_codes_lead_back_to_rows_and_an_unknown_one_to_none() -> None:
    table = table_of([("a", "", "i", "view", 1), ("a", "", "j", "view", 2), ("b", "", "k", "view", 3)])
    dataset = build(table, np.array([True, True, False]))
    rows = dataset.rows_of_codes(np.array([0, 1, 2]), 3)
    assert [dataset.item_ids[row] for row in rows[:2]] == ["i", "j"]
    assert rows[2] == -1


@pytest.mark.parametrize("name", ["view", "purchase"])
def test_weights_follow_the_type(name: str) -> None:
    table = table_of([("a", "", "i", name, 1)])
    dataset = build_dataset(table, np.ones(1, np.bool_), Catalogue.empty(), {"purchase": 2.0})
    assert dataset.weights().tolist() == [2.0 if name == "purchase" else 0.0]


def test_equal_items_are_kept_apart_by_their_content() -> None:
    rows = [("a", "", "i", "view", 1), ("a", "", "j", "view", 1)]
    titled = Catalogue.of_items([Item("i", title="x"), Item("j", title="y")])
    renamed = replace(titled, item_ids=titled.item_ids[::-1])
    first, second = build(table_of(rows), catalogue=titled), build(table_of(rows), catalogue=renamed)
    assert first.catalogue.titles.tolist() == second.catalogue.titles.tolist()
