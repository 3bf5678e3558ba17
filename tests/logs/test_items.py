from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recommender.errors import InputError
from recommender.logs import read_items
from recommender.types import NO_TIME, Kind
from tests.logs.samples import DAY, NOW, WRITERS, Row, parquet_of, write_csv, write_json, write_parquet

SCARF: Row = {
    "item_id": "i2",
    "title": "Scarf, blue",
    "description": "Wool",
    "category": "Clothes > Scarves",
    "brand": "Northern",
    "seller_id": "s1",
    "price": "19.5",
    "currency": "EUR",
    "image": "images/i2.jpg",
    "created_at": NOW,
    "expires_at": NOW + 400 * DAY,
    "available": "false",
    "kind": "group_deal",
    "colour": "blue",
}


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_an_item_is_read_whole_from_every_format(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](tmp_path / f"items{suffix}", [SCARF, {"item_id": "i1"}])
    table = read_items(tmp_path / f"items{suffix}", rejects_dir=None, now_ms=NOW)
    assert table.item_ids == ["i1", "i2"]
    assert table.kinds.tolist() == [Kind.PRODUCT, Kind.GROUP_DEAL]
    texts = (table.titles, table.descriptions, table.categories, table.brands, table.seller_ids, table.currencies)
    assert [column[1] for column in texts] == ["Scarf, blue", "Wool", "Clothes > Scarves", "Northern", "s1", "EUR"]
    assert [column[0] for column in texts] == [""] * 6
    np.testing.assert_array_equal(table.prices, [np.nan, 19.5])
    assert table.created_ms.tolist() == [NO_TIME, NOW]
    assert table.expires_ms.tolist() == [NO_TIME, NOW + 400 * DAY]
    assert table.available.tolist() == [True, False]
    assert table.attributes == {"colour": [None, "blue"]}
    assert table.image_location(1) == str(tmp_path / "images/i2.jpg")
    assert table.image_location(0) == ""
    dtypes = [str(column.dtype) for column in (table.kinds, table.available, table.created_ms)]
    assert dtypes == ["uint8", "bool", "int64"]
    assert len(table) == 2


def test_only_the_id_is_needed(tmp_path: Path) -> None:
    write_csv(tmp_path / "items.csv", [{"item_id": "i1"}])
    assert read_items(tmp_path / "items.csv", rejects_dir=None).item_ids == ["i1"]
    write_csv(tmp_path / "items.csv", [{"title": "Scarf"}])
    with pytest.raises(
        InputError, match=r"items\.csv: no column 'item_id', it has 'title'; items need the columns item_id"
    ):
        read_items(tmp_path / "items.csv", rejects_dir=None)


def test_of_rows_with_one_id_the_last_counts(tmp_path: Path) -> None:
    write_csv(tmp_path / "1.csv", [{"item_id": "i1", "title": "a"}, {"item_id": "i2", "title": "b"}])
    write_csv(tmp_path / "2.csv", [{"item_id": "i1", "title": "c"}, {"item_id": "i1", "title": "d"}])
    table = read_items(tmp_path, rejects_dir=None)
    assert (table.item_ids, table.titles) == (["i1", "i2"], ["d", "b"])
    assert (table.report.rows, table.report.accepted, table.report.duplicates) == (4, 4, 2)
    assert table.report.notes == (
        f"items {tmp_path}: 2 rows have an id that a later row has again; the last row counts",
    )


def test_a_rejected_row_replaces_nothing(tmp_path: Path) -> None:
    write_csv(tmp_path / "items.csv", [{"item_id": "i1", "price": "2"}, {"item_id": "i1", "price": "NaN"}])
    table = read_items(tmp_path / "items.csv", rejects_dir=None, max_reject_rate=0.5)
    assert (table.prices.tolist(), table.report.duplicates) == ([2.0], 0)


