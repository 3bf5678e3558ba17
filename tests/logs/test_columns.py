from __future__ import annotations

from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.logs import read_events, read_items
from recommender.types import NO_TIME
from tests.logs.samples import NOW, ROW, WRITERS, parquet_of, write_parquet

MOMENT = 1_690_000_000_123


def times_of(path: Path) -> list[int]:
    return [int(time) for time in read_events(path, rejects_dir=None, now_ms=NOW).times_ms]


def event(timestamp: str, user: str = "'u1'", item: str = "'i1'") -> str:
    return f"SELECT {user} AS user_id, {item} AS item_id, 'view' AS event_type, {timestamp} AS timestamp"


@pytest.mark.parametrize(
    "sql",
    [
        f"{MOMENT}::BIGINT",
        f"{MOMENT}::UBIGINT",
        f"{MOMENT}::DOUBLE",
        f"{MOMENT}::DECIMAL(18, 0)",
        f"make_timestamp_ms({MOMENT})",
        f"make_timestamp_ms({MOMENT})::TIMESTAMP_MS",
        f"make_timestamp_ms({MOMENT})::TIMESTAMP_NS",
        f"make_timestamp_ms({MOMENT})::TIMESTAMPTZ",
        "'2023-07-22T04:26:40.123'",
        "'2023-07-22 04:26:40.123'",
        "'2023-07-22T04:26:40.123Z'",
        "'2023-07-22T06:26:40.123+02:00'",
        "'2023-07-21T23:56:40.123-0430'",
        f"'{MOMENT}'",
    ],
)
def test_a_time_is_the_same_moment_in_every_form(tmp_path: Path, sql: str) -> None:
    query = f"{event(sql)} UNION ALL {event('NULL')}"
    assert times_of(parquet_of(tmp_path / "log.parquet", query)) == [MOMENT, NO_TIME]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [("DATE '2023-07-22'", 1_689_984_000_000), ("make_timestamp_ms(MS)::TIMESTAMP_S", 1_690_000_000_000)],
)
def test_coarser_times_are_their_beginning(tmp_path: Path, sql: str, expected: int) -> None:
    path = parquet_of(tmp_path / "log.parquet", event(sql.replace("MS)", f"{MOMENT})")))
    assert times_of(path) == [expected]


def test_the_machines_time_zone_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    path = parquet_of(tmp_path / "log.parquet", event("TIMESTAMP '2023-07-22 04:26:40.123'"))
    assert times_of(path) == [MOMENT]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (str(MOMENT), MOMENT),
        (f"{MOMENT}.0", MOMENT),
        ("2023-07-22T04:26:40.123", MOMENT),
        ("2023-07-22T06:26:40.123+02:00", MOMENT),
        ("2023-07-22", 1_689_984_000_000),
        ("", NO_TIME),
        (None, NO_TIME),
    ],
)
def test_times_as_text_are_understood(tmp_path: Path, suffix: str, text: str | None, expected: int) -> None:
    WRITERS[suffix](tmp_path / f"log{suffix}", [ROW | {"timestamp": text}])
    assert times_of(tmp_path / f"log{suffix}") == [expected]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    "text",
    ["yesterday", "epoch", "infinity", "now", "NaN", "null", "22/07/2023", "2023-13-01", "2023-02-30", "9" * 40, "{}"],
)
def test_times_that_nobody_can_understand_are_rejected(tmp_path: Path, suffix: str, text: str) -> None:
    WRITERS[suffix](tmp_path / f"log{suffix}", [ROW, ROW | {"timestamp": text}])
    table = read_events(tmp_path / f"log{suffix}", rejects_dir=None, now_ms=NOW, max_reject_rate=0.5)
    assert table.report.rejected == {"unparsable_time": 1}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("7", "7"),
        ("9007199254740993::BIGINT", "9007199254740993"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("7.0::DOUBLE", "7"),
        ("7::DECIMAL(9, 0)", "7"),
        ("'7.0'", "7.0"),
        ("'0007'", "0007"),
        ("'a'::ENUM('a', 'b')", "a"),
        ("'3f333df6-90a4-4fda-8dd3-9485d27cee36'::UUID", "3f333df6-90a4-4fda-8dd3-9485d27cee36"),
        ("'a'::BLOB", "a"),
    ],
)
def test_ids_become_their_text(tmp_path: Path, sql: str, expected: str) -> None:
    path = parquet_of(tmp_path / "log.parquet", event(f"{MOMENT}", user=sql, item=sql))
    table = read_events(path, rejects_dir=None, now_ms=NOW)
    assert (table.user_ids, table.item_ids) == ([expected], [expected])


