from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from recommender.errors import InputError
from recommender.logs import (
    EdgeRow,
    LoggedRow,
    read_edges,
    read_events,
    read_items,
    write_edges,
    write_events,
    write_items,
)
from recommender.types import NO_TIME, Item, Kind
from tests.logs.samples import NOW

FULL = LoggedRow(
    "u1",
    "i1",
    "click",
    NOW,
    "s1",
    "r1",
    position=3,
    propensity=0.25,
    value=1.0,
    price=9.5,
    currency="EUR",
    quantity=2.0,
    event_id="e1",
)


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    bare = LoggedRow("", "i2", "gaze", None)
    assert write_events(tmp_path / "out" / "events.parquet", iter([FULL, bare])) == 2
    extras = ("price", "quantity", "value", "position", "propensity")
    table = read_events(tmp_path / "out", rejects_dir=None, now_ms=NOW, extras=extras)
    assert (table.user_ids, table.session_ids, table.item_ids) == (["u1"], ["s1"], ["i1", "i2"])
    assert (table.users.tolist(), table.sessions.tolist(), table.items.tolist()) == ([0, -1], [0, -1], [0, 1])
    assert [table.event_types[code] for code in table.types] == ["click", "gaze"]
    assert table.times_ms.tolist() == [NOW, NO_TIME]
    assert [float(column[0]) for column in table.extras.values()] == [9.5, 2.0, 1.0, 3.0, 0.25]
    assert all(np.isnan(column[1]) for column in table.extras.values())


def test_an_events_file_has_the_contracts_columns_and_empty_text_is_null(tmp_path: Path) -> None:
    write_events(tmp_path / "events.parquet", [FULL, LoggedRow("", "i2", "view", NOW)])
    with duckdb.connect() as connection:
        result = connection.execute(f"SELECT * FROM '{tmp_path / 'events.parquet'}'")
        names = [column[0] for column in result.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert rows[0] == {
        "user_id": "u1",
        "item_id": "i1",
        "event_type": "click",
        "timestamp": NOW,
        "session_id": "s1",
        "request_id": "r1",
        "position": 3,
        "propensity": 0.25,
        "value": 1.0,
        "price": 9.5,
        "currency": "EUR",
        "quantity": 2.0,
        "event_id": "e1",
    }
    assert {name for name, value in rows[1].items() if value is not None} == {"item_id", "event_type", "timestamp"}


def test_items_come_back_as_they_were_written(tmp_path: Path) -> None:
    items = [
        Item(
            "i1",
            Kind.POST,
            "Title",
            "Text",
            "A > B",
            "Brand",
            "s1",
            2.5,
            "EUR",
            "https://shop.example/1.jpg",
            NOW,
            NOW + 1,
            False,
            {"colour": "blue"},
        ),
        Item("i2", attributes={"size": "L"}),
    ]
    assert write_items(tmp_path / "items.parquet", items) == 2
    table = read_items(tmp_path / "items.parquet", rejects_dir=None, now_ms=NOW)
    assert (table.item_ids, table.kinds.tolist()) == (["i1", "i2"], [Kind.POST, Kind.PRODUCT])
    assert (table.titles, table.categories, table.seller_ids) == (["Title", ""], ["A > B", ""], ["s1", ""])
    assert table.images == ["https://shop.example/1.jpg", ""]
    assert (table.created_ms.tolist(), table.expires_ms.tolist()) == ([NOW, NO_TIME], [NOW + 1, NO_TIME])
    assert table.available.tolist() == [False, True]
    np.testing.assert_array_equal(table.prices, [2.5, np.nan])
    assert table.attributes == {"colour": ["blue", None], "size": [None, "L"]}


def test_edges_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert (
        write_edges(
            tmp_path / "edges.parquet", iter([EdgeRow("a", "b", "friend", 0.5, NOW), EdgeRow("b", "c", "follow")])
        )
        == 2
    )
    table = read_edges(tmp_path / "edges.parquet", rejects_dir=None, now_ms=NOW)
    assert (table.ids, table.edge_types) == (["a", "b", "c"], ("follow", "friend"))
    assert (table.weights.tolist(), table.times_ms.tolist()) == ([0.5, 1.0], [NOW, NO_TIME])


def test_many_rows_stream_through(tmp_path: Path) -> None:
    n = 50_000
    assert (
        write_events(tmp_path / "events.parquet", (LoggedRow("u", f"i{k % 7}", "view", NOW - n + k) for k in range(n)))
        == n
    )
    table = read_events(tmp_path / "events.parquet", rejects_dir=None, now_ms=NOW)
    np.testing.assert_array_equal(table.times_ms, NOW - n + np.arange(n))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[LoggedRow]:
        yield FULL
        raise RuntimeError("the source went away")

    path = tmp_path / "events.parquet"
    write_events(path, [FULL, FULL])
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="the source went away"):
        write_events(path, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_to_write_gives_a_file_with_columns_and_no_rows(tmp_path: Path) -> None:
    assert write_edges(tmp_path / "edges.parquet", []) == 0
    assert len(read_edges(tmp_path / "edges.parquet", rejects_dir=None)) == 0


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"taken/events\.parquet cannot be written"):
        write_events(tmp_path / "taken" / "events.parquet", [FULL])


def test_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"events\.parquet cannot be written"):
        write_events(tmp_path / "events.parquet", [LoggedRow("u\ud800", "i1", "view", NOW)])
    assert list(tmp_path.iterdir()) == []
