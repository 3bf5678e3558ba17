from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.kernels.slate import spread_out
from recommender.types import Scores

#: Cosines of these are 0, .5, 1 or negative, each exact in float32, so that ties are ties in any order of summing.
VECTORS = np.array(
    [
        [1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [-2, -2, -2, -2], [2, 2, 2, 2], [3, 0, 0, 0],
        [0, 1, 0, 0], [0, 0, 0, 8], [0, 0, 0, 0], [1, 1, 1, -1], [0, 0, -1, 0], [0, 4, 0, 0],
    ],
    np.float32,
)  # fmt: skip
N_ITEMS = len(VECTORS)
UNITS = VECTORS / np.maximum(np.linalg.norm(VECTORS, axis=1, keepdims=True), 1e-12)


def plainly(
    rows: list[int], losses: list[float], rules: list[tuple[list[int], int, int]], window: int, prices: list[float],
    same: float, k: int,
) -> list[int]:  # fmt: skip
    """The definition, word by word."""
    order: list[int] = []
    price, same_price = prices
    while len(order) < min(len(rows), k):
        offers = []
        for at in (at for at in range(len(rows)) if at not in order):
            broken = 0
            for rule, (codes, most, slots) in enumerate(rules):
                stand = [codes[other] for other in order[-(slots - 1) :]] if slots > 1 else []
                broken += (codes[at] >= 0 and stand.count(codes[at]) >= most) << rule
            likeness = max([0.0, *(float(UNITS[rows[at]] @ UNITS[rows[other]]) for other in order[-window:])])
            offers.append((broken, losses[at] + (same_price if likeness >= same else price * likeness), at))
        order.append(min(offers)[2])
    return order


def spread(
    rows: list[int], losses: list[float], rules: list[tuple[list[int], int, int]], window: int = 20,
    prices: tuple[float, float] | list[float] = (0.0, 0.0), same: float = 0.9, k: int = 99, vectors: Scores = VECTORS,
) -> list[int]:  # fmt: skip
    codes = np.array([codes for codes, _, _ in rules], np.int32).reshape(len(rules), len(rows))
    most, slots = (np.array([rule[part] for rule in rules], np.int32) for part in (1, 2))
    ranked = np.array(rows, np.int32)
    price, same_price = prices
    worse = np.array(losses, np.float32)
    order = spread_out(vectors, ranked, worse, codes, most, slots, window, price, same_price, same, k)
    found: list[int] = order.tolist()
    return found


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[int], list[float], list[tuple[list[int], int, int]]]:
    n = draw(st.integers(0, 14))
    rows = draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=n, max_size=n))
    losses = np.cumsum([0.0, *draw(st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.0]), min_size=n, max_size=n))])[:n]
    codes = st.lists(st.sampled_from([-1, 0, 1, 7, 2**31 - 1]), min_size=n, max_size=n)
    rules = draw(st.lists(st.tuples(codes, st.integers(1, 3), st.integers(1, 6)), max_size=3))
    return rows, losses.tolist(), rules


@given(
    problems(),
    st.integers(1, 6),
    st.lists(st.sampled_from([0.0, 0.5, 2.0, 7.0]), min_size=2, max_size=2).map(sorted),
    st.sampled_from([0.5, 0.75, 1.0, 1.5]),
    st.integers(-1, 16),
)
def test_each_slot_goes_to_whoever_breaks_least_and_then_costs_least(
    problem: tuple[list[int], list[float], list[tuple[list[int], int, int]]],
    window: int,
    prices: list[float],
    same: float,
    k: int,
) -> None:
    found = spread(*problem, window, prices, same, k)
    assert found == plainly(*problem, window, prices, same, k)
    assert len(set(found)) == len(found) == max(min(len(problem[0]), k), 0)


def test_without_price_and_rules_the_order_stays() -> None:
    assert spread([3, 3, 8, 0], [0.0, 0.0, 1.0, 1.5], []) == [0, 1, 2, 3]


def test_of_two_that_are_alike_the_second_falls_as_far_as_the_price_says() -> None:
    rows, losses = [6, 11, 5, 7], [0.0, 1.0, 2.0, 3.0]
    assert spread(rows, losses, [], prices=(0.5, 0.5)) == [0, 1, 2, 3]
    assert spread(rows, losses, [], prices=(1.5, 1.5)) == [0, 2, 1, 3]
    assert spread(rows, losses, [], prices=(9.0, 9.0)) == [0, 2, 3, 1]


def test_what_counts_as_the_same_pays_its_own_price() -> None:
    rows, losses = [6, 11, 5, 7], [0.0, 1.0, 2.0, 3.0]
    assert spread(rows, losses, [], prices=(0.0, 9.0)) == [0, 2, 3, 1]
    assert spread(rows, losses, [], prices=(0.0, 9.0), same=1.1) == [0, 1, 2, 3]


def test_where_all_are_of_one_code_its_rule_changes_nothing() -> None:
    n = 40
    assert spread([8] * n, [float(at) for at in range(n)], [([5] * n, 1, 10)]) == list(range(n))


def test_the_later_rule_is_kept_where_not_all_can_be() -> None:
    first, second = ([0, 0, 1], 1, 2), ([0, 1, 0], 1, 2)
    assert spread([8] * 3, [0.0, 1.0, 2.0], [first, second]) == [0, 1, 2]
    assert spread([8] * 3, [0.0, 1.0, 2.0], [second, first]) == [0, 2, 1]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_cap_holds_in_every_window_while_others_are_left(n: int, slots: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, n).tolist()
    order = spread(rng.integers(0, N_ITEMS, n).tolist(), list(range(n)), [(codes, most, slots)], prices=(3.0, 50.0))
    for slot, at in enumerate(order):
        window = [codes[other] for other in order[max(0, slot - slots + 1) : slot]]
        if window.count(codes[at]) >= most:
            assert all(window.count(codes[other]) >= most for other in order[slot:])
