from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.config import FeedSettings
from recommender.feed.rerankers.diverse_order import DiverseOrder, categories_at
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.types import Candidates, FeedQuery, Kind, Rows, Scores
from tests.worlds import NOW_MS

N_ITEMS = 60
PARENTS = np.array([-1, 0, 0, -1, 3, -1], np.int32)
RNG = np.random.default_rng(4)
POPULARITY = RNG.permutation(N_ITEMS).astype(np.int32)
#: Without a cap, a price or a duplicate, so that each test sets what it is about.
NOTHING: dict[str, Any] = {
    "diversity": 1e-9, "duplicate_likeness": 2.0, "max_per_category": 0, "max_per_seller": 0, "other_kinds_every": 0,
}  # fmt: skip


class Shelf:
    """What the order asks of a catalogue: items of five categories, seven sellers and four kinds."""

    category_parents = PARENTS

    def __init__(self) -> None:
        self.category: Rows = RNG.integers(-1, 5, N_ITEMS).astype(np.int32)
        self.seller: Rows = RNG.integers(-1, 7, N_ITEMS).astype(np.int32)
        self.kind = np.where(RNG.random(N_ITEMS) < 0.7, Kind.PRODUCT, RNG.integers(2, 5, N_ITEMS)).astype(np.uint8)


