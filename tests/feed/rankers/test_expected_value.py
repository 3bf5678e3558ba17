"""Ranking by probability x value: what it changes, and what it must leave alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import Bundle
from recommender.components import build_ranker
from recommender.errors import BundleError
from recommender.feed.catalogue import Catalogue
from recommender.feed.item_values import medians_by_category, value_of
from recommender.feed.rankers.expected_value import ExpectedValueRanker, parted
from recommender.feed.views import FeedRequest
from recommender.types import Item
from tests.feed.rankers.contract import QUERY, RankerContract
from tests.feed.rankers.test_calibration import knots, some_candidates, with_calibration
from tests.feed.rankers.weights import with_logistic_ranker
from tests.feed.shops import Shop, items_of
from tests.worlds import tiny_items, write_tiny_bundle

_KNOTS = knots((-4, 0.01), (0, 0.2), (4, 0.6))
_small = st.integers(-3, 3).map(float)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return with_calibration(
        with_logistic_ranker(write_tiny_bundle(tmp_path_factory.mktemp("valued") / "tiny")), *_KNOTS
    )


class TestExpectedValueRanker(RankerContract):
    @pytest.fixture
    def ranker(self, calibrated: Bundle) -> ExpectedValueRanker:
        return ExpectedValueRanker(build_ranker(calibrated), Catalogue(calibrated, ["price"]).worth)

    def test_it_is_probability_times_price(self, ranker: ExpectedValueRanker, calibrated: Bundle) -> None:
        candidates = some_candidates()
        chances = ranker.probabilities(QUERY, candidates, ranker.score(QUERY, candidates))
        prices = calibrated.array("items/price")[candidates.rows]
        np.testing.assert_allclose(ranker.score(QUERY, candidates), chances * prices, rtol=1e-6)

    def test_what_has_no_chance_keeps_its_score(self, ranker: ExpectedValueRanker, calibrated: Bundle) -> None:
        alone = some_candidates(columns=1)
        np.testing.assert_array_equal(ranker.score(QUERY, alone), build_ranker(calibrated).score(QUERY, alone))


@given(st.lists(st.tuples(_small, _small), min_size=1, max_size=40))
def test_equal_values_stand_in_the_order_of_their_scores(pairs: list[tuple[float, float]]) -> None:
    values, scores = np.array(pairs, np.float32).T
    found = parted(values, scores)
    np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-40)
    for one, own in zip(found, pairs, strict=True):
        for other, its in zip(found, pairs, strict=True):
            assert (one < other) == (own < its)


@given(st.lists(st.floats(-6, 6, width=32), min_size=1, max_size=40))
def test_calibration_by_itself_changes_no_order(scores: list[float]) -> None:
    raw = np.array(scores, np.float32)
    chances = np.interp(raw, *_KNOTS).astype(np.float32)  # flat beyond its ends
    found = parted(chances, raw)
    assert np.array_equal(np.argsort(-found, kind="stable"), np.argsort(-raw, kind="stable"))


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (Item("a", price=20.0, attributes={"margin": "0.25"}), 5.0),
        (Item("a", price=20.0, attributes={"margin": "-0.5"}), -10.0),
        (Item("a", price=20.0), np.nan),
        (Item("a", attributes={"margin": "0.25"}), np.nan),
        (Item("a", price=20.0, attributes={"margin": "high"}), np.nan),
        (Item("a", price=20.0, attributes={"margin": "inf"}), np.nan),
    ],
)
def test_a_value_is_a_product_of_numbers_or_unknown(item: Item, value: float) -> None:
    np.testing.assert_equal(value_of(item, ["price", "margin"]), value)


def test_an_item_without_a_value_counts_as_the_median_of_the_nearest_level_that_has_one() -> None:
    values = np.array([1.0, 3.0, 9.0, np.nan, 100.0])
    categories, parents = np.array([1, 1, 0, 2, -1], np.int32), np.array([-1, 0, 0, -1, -1], np.int32)
    # Of codes 0 (all of 1, 3, 9), 1 (1 and 3), 2 (nothing of its own: as 0), 3 (nothing at all: as everything).
    assert medians_by_category(values, categories, parents).tolist() == [3.0, 2.0, 3.0, 6.0, 6.0]


def test_a_feed_of_values_shows_what_is_dear_first_and_the_default_changes_nothing(tmp_path: Path) -> None:
    items = [replace(item, attributes={"margin": "1e6" if item.title == "novel" else "1"}) for item in tiny_items()]
    bundle = with_calibration(with_logistic_ranker(write_tiny_bundle(tmp_path / "v", items)), *_KNOTS)
    shop = Shop.open(bundle, tmp_path / "state", diversity=0.0)
    try:
        plain = items_of(shop.walk("ada"))
        assert plain[0] != "item-novel"
        shop.swap(bundle, diversity=0.0, value=["margin"])
        valued = items_of(shop.walk("ada"))
        assert valued[0] == "item-novel"
        assert [item for item in plain if item != "item-novel"] == valued[1:]
    finally:
        shop.state.close()


def test_an_explanation_tells_the_chance_that_the_score_stands_for(calibrated: Bundle, tmp_path: Path) -> None:
    shop = Shop.open(calibrated, tmp_path / "state", diversity=0.0)
    try:
        item_id = items_of(shop.walk("ada"))[0]
        plain = shop.pages.explain(FeedRequest("ada"), item_id)
        assert plain.score is not None
        assert plain.probability == pytest.approx(np.interp(plain.score, *_KNOTS), rel=1e-5)
        shop.swap(calibrated, diversity=0.0, value=["price"])
        valued = shop.pages.explain(FeedRequest("ada"), item_id)
        price = calibrated.array("items/price")[calibrated.items.row(item_id)]
        assert valued.probability == plain.probability
        assert valued.score == pytest.approx(plain.probability * price, rel=1e-5)
    finally:
        shop.state.close()


def test_values_are_refused_where_nothing_is_known_of_chances(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "v")
    with pytest.raises(BundleError, match=r"tells no probability of purchase, which feed.value multiplies by price"):
        Shop.open(bundle, tmp_path / "state", value=["price"])
