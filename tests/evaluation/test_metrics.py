from __future__ import annotations

import math
from itertools import combinations, pairwise

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, R, Success, nDCG

from recommender.types import Rows
from tests.evaluation.cases import cases_with_lists, lists_of, make_cases, plain_facts, training_part
from training.evaluation.metrics import (
    ItemFacts,
    category_levels,
    check_lists,
    coverage,
    diversity,
    item_holders,
    list_depth,
    measure,
    novelty,
    target_hits,
)
from training.evaluation.protocol import Cases

KS = (1, 5, 10, 20)


def test_a_tiny_world_scores_what_was_worked_out_by_hand() -> None:
    # User 0 wants 1, 2 and one nobody can rank, and is shown 5, 1, 4, 2. User 1 wants 3 and is shown 3. User 2 wants
    # 0 and is shown nothing.
    cases = make_cases([[1, 2, -1], [3], [0]], n_items=6)
    lists = lists_of([5, 1, 4, 2], [3], [])
    per_user = measure(lists, cases, [2, 4], plain_facts(6)).per_user
    log2 = math.log2
    assert per_user["recall@2"].tolist() == [1 / 3, 1, 0]
    assert per_user["recall@4"].tolist() == [2 / 3, 1, 0]
    assert per_user["hit_rate@2"].tolist() == [1, 1, 0]
    assert per_user["mrr"].tolist() == [1 / 2, 1, 0]
    assert per_user["ndcg@2"] == pytest.approx([(1 / log2(3)) / (1 + 1 / log2(3)), 1, 0])
    assert per_user["ndcg@4"] == pytest.approx([(1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4)), 1, 0])


def test_mrr_looks_at_twenty_positions_whatever_k_is() -> None:
    cases = make_cases([[30], [30]], n_items=31)
    lists = lists_of([*range(19), 30], [*range(20), 30])
    assert measure(lists, cases, [50], plain_facts(31)).per_user["mrr"].tolist() == [1 / 20, 0]
    assert list_depth([5, 10]) == 20
    assert list_depth([50]) == 50


def test_every_metric_of_every_k_is_reported_once() -> None:
    cases = make_cases([[0]], n_items=3)
    facts = ItemFacts(np.ones(3, np.int64), 10, category_levels(["a", "a", "b"]))
    measured = measure(lists_of([0, 1, 2]), cases, [2, 3], facts)
    assert set(measured.per_user) == {"recall@2", "recall@3", "ndcg@2", "ndcg@3", "hit_rate@2", "hit_rate@3", "mrr"}
    names = ("coverage", "novelty", "diversity", "top_1_percent_share")
    assert set(measured.overall) == {f"{name}@{k}" for name in names for k in (2, 3)}


def test_the_share_of_the_head_counts_slots_not_items() -> None:
    holders = np.ones(200, np.int64)
    holders[[7, 9]] = 50, 40  # two of 200 are the most popular 1 %
    facts = ItemFacts(holders, 60, category_levels([""] * 200))
    cases = make_cases([[0], [1]], n_items=200)
    measured = measure(lists_of([7, 9, 3], [7, 4, 5]), cases, [1, 3], facts)
    assert measured.overall["top_1_percent_share@1"] == 1.0
    assert measured.overall["top_1_percent_share@3"] == 0.5


@given(cases_with_lists())
def test_accuracy_is_that_of_ir_measures(case: tuple[Cases, Rows]) -> None:
    cases, lists = case
    targets = np.split(cases.target_items, cases.target_offsets[1:-1])
    # A target that nobody can rank is a relevant document that no run returns.
    qrels = {
        str(user): {f"d{item}" if item >= 0 else f"beyond{place}": 1 for place, item in enumerate(own.tolist())}
        for user, own in enumerate(targets)
    }
    run = {
        str(user): {f"d{item}": float(-place) for place, item in enumerate(row) if item >= 0}
        for user, row in enumerate(lists.tolist())
    }
    wanted = {R @ k: f"recall@{k}" for k in KS} | {nDCG @ k: f"ndcg@{k}" for k in KS}
    wanted |= {Success @ k: f"hit_rate@{k}" for k in KS} | {RR @ 20: "mrr"}
    expected = {name: np.zeros(len(cases)) for name in wanted.values()}
    for result in ir_measures.iter_calc(list(wanted), qrels, run):
        expected[wanted[result.measure]][int(result.query_id)] = result.value
    found = measure(lists, cases, KS, plain_facts(cases.n_items)).per_user
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


@given(cases_with_lists())
def test_metrics_keep_their_bounds_and_grow_with_k(case: tuple[Cases, Rows]) -> None:
    cases, lists = case
    measured = measure(lists, cases, KS, plain_facts(cases.n_items))
    for values in measured.per_user.values():
        assert values.shape == (len(cases),)
        assert ((values >= 0) & (values <= 1)).all()
    for low, high in pairwise(KS):
        for name in ("recall", "hit_rate"):
            assert (measured.per_user[f"{name}@{low}"] <= measured.per_user[f"{name}@{high}"]).all()
        assert measured.overall[f"coverage@{low}"] <= measured.overall[f"coverage@{high}"]
    assert 0 <= measured.overall["coverage@20"] <= 1
    assert measured.overall.get("novelty@20", 0.0) <= math.log2(10) + 1e-9


