from __future__ import annotations

import numpy as np
import pytest

from recommender.feed.catalogue import Catalogue
from recommender.feed.filters.query import QueryFilter
from recommender.types import FeedFilter, FeedQuery, Item, Kind
from tests.feed.filters.contract import FilterContract
from tests.worlds import NOW_MS, write_tiny_bundle

ITEMS = [
    Item("pan", category="Kitchen > Pans", seller_id="s1", price=10.0, currency="USD"),
    Item("knife", category="Kitchen > Knives", seller_id="s2", price=20.0, currency="EUR"),
    Item("oven", category="Kitchen", seller_id="s1", price=30.0, currency="USD"),
    Item("gnome", category="Kitchenette", seller_id="s3", price=20.0),
    Item("post", kind=Kind.POST),
]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> QueryFilter:
    return QueryFilter(Catalogue(write_tiny_bundle(tmp_path_factory.mktemp("kitchen") / "v", ITEMS, {})))


def kept(kitchen: QueryFilter, wanted: FeedFilter) -> list[str]:
    rows = np.arange(len(ITEMS), dtype=np.int32)
    mask = kitchen.keep(FeedQuery(NOW_MS, filter=wanted), rows)
    return [item.item_id for item, keep in zip(ITEMS, mask, strict=True) if keep]


class TestQueryFilter(FilterContract):
    @pytest.fixture
    def component(self, catalogue: Catalogue) -> QueryFilter:
        return QueryFilter(catalogue)


@pytest.mark.parametrize(
    ("categories", "wanted"),
    [
        (("Kitchen",), ["pan", "knife", "oven"]),
        (("Kitchen > Pans",), ["pan"]),
        (("Kitchen > Pans", "Kitchenette"), ["pan", "gnome"]),
        (("Kitch",), []),
        (("Kitchen > ",), []),
        (("No such",), []),
    ],
)
def test_a_category_matches_itself_and_what_is_below_it_by_whole_levels(
    kitchen: QueryFilter, categories: tuple[str, ...], wanted: list[str]
) -> None:
    assert kept(kitchen, FeedFilter(categories=categories)) == wanted


def test_an_unknown_value_beside_a_known_one_changes_nothing(kitchen: QueryFilter) -> None:
    assert kept(kitchen, FeedFilter(categories=("Kitchenette", "No such"))) == ["gnome"]
    assert kept(kitchen, FeedFilter(seller_ids=("s2", "nobody"))) == ["knife"]
    assert kept(kitchen, FeedFilter(seller_ids=("nobody",))) == []


def test_prices_are_inclusive_and_an_item_without_price_fails(kitchen: QueryFilter) -> None:
    assert kept(kitchen, FeedFilter(min_price=10.0, max_price=20.0)) == ["pan", "knife", "gnome"]
    assert kept(kitchen, FeedFilter(min_price=0.0)) == ["pan", "knife", "oven", "gnome"]
    assert kept(kitchen, FeedFilter(max_price=1e9)) == ["pan", "knife", "oven", "gnome"]
    assert kept(kitchen, FeedFilter(min_price=21.0, max_price=19.0)) == []


def test_the_bounds_currency_must_be_the_items(kitchen: QueryFilter) -> None:
    assert kept(kitchen, FeedFilter(min_price=0.0, currency="USD")) == ["pan", "oven"]
    assert kept(kitchen, FeedFilter(min_price=0.0, currency="XXX")) == []


def test_a_currency_without_bounds_asks_for_nothing(kitchen: QueryFilter) -> None:
    assert kept(kitchen, FeedFilter(currency="XXX")) == [item.item_id for item in ITEMS]


def test_kinds_and_exclusions(kitchen: QueryFilter) -> None:
    assert kept(kitchen, FeedFilter(kinds=(Kind.POST, Kind.REVIEW))) == ["post"]
    assert kept(kitchen, FeedFilter(exclude_item_ids=("pan", "post", "unknown"))) == ["knife", "oven", "gnome"]


def test_the_parts_of_a_filter_hold_together(kitchen: QueryFilter) -> None:
    assert kept(kitchen, FeedFilter(categories=("Kitchen",), seller_ids=("s1",), max_price=15.0)) == ["pan"]


def test_an_empty_filter_keeps_everything(kitchen: QueryFilter) -> None:
    assert len(kept(kitchen, FeedFilter())) == len(ITEMS)
