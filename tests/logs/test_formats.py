from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import InputError
from recommender.logs import EventTable, read_events
from tests.logs.samples import (
    NOW,
    ROW,
    WRITERS,
    Row,
    assert_equal_tables,
    parquet_of,
    rows,
    write_csv,
    write_json,
    write_parquet,
)

MIXED: list[Row] = [
    ROW | {"session_id": "s1", "price": 1.5},
    {
        "user_id": None,
        "item_id": 'i "2", x',
        "event_type": "purchase",
        "timestamp": None,
        "session_id": "s2",
        "price": None,
    },
    {"user_id": "", "item_id": "商品", "event_type": "gaze", "timestamp": NOW, "session_id": "", "price": 0.0},
    {"user_id": "u1", "item_id": None, "event_type": "view", "timestamp": NOW, "session_id": None, "price": 2.0},
    {"user_id": "u0", "item_id": "i1", "event_type": "view", "timestamp": -1, "session_id": None, "price": 2.0},
]


def read(path: Path) -> EventTable:
    return read_events(path, rejects_dir=None, max_reject_rate=0.9, now_ms=NOW, extras=("price",))


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix != ".parquet"])
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str) -> None:
    write_parquet(tmp_path / "log.parquet", MIXED, price="DOUBLE")
    WRITERS[suffix](tmp_path / f"log{suffix}", MIXED)
    expected = read(tmp_path / "log.parquet")
    assert expected.report.rejected == {"missing_item_id": 1, "time_before_1970": 1}
    assert expected.item_ids == ['i "2", x', "i1", "商品"]
    assert_equal_tables(read(tmp_path / f"log{suffix}"), expected)


ids = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=6))
events = st.fixed_dictionaries(
    {
        "user_id": ids,
        "item_id": ids,
        "event_type": st.sampled_from(["view", "purchase", "gaze", "", None]),
        "timestamp": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(NOW - 10, NOW)),
        "session_id": ids,
        "price": st.one_of(st.none(), st.floats(-1, 1e9)),
    }
)


@given(st.lists(events, min_size=1, max_size=8))
@settings(max_examples=12, deadline=None)
def test_whatever_the_rows_every_format_gives_the_same_table_and_loses_no_row(log: list[Row]) -> None:
    # A good old row first: the log is never all rejects, and its times never look like seconds.
    log = [ROW, *([ROW] * len(log)), *log]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_parquet(folder / "log.parquet", log, price="DOUBLE")
        write_csv(folder / "log.csv", log)
        write_json(folder / "log.jsonl", log)
        tables = [read(folder / f"log{suffix}") for suffix in (".parquet", ".csv", ".jsonl")]
    for table in tables:
        assert_equal_tables(table, tables[0])
        assert table.report.accepted + sum(table.report.rejected.values()) == table.report.rows == len(log)
        assert table.item_ids == sorted(table.item_ids)
        assert set(table.items) == set(range(len(table.item_ids)))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_files_of_a_folder_follow_each_other_by_name(tmp_path: Path, suffix: str) -> None:
    log = rows(6)
    for name, part in (("b", log[2:5]), ("a", log[:2]), ("c", log[5:])):
        WRITERS[suffix](tmp_path / f"{name}{suffix}", part)
    table = read_events(tmp_path, rejects_dir=None, now_ms=NOW)
    assert [table.item_ids[item] for item in table.items] == [row["item_id"] for row in log]


def test_compressed_and_plain_files_of_one_format_go_together(tmp_path: Path) -> None:
    log = rows(6)
    for name, part in (("1.csv.gz", log[:2]), ("2.csv", log[2:3]), ("3.csv.zst", log[3:])):
        WRITERS["." + name.partition(".")[2]](tmp_path / name, part)
    table = read_events(tmp_path, rejects_dir=None, now_ms=NOW)
    assert [table.item_ids[item] for item in table.items] == [row["item_id"] for row in log]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_names_that_look_like_patterns_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "it's [1]*?"
    folder.mkdir()
    WRITERS[suffix](tmp_path / f"log{suffix}", rows(3))
    (tmp_path / f"log{suffix}").rename(folder / f"log{suffix}")
    assert len(read_events(folder, rejects_dir=None, now_ms=NOW)) == 3


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    (tmp_path / "session_id=s9").mkdir()
    write_parquet(tmp_path / "session_id=s9" / "log.parquet", [ROW])
    assert read_events(tmp_path, rejects_dir=None, now_ms=NOW).session_ids == []