SHELF = Shelf()
VECTORS: Scores = np.repeat(RNG.normal(size=(N_ITEMS // 3, 4)), 3, axis=0).astype(np.float32)


def order_of(vectors: Scores = VECTORS, **feed: Any) -> DiverseOrder:
    return DiverseOrder(ScoreOrder(POPULARITY), SHELF, vectors, FeedSettings(**feed))  # type: ignore[arg-type]


def candidates_of(rows: Rows) -> Candidates:
    columns = np.zeros((len(rows), 1), np.float32)
    return Candidates(rows, columns, columns.astype(np.int32), columns.astype(np.int32), ("only",))


def ordered(order: DiverseOrder | ScoreOrder, rows: Rows, scores: Scores, k: int = 999) -> list[int]:
    picked, propensities = order.order(FeedQuery(NOW_MS), candidates_of(rows), scores, k)
    assert propensities.tolist() == [1.0] * len(picked)
    found: list[int] = rows[picked].tolist()
    return found


def ranked(n: int = N_ITEMS, seed: int = 0) -> tuple[Rows, Scores]:
    rng = np.random.default_rng(seed)
    return rng.permutation(N_ITEMS)[:n].astype(np.int32), rng.normal(size=n).astype(np.float32).round(1)


feeds = st.fixed_dictionaries(
    {
        "diversity": st.sampled_from([0.01, 0.1, 0.5, 0.99]),
        "diversity_slots": st.integers(1, 30),
        "duplicate_likeness": st.sampled_from([0.5, 0.99, 2.0]),
        "max_per_category": st.integers(0, 4),
        "category_level": st.integers(1, 3),
        "max_per_seller": st.integers(0, 4),
        "other_kinds_every": st.integers(0, 9),
    }
)


@given(feeds, st.integers(0, N_ITEMS), st.integers(0, N_ITEMS + 5), st.integers(0, 10**9))
def test_no_candidate_is_lost_or_invented_under_any_caps(feed: dict[str, Any], n: int, k: int, seed: int) -> None:
    rows, scores = ranked(n, seed)
    found = ordered(order_of(**feed), rows, scores, k)
    assert len(found) == len(set(found)) == min(n, k)
    assert set(found) <= set(rows.tolist())
    # A shorter list is the beginning of the longer one, so that pages go on where they stopped.
    assert ordered(order_of(**feed), rows, scores, N_ITEMS)[:k] == found


@given(feeds, st.integers(0, 10**9))
def test_the_order_of_the_candidates_does_not_matter(feed: dict[str, Any], seed: int) -> None:
    rows, scores = ranked(40, seed)
    order = np.argsort(rows)
    assert ordered(order_of(**feed), rows, scores) == ordered(order_of(**feed), rows[order], scores[order])


def test_without_price_and_caps_it_is_the_score_order() -> None:
    rows, scores = ranked()
    assert ordered(order_of(**NOTHING), rows, scores) == ordered(ScoreOrder(POPULARITY), rows, scores)


@pytest.mark.parametrize("level", [1, 2])
def test_a_category_fills_no_more_slots_than_it_may_while_others_are_left(level: int) -> None:
    rows, scores = ranked()
    found = ordered(order_of(**{**NOTHING, "max_per_category": 2, "category_level": level}), rows, scores)
    codes = categories_at(PARENTS, level)[SHELF.category[found]].tolist()
    for slot in range(len(found)):
        window = codes[max(0, slot - 9) : slot]
        if codes[slot] >= 0 and window.count(codes[slot]) >= 2:
            assert all(code >= 0 and window.count(code) >= 2 for code in codes[slot:])


def test_a_seller_fills_no_more_slots_than_it_may_while_others_are_left() -> None:
    rows, scores = ranked()
    found = ordered(order_of(**{**NOTHING, "max_per_seller": 1, "diversity_slots": 4}), rows, scores)
    codes = SHELF.seller[found].tolist()
    for slot in range(len(found)):
        window = codes[max(0, slot - 3) : slot]
        if codes[slot] >= 0 and codes[slot] in window:
            assert all(code >= 0 and code in window for code in codes[slot:])


def test_other_kinds_stand_between_products_and_never_two_of_a_kind_together() -> None:
    rows, scores = ranked()
    found = ordered(order_of(**{**NOTHING, "other_kinds_every": 4}), rows, scores)
    kinds = SHELF.kind[found].tolist()
    last_product = max(slot for slot, kind in enumerate(kinds) if kind == Kind.PRODUCT)
    others = [slot for slot, kind in enumerate(kinds[: last_product + 1]) if kind != Kind.PRODUCT]
    assert len(others) > 5
    assert (np.diff(others) >= 4).all()
    for slot in range(1, len(kinds)):
        if kinds[slot] == kinds[slot - 1] != Kind.PRODUCT:
            assert set(kinds[slot:]) == {kinds[slot]}


def test_near_duplicates_do_not_stand_together_where_a_page_of_places_has_others() -> None:
    rows, scores = ranked()
    twins = (rows // 3)[np.lexsort((rows, -scores))]
    assert (np.diff(twins) == 0).any() or (twins[:-2] == twins[2:]).any()
    found = np.array(ordered(order_of(**{**NOTHING, "duplicate_likeness": 0.999, "diversity_slots": 5}), rows, scores))
    head = (found // 3)[:30].tolist()
    assert all(twin not in head[max(0, slot - 5) : slot] for slot, twin in enumerate(head))


def test_more_diversity_makes_an_item_less_like_what_stands_before_it() -> None:
    units = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)

    def likeness(diversity: float, seed: int) -> float:
        head = units[ordered(order_of(**{**NOTHING, "diversity": diversity}), *ranked(seed=seed), 20)]
        return float(np.mean([max(0.0, (head[max(0, slot - 10) : slot] @ head[slot]).max()) for slot in range(1, 20)]))

    none, some, much = (np.mean([likeness(each, seed) for seed in range(10)]) for each in (1e-9, 0.3, 0.9))
    assert none > some > much


def test_items_without_a_vector_are_like_nothing() -> None:
    rows, scores = ranked()
    feed = {**NOTHING, "diversity": 0.9, "duplicate_likeness": 0.5}
    assert ordered(order_of(np.zeros_like(VECTORS), **feed), rows, scores) == ordered(
        ScoreOrder(POPULARITY), rows, scores
    )


def test_a_category_above_the_level_counts_as_itself() -> None:
    parents = np.array([-1, 0, 1, 2, -1, -1], np.int32)
    assert categories_at(parents, 1).tolist() == [0, 0, 0, 0, 4, -1]
    assert categories_at(parents, 2).tolist() == [0, 1, 1, 1, 4, -1]
    assert categories_at(parents, 9).tolist() == [0, 1, 2, 3, 4, -1]
