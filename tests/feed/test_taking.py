from __future__ import annotations

import pytest

from recommender.types import FeedFilter, Relaxation
from tests.feed.shops import Shop, items_of
from tests.worlds import tiny_items

SELLERS, CATEGORIES, PRICE = Relaxation.SELLERS, Relaxation.CATEGORIES, Relaxation.PRICE
# Two of the six pans, by seller; two of those four below 12.
NARROW = FeedFilter(categories=("Kitchen > Pans",), seller_ids=("seller-0-0",), max_price=12.0, currency="USD")


def matching(**parts: object) -> set[str]:
    found = [item for item in tiny_items() if item.price is not None]
    if "category" in parts:
        found = [item for item in found if item.category == parts["category"]]
    if "seller" in parts:
        found = [item for item in found if item.seller_id == parts["seller"]]
    if "below" in parts:
        found = [item for item in found if item.price is not None and item.price <= 12.0]
    return {item.item_id for item in found}


def relaxing(*parts: Relaxation) -> FeedFilter:
    return FeedFilter(NARROW.kinds, NARROW.categories, NARROW.seller_ids, None, 12.0, "USD", (), parts)


def test_without_leave_the_page_is_short(shop: Shop) -> None:
    page = shop.page("new", 10, filter=NARROW)
    assert set(items_of(page.cards)) == matching(category="Kitchen > Pans", seller="seller-0-0", below=True)
    assert page.relaxations == ()
    assert page.next_page_token == ""


def test_parts_are_dropped_one_by_one_in_the_order_named(shop: Shop) -> None:
    page = shop.page("new", 3, filter=relaxing(PRICE, SELLERS, CATEGORIES))
    assert page.relaxations == (PRICE,)
    assert set(items_of(page.cards)) == matching(category="Kitchen > Pans", seller="seller-0-0")
    page = shop.page("new", 3, filter=relaxing(SELLERS, PRICE))
    assert page.relaxations == (SELLERS,)
    assert set(items_of(page.cards)) == matching(category="Kitchen > Pans", below=True)


def test_no_more_is_dropped_than_a_page_needs(shop: Shop) -> None:
    filled = shop.page("new", 2, filter=relaxing(PRICE, SELLERS))
    assert filled.relaxations == ()
    assert shop.page("new", 6, filter=relaxing(PRICE, SELLERS)).relaxations == (PRICE, SELLERS)


def test_what_matches_the_whole_filter_comes_first(shop: Shop) -> None:
    page = shop.page("new", 10, filter=relaxing(SELLERS, CATEGORIES, PRICE))
    assert page.relaxations == (SELLERS, CATEGORIES, PRICE)
    whole = matching(category="Kitchen > Pans", seller="seller-0-0", below=True)
    wider = matching(category="Kitchen > Pans", below=True)
    assert set(items_of(page.cards[: len(whole)])) == whole
    assert set(items_of(page.cards[: len(wider)])) == wider


def test_a_part_that_is_not_set_is_passed_over_and_not_reported(shop: Shop) -> None:
    wanted = FeedFilter(seller_ids=("seller-0-0",), relax=(PRICE, CATEGORIES, SELLERS))
    assert shop.page("new", 20, filter=wanted).relaxations == (SELLERS,)


def test_all_that_was_dropped_is_reported_even_where_the_page_stays_short(shop: Shop) -> None:
    page = shop.page("new", 100, filter=relaxing(SELLERS, CATEGORIES, PRICE))
    assert page.relaxations == (SELLERS, CATEGORIES, PRICE)
    assert len(page.cards) == len(tiny_items())


@pytest.mark.parametrize("page_size", [1, 2, 5])
def test_a_relaxed_snapshot_stays_as_wide_on_every_page(shop: Shop, page_size: int) -> None:
    wanted = FeedFilter(categories=("Kitchen > Pans",), seller_ids=("seller-0-0",), relax=(SELLERS, CATEGORIES))
    first = shop.page("new", 4, filter=wanted)
    rest = shop.walk("new", page_size, first.next_page_token, filter=wanted)
    shown = [*items_of(first.cards), *items_of(rest)]
    assert first.relaxations == shop.page("new", 1, first.next_page_token, filter=wanted).relaxations == (SELLERS,)
    assert sorted(shown) == sorted(matching(category="Kitchen > Pans"))