def test_images_belong_to_the_folder_of_their_own_file(tmp_path: Path) -> None:
    for name, image in (("a", "pictures/1.jpg"), ("b", "https://shop.example/2.jpg")):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / "items.csv", [{"item_id": name, "image": image}])
    table = read_items(tmp_path, rejects_dir=None)
    assert table.images == ["pictures/1.jpg", "https://shop.example/2.jpg"]
    assert [table.image_location(index) for index in range(2)] == [
        str(tmp_path / "a" / "pictures/1.jpg"),
        "https://shop.example/2.jpg",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"item_id": None}, "missing_item_id"),
        ({"item_id": "x" * 257}, "id_too_long"),
        ({"item_id": "a\x00b"}, "id_control_characters"),
        ({"seller_id": "a\nb"}, "id_control_characters"),
        ({"price": "nan"}, "nan_price"),
        ({"price": "cheap"}, "nan_price"),
        ({"price": "-1"}, "negative_price"),
        ({"created_at": NOW + DAY + 1}, "time_in_future"),
        ({"created_at": -1}, "time_before_1970"),
        ({"expires_at": -1}, "time_before_1970"),
        ({"available": "perhaps"}, "unparsable_available"),
        ({"kind": "spaceship"}, "unknown_kind"),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_items_that_cannot_be_used_are_counted_and_written(
    tmp_path: Path, suffix: str, change: Row, reason: str
) -> None:
    WRITERS[suffix](tmp_path / f"items{suffix}", [SCARF, SCARF | {"item_id": "i3"} | change])
    table = read_items(tmp_path / f"items{suffix}", rejects_dir=tmp_path, max_reject_rate=0.5, now_ms=NOW)
    assert (table.item_ids, table.report.rejected) == (["i2"], {reason: 1})
    line = json.loads((tmp_path / "items.rejects.jsonl").read_text(encoding="utf-8"))
    assert (line["reason"], line["row"], line["data"]["colour"]) == (reason, 2, "blue")


def test_further_columns_of_any_type_and_name_become_text(tmp_path: Path) -> None:
    path = parquet_of(
        tmp_path / "items.parquet",
        'SELECT 7 AS item_id, [1, 2] AS sizes, {\'a\': NULL} AS nested, 1.5::DOUBLE AS "a ""b""",'
        " DATE '2023-01-01' AS since, NULL AS nothing, 'x' AS _row",
    )
    assert read_items(path, rejects_dir=None).attributes == {
        "sizes": ["[1,2]"],
        "nested": ['{"a":null}'],
        'a "b"': ["1.5"],
        "since": ["2023-01-01"],
        "nothing": [None],
        "_row": ["x"],
    }


def test_lines_of_json_may_differ_in_their_keys(tmp_path: Path) -> None:
    write_json(
        tmp_path / "items.jsonl",
        [{"item_id": 1, "size/inch": {"a": 1}}, {"item_id": 2, "b~c": True}, {"title": "nameless", "item_id": 3}],
    )
    table = read_items(tmp_path / "items.jsonl", rejects_dir=None)
    assert table.titles == ["", "", "nameless"]
    assert table.attributes == {"b~c": [None, "true", None], "size/inch": ['{"a":1}', None, None]}


def test_more_keys_than_anybody_has_columns_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "items.jsonl", [{"item_id": 1, f"key{k}": k} for k in range(1_500)])
    with pytest.raises(InputError, match="1,501 columns, wanted at most 1,000"):
        read_items(tmp_path / "items.jsonl", rejects_dir=None)


def test_a_file_without_items_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\n")
    table = read_items(tmp_path / "items.csv", rejects_dir=None)
    assert (len(table), table.report.rows, table.titles) == (0, 0, [])


def test_kinds_may_be_written_in_capitals(tmp_path: Path) -> None:
    write_parquet(tmp_path / "items.parquet", [{"item_id": "1", "kind": "LiveStream "}, {"item_id": "2", "kind": ""}])
    kinds = read_items(tmp_path / "items.parquet", rejects_dir=None).kinds
    assert kinds.tolist() == [Kind.LIVESTREAM, Kind.PRODUCT]