def test_ids_that_pandas_turned_into_floats_lose_their_point_and_gaps_are_missing(tmp_path: Path) -> None:
    users = "CASE k WHEN 0 THEN 12.0 WHEN 1 THEN 'NaN'::DOUBLE END"
    path = parquet_of(tmp_path / "log.parquet", f"{event(f'{MOMENT}', user=users)} FROM range(3) AS t(k)")
    table = read_events(path, rejects_dir=None, now_ms=NOW)
    assert (table.user_ids, table.users.tolist()) == (["12"], [0, -1, -1])


@pytest.mark.parametrize(
    ("value", "expected"), [(12, "12"), (12.0, "12"), ("12.0", "12.0"), ("[x", "[x"), ("null", "null")]
)
def test_ids_of_json_become_their_text(tmp_path: Path, value: object, expected: str) -> None:
    WRITERS[".jsonl"](tmp_path / "log.jsonl", [ROW | {"item_id": value}])
    assert read_events(tmp_path / "log.jsonl", rejects_dir=None, now_ms=NOW).item_ids == [expected]


@pytest.mark.parametrize(
    ("column", "sql", "named"),
    [
        ("item_id", "{'a': 1}", r"STRUCT\(a INTEGER\), wanted text or whole numbers; convert it"),
        ("item_id", "['a']", r"VARCHAR\[\], wanted text or whole numbers"),
        ("user_id", "true", "BOOLEAN, wanted text or whole numbers"),
        ("event_type", "1.5::DECIMAL(3, 1)", r"DECIMAL\(3,1\), wanted text or whole numbers"),
        ("timestamp", "TIME '10:00:00'", "TIME, wanted milliseconds since 1970, timestamps or ISO-8601 text"),
        ("timestamp", "true", "BOOLEAN, wanted milliseconds"),
        ("price", "[1.0]", r"DECIMAL\(2,1\)\[\], wanted numbers"),
    ],
)
def test_a_column_of_a_wrong_type_is_named(tmp_path: Path, column: str, sql: str, named: str) -> None:
    good = {"user_id": "'u1'", "item_id": "'i1'", "event_type": "'view'", "timestamp": str(MOMENT)}
    values = ", ".join(f"{value} AS {name}" for name, value in (good | {column: sql}).items())
    path = parquet_of(tmp_path / "log.parquet", f"SELECT {values}")
    with pytest.raises(InputError, match=rf"log\.parquet: column '{column}' is {named}"):
        read_events(path, rejects_dir=None, now_ms=NOW)


def test_a_column_of_nothing_but_nulls_is_missing_values(tmp_path: Path) -> None:
    write_parquet(tmp_path / "log.parquet", [ROW | {"user_id": None}], user_id="INTEGER")
    assert read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW).users.tolist() == [-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("False", False),
        ("1", True),
        ("0", False),
        ("yes", True),
        ("no", False),
        ("", True),
        (None, True),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_available_is_understood_in_its_usual_words(
    tmp_path: Path, suffix: str, text: str | None, expected: bool
) -> None:
    WRITERS[suffix](tmp_path / f"items{suffix}", [{"item_id": "i1", "available": text}])
    assert read_items(tmp_path / f"items{suffix}", rejects_dir=None).available.tolist() == [expected]