@given(cases_with_lists(), st.integers(0, 1_000))
def test_new_numbers_for_items_change_nothing(case: tuple[Cases, Rows], seed: int) -> None:
    cases, lists = case
    new = np.random.default_rng(seed).permutation(cases.n_items).astype(np.int32)
    parts = np.split(cases.target_items, cases.target_offsets[1:-1])
    targets = [np.where(own >= 0, new[own], -1).tolist() for own in parts]
    hidden = [new[cases.hidden(user, user + 1)[1]].tolist() for user in range(len(cases))]
    paths = [f"top{item % 2} > leaf{item % 3}" for item in range(cases.n_items)]
    facts = ItemFacts(np.arange(cases.n_items), 20, category_levels(paths))
    back = np.argsort(new)
    renumbered = ItemFacts(facts.holders[back], 20, category_levels([paths[old] for old in back]))
    before = measure(lists, cases, KS, facts)
    after = measure(
        np.where(lists >= 0, new[lists], -1).astype(np.int32),
        make_cases(targets, cases.n_items, hidden),
        KS,
        renumbered,
    )
    for name, values in before.per_user.items():
        np.testing.assert_array_equal(after.per_user[name], values)
    assert after.overall == pytest.approx(before.overall)


# --- beyond accuracy


def test_coverage_counts_distinct_items_over_the_candidates() -> None:
    assert coverage(lists_of([0, 1], [1, 2], []), 6) == 0.5
    cold = np.array([True, True, False, False])
    cases = make_cases([[0], [1]], 4, candidates=cold)
    assert measure(lists_of([0], [0]), cases, [1], plain_facts(4)).overall["coverage@1"] == 0.5


def test_novelty_is_the_mean_surprisal_and_an_unknown_item_counts_as_one_holder() -> None:
    facts = ItemFacts(np.array([8, 4, 1, 0]), 8, np.full((4, 1), -1, np.int32))
    assert novelty(lists_of([0]), facts) == 0
    assert novelty(lists_of([1]), facts) == 1
    assert novelty(lists_of([2]), facts) == novelty(lists_of([3]), facts) == 3
    # Users count alike however long their lists are; who is shown nothing does not count.
    assert novelty(lists_of([1], [2, 3, 0, 1], []), facts) == pytest.approx((1 + (3 + 3 + 0 + 1) / 4) / 2)
    assert novelty(lists_of([], [0])[:1], facts) is None


def test_likeness_is_shared_leading_levels_over_the_longer_path() -> None:
    paths = ["a > b > c", "a > b > d", "a > b", "a", "x > b > c", ""]
    facts = ItemFacts(np.ones(6, np.int64), 6, category_levels(paths))
    likeness = {(0, 1): 2 / 3, (0, 2): 2 / 3, (0, 3): 1 / 3, (2, 3): 1 / 2, (0, 4): 0, (2, 4): 0}
    for pair, expected in likeness.items():
        assert diversity(lists_of(pair), facts) == pytest.approx(1 - expected), pair
    assert diversity(lists_of([0, 5]), facts) is None
    assert diversity(lists_of([0, 1, 5]), facts) == pytest.approx(1 / 3)
    assert diversity(lists_of([0], [0, 1], [0, 4]), facts) == pytest.approx((1 / 3 + 1) / 2)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=2, max_size=8))
def test_diversity_is_that_of_all_pairs_of_paths(parts: list[list[str]]) -> None:
    def likeness(one: list[str], other: list[str]) -> float:
        shared = 0
        while shared < min(len(one), len(other)) and one[shared] == other[shared]:
            shared += 1
        return shared / max(len(one), len(other))

    known = [(one, other) for one, other in combinations(parts, 2) if one and other]
    facts = ItemFacts(np.ones(len(parts), np.int64), 9, category_levels([" > ".join(path) for path in parts]))
    found = diversity(lists_of(range(len(parts))), facts)
    expected = 1 - sum(likeness(*pair) for pair in known) / len(known) if known else None
    assert found == (pytest.approx(expected) if expected is not None else None)


def test_a_level_of_the_same_name_below_another_is_another_category() -> None:
    levels = category_levels(["a > z", "b > z"])
    assert levels[0, 1] != levels[1, 1]


def test_holders_are_distinct_users_with_an_id_by_events_of_positive_weight() -> None:
    train = training_part((0, 0), (0, 0), (1, 0), (-1, 0), (2, 1, 0.0), (3, 2))
    holders, n_users = item_holders(train, 4)
    assert holders.tolist() == [2, 0, 1, 0]
    assert n_users == 3


# --- lists that would make a metric lie


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ([1, 2, 1], "repeats an item"),
        ([1, -1, 2], "goes on after its end"),
        ([1, 0], "shows a hidden item"),
        ([3], "shows an item that is no candidate"),
        ([4], "shows an item that is no candidate"),
    ],
)
def test_a_list_that_cheats_is_refused(row: list[int], fault: str) -> None:
    cases = make_cases([[2], [1]], 4, hidden=[[], [0]], candidates=np.array([True, True, True, False]))
    with pytest.raises(ValueError, match=f"case 1 {fault}"):
        check_lists(lists_of([0], row), cases)


def test_there_is_one_list_per_case() -> None:
    with pytest.raises(ValueError, match="one row per case"):
        check_lists(lists_of([0], [1]), make_cases([[0]], 2))


@given(cases_with_lists(), st.integers(1, 20))
def test_hits_per_target_add_up_to_recall(drawn: tuple[Cases, Rows], k: int) -> None:
    cases, lists = drawn
    hits = target_hits(lists, cases, k)
    sums = np.add.reduceat(hits, cases.target_offsets[:-1])
    wanted = measure(lists, cases, [k], plain_facts(cases.n_items)).per_user[f"recall@{k}"]
    np.testing.assert_allclose(sums / cases.target_counts, wanted)
    assert not hits[cases.target_items < 0].any()
