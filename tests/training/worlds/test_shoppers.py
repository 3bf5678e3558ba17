from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pytest

from recommender.errors import InputError
from recommender.types import DAY_MS
from training.worlds.grocery import World
from training.worlds.shoppers import Good, Market

END_MS = 1_700_000_000_000
ITEMS = [
    ("milk", "Milk, 1 gal", "Food > Milk", 2.5, True),
    ("oat", "Oat milk", "Food > Milk > Plants", 3.0, True),
    ("cream", "Cream", "Food > Milky ways", 1.0, True),
    ("bread", "Bread", "Food > Bread", 2.0, True),
    ("rye", "Bread", "Food > Bread", 2.25, True),
    ("coupon", "Coupon", "Coupons", 0.1, False),
    ("ham", "Ham", "Meat", 4.0, False),
]
#: user, item, days before the log's end
EVENTS = [
    ("ada", "milk", 5),
    ("ada", "oat", 4),
    ("ada", "bread", 3),
    ("ada", "rye", 3),
    ("ada", "coupon", 1),
    ("bob", "milk", 2),
    ("bob", "milk", 1),
    ("cyd", "cream", 1),
    ("cyd", "milk", 200),
    ("cyd", "oat", 200),
    ("cyd", "rye", 100),
    ("cyd", "ham", 2),
]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market")
    write(folder / "items", "item_id, title, category, price, available", ITEMS)
    rows = [(user, item, END_MS - days * DAY_MS) for user, item, days in EVENTS]
    write(folder / "events", "user_id, item_id, timestamp", rows)
    write(folder / "users", "user_id, household, age_band", [("bob", "2 Adults", "35-44")])
    with Market(World(folder, len(rows), END_MS, 0)) as market:
        yield market


def write(folder: Path, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    folder.mkdir()
    values = ", ".join(str(row) for row in rows)
    duckdb.connect().execute(f"COPY (SELECT * FROM (VALUES {values}) AS t({columns})) TO '{folder}/rows.parquet'")


def test_the_keenest_is_known_first_and_then_buys_most_kinds(market: Market) -> None:
    keenest = market.keenest("Food > Milk")
    assert keenest is not None
    assert (keenest.user_id, keenest.about, keenest.keen_on) == ("bob", "2 adults, 35-44", "Food > Milk")
    second = market.keenest("Food > Milk", but=["bob"])
    assert second is not None
    assert (second.user_id, second.about) == ("ada", "")


def test_only_the_last_days_and_whole_levels_of_a_category_count(market: Market) -> None:
    assert market.keenest("Food > Milk", but=["ada", "bob"]) is None


def test_lately_begins_with_the_newest_and_names_goods_once(market: Market) -> None:
    assert market.lately("ada", 8) == ["Bread", "Oat milk", "Milk, 1 gal"]
    assert market.lately("ada", 1) == ["Bread"]
    assert market.lately("nobody", 8) == []


def test_the_best_seller_is_available_and_of_the_first_category_that_has_one(market: Market) -> None:
    assert market.best_seller(["Coupons", "Meat", "Food"]) == Good("milk", "Milk, 1 gal", "Food > Milk", 2.5)
    with pytest.raises(InputError, match="sold nothing lately of Meat"):
        market.best_seller(["Meat"])