def test_files_may_differ_in_order_and_types_of_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "1.parquet", [ROW | {"user_id": 7}], user_id="INTEGER")
    parquet_of(
        tmp_path / "2.parquet",
        "SELECT 'view' AS event_type, make_timestamp_ms(1690000000000) AS timestamp, 8.0::DOUBLE AS user_id,"
        " 'i2' AS item_id, 's1' AS session_id",
    )
    write_parquet(
        tmp_path / "3.parquet", [ROW | {"user_id": "u9", "timestamp": "2023-07-22T04:26:40Z"}], timestamp="VARCHAR"
    )
    table = read_events(tmp_path, rejects_dir=None, now_ms=NOW)
    assert [table.user_ids[user] for user in table.users] == ["7", "8", "u9"]
    assert table.times_ms.tolist() == [ROW["timestamp"], 1_690_000_000_000, 1_690_000_000_000]
    assert table.sessions.tolist() == [-1, 0, -1]


def test_csv_files_may_differ_in_their_headers(tmp_path: Path) -> None:
    write_csv(tmp_path / "1.csv", [ROW])
    (tmp_path / "2.csv").write_text("price,timestamp,event_type,item_id,user_id\n1.5,,view,i2,u2\n")
    table = read_events(tmp_path, rejects_dir=None, now_ms=NOW, extras=("price",))
    assert [table.user_ids[user] for user in table.users] == ["u1", "u2"]
    np.testing.assert_array_equal(table.extras["price"], [np.nan, 1.5])


def test_lines_of_json_may_leave_keys_out(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        '{"user_id": "u1", "item_id": "i1", "event_type": "view", "timestamp": 1690000000000}\n'
        '{"item_id": "i2", "event_type": "view", "session_id": "s1"}\n'
    )
    table = read_events(tmp_path / "log.jsonl", rejects_dir=None, now_ms=NOW)
    assert (table.users.tolist(), table.sessions.tolist()) == ([0, -1], [-1, 0])


def test_a_key_that_no_line_of_json_has_is_a_missing_column(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"user_id": "u1", "item_id": "i1", "event_type": "view"}\n' * 3)
    with pytest.raises(InputError, match=r"log\.jsonl: no line has the key 'timestamp'; events need the keys user_id"):
        read_events(tmp_path / "log.jsonl", rejects_dir=None, now_ms=NOW)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_missing_column_is_named_with_its_file(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](tmp_path / f"1{suffix}", [ROW])
    WRITERS[suffix](tmp_path / f"2{suffix}", [{k: v for k, v in ROW.items() if k != "item_id"}])
    sentence = rf"2{suffix}: no column 'item_id', it has 'user_id', 'event_type', 'timestamp'; events need the columns"
    with pytest.raises(InputError, match=sentence):
        read_events(tmp_path, rejects_dir=None, now_ms=NOW)


@pytest.mark.parametrize("n", [300_000])
def test_rows_keep_their_order_across_row_groups_and_threads(tmp_path: Path, n: int) -> None:
    parquet_of(
        tmp_path / "log.parquet",
        f"SELECT 'u' || (k * 7919 % 10007) AS user_id, 'i' || (k * 31 % 5003) AS item_id, 'view' AS event_type,"
        f" {NOW - n} + k AS timestamp FROM range({n}) AS t(k)",
        "FORMAT parquet, ROW_GROUP_SIZE 20480",
    )
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW, threads=4)
    k = np.arange(n)
    np.testing.assert_array_equal(table.times_ms, NOW - n + k)
    users = np.array(table.user_ids)[table.users]
    np.testing.assert_array_equal(users, np.char.add("u", (k * 7919 % 10007).astype(str)))
