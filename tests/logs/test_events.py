from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recommender.errors import ConfigurationError, InputError
from recommender.logs import read_events
from recommender.logs.engine import Engine
from recommender.types import EVENT_TYPES, NO_TIME
from tests.logs.samples import (
    DAY,
    NOW,
    ROW,
    assert_equal_tables,
    parquet_of,
    rows,
    write_csv,
    write_json,
    write_parquet,
)


def big_log(path: Path, n: int = 200_000) -> Path:
    """Many users and items, with times that ascend."""
    return parquet_of(
        path,
        "SELECT 'user' || (k * 7919 % 100003) AS user_id, 'item' || (k * 31 % 50021) AS item_id, 'view' AS event_type,"
        f" {NOW - n} + k AS timestamp FROM range({n}) AS t(k)",
    )


def test_ids_become_codes_of_sorted_vocabularies(tmp_path: Path) -> None:
    log = [
        ROW | {"user_id": user, "item_id": item, "session_id": session}
        for user, item, session in [
            ("u2", "b", None),
            (None, "a", "s2"),
            ("u10", "c", "s1"),
            ("", "a", ""),
            ("u1", "b", "s2"),
        ]
    ]
    write_parquet(tmp_path / "log.parquet", log)
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)
    assert (table.user_ids, table.item_ids, table.session_ids) == (["u1", "u10", "u2"], ["a", "b", "c"], ["s1", "s2"])
    assert table.users.tolist() == [2, -1, 1, -1, 0]
    assert table.items.tolist() == [1, 0, 2, 0, 1]
    assert table.sessions.tolist() == [-1, 1, 0, -1, 1]
    assert [c.dtype for c in (table.users, table.sessions, table.items, table.types, table.times_ms)] == [
        np.int32,
        np.int32,
        np.int32,
        np.uint8,
        np.int64,
    ]
    assert len(table) == 5


def test_rows_in_another_order_give_the_same_events_and_vocabularies(tmp_path: Path) -> None:
    log = [ROW | {"user_id": f"u{k % 7}", "item_id": f"i{k % 5}", "timestamp": NOW - k} for k in range(60)]
    write_parquet(tmp_path / "log.parquet", log)
    write_parquet(tmp_path / "turned.parquet", log[::-1])
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)
    turned = read_events(tmp_path / "turned.parquet", rejects_dir=None, now_ms=NOW)
    assert (table.user_ids, table.item_ids) == (turned.user_ids, turned.item_ids)
    for name in ("users", "items", "types", "times_ms"):
        np.testing.assert_array_equal(getattr(table, name), getattr(turned, name)[::-1])


def test_reading_twice_gives_the_same_table(tmp_path: Path) -> None:
    path = big_log(tmp_path / "log.parquet")
    first = read_events(path, rejects_dir=None, now_ms=NOW, threads=4)
    assert_equal_tables(first, read_events(path, rejects_dir=None, now_ms=NOW, threads=1))
    np.testing.assert_array_equal(np.diff(first.times_ms), 1)


def test_unknown_event_types_are_kept_counted_and_noted_once(tmp_path: Path) -> None:
    types = ["wink", "view", "gaze", "wink", "Purchase", "purchase"]
    write_csv(tmp_path / "log.csv", [ROW | {"event_type": name} for name in types])
    table = read_events(tmp_path / "log.csv", rejects_dir=None, now_ms=NOW)
    assert table.event_types == (*EVENT_TYPES, "Purchase", "gaze", "wink")
    assert [table.event_types[code] for code in table.types] == types
    assert table.report.unknown_types == {"Purchase": 1, "gaze": 1, "wink": 2}
    assert table.report.notes == ("unknown event types are kept with weight 0: wink (2), Purchase (1), gaze (1)",)


def test_known_event_types_keep_their_codes_whatever_the_log_has(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", rows(1, event_type="impression"))
    table = read_events(tmp_path / "log.csv", rejects_dir=None, now_ms=NOW)
    assert (table.event_types, table.types.tolist()) == (EVENT_TYPES, [EVENT_TYPES.index("impression")])
    assert table.report.notes == ()


def test_a_log_without_times_says_so(tmp_path: Path) -> None:
    write_parquet(tmp_path / "log.parquet", rows(3, timestamp=None))
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)
    assert table.times_ms.tolist() == [NO_TIME] * 3
    assert table.report.notes == ("no row has a time: order and recency are not used",)


def test_a_log_with_some_times_says_how_many_are_missing(tmp_path: Path) -> None:
    write_parquet(tmp_path / "log.parquet", [*rows(3), *rows(1, timestamp=None)])
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)
    assert table.report.notes == ("1 of 4 rows have no time: order and recency do not use them",)


def test_columns_that_were_asked_for_come_as_numbers(tmp_path: Path) -> None:
    log = [
        ROW | {"price": "1.5", "quantity": 2, "position": ""},
        ROW | {"price": None, "quantity": "many", "position": 3},
    ]
    write_csv(tmp_path / "log.csv", log)
    extras = ("price", "quantity", "position", "propensity")
    table = read_events(tmp_path / "log.csv", rejects_dir=None, now_ms=NOW, extras=extras)
    assert tuple(table.extras) == extras
    np.testing.assert_array_equal(table.extras["price"], [1.5, np.nan])
    np.testing.assert_array_equal(table.extras["quantity"], [2.0, np.nan])
    np.testing.assert_array_equal(table.extras["position"], [np.nan, 3.0])
    np.testing.assert_array_equal(table.extras["propensity"], [np.nan, np.nan])
    assert {column.dtype for column in table.extras.values()} == {np.dtype(np.float64)}


def test_which_columns_are_asked_for_changes_no_rejects(tmp_path: Path) -> None:
    write_json(tmp_path / "log.jsonl", [*rows(2), ROW | {"price": "NaN"}, ROW | {"quantity": "many"}])
    reports = [
        read_events(tmp_path / "log.jsonl", rejects_dir=None, max_reject_rate=0.5, now_ms=NOW, extras=extras).report
        for extras in ((), ("price", "quantity"))
    ]
    assert reports[0] == reports[1]
    assert reports[0].rejected == {"nan_price": 1}


def test_old_logs_are_read_when_half_of_their_times_lie_after_1980(tmp_path: Path) -> None:
    write_parquet(tmp_path / "log.parquet", [*rows(2, timestamp=1_000), *rows(2, timestamp=NOW - DAY)])
    assert len(read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)) == 4
    write_parquet(tmp_path / "log.parquet", [*rows(3, timestamp=1_000), *rows(2, timestamp=NOW - DAY)])
    with pytest.raises(InputError, match=r"timestamps look like seconds: their median is 1000, .* lies in 1970-01-01"):
        read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_does_not_fit_in_memory_spills_and_nothing_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = big_log(tmp_path / "log.parquet", 400_000)
    expected = read_events(path, rejects_dir=None, now_ms=NOW)
    if suffix == ".csv":
        path = parquet_of(tmp_path / "log.csv", f"FROM '{path}'", "FORMAT csv, HEADER")
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    assert_equal_tables(read_events(path, rejects_dir=None, now_ms=NOW, memory="64MB"), expected)
    assert list(spill.iterdir()) == []


def test_nothing_stays_behind_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(tmp_path / "log.csv", rows(3, timestamp=-1))
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spill))
    with pytest.raises(InputError):
        read_events(tmp_path / "log.csv", rejects_dir=None, now_ms=NOW)
    assert list(spill.iterdir()) == []


def test_too_little_memory_is_said_plainly(tmp_path: Path) -> None:
    path = big_log(tmp_path / "log.parquet")
    with pytest.raises(ConfigurationError, match="more than memory = '2MB'; give it more"):
        read_events(path, rejects_dir=None, now_ms=NOW, memory="2MB")


@pytest.mark.parametrize("memory", ["much", "4", ""])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, memory: str) -> None:
    write_csv(tmp_path / "log.csv", [ROW])
    with pytest.raises(ConfigurationError, match="cannot be used as a limit; write 512MB or 4GB"):
        read_events(tmp_path / "log.csv", rejects_dir=None, memory=memory)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_progress_ascends_to_one(tmp_path: Path, suffix: str) -> None:
    path = big_log(tmp_path / "log.parquet")
    if suffix == ".csv":
        path = parquet_of(tmp_path / "log.csv", f"FROM '{path}'", "FORMAT csv, HEADER")
    told: list[float] = []
    read_events(path, rejects_dir=None, now_ms=NOW, progress=told.append)
    assert told == sorted(told)
    assert 0 <= told[0] < 0.7
    assert told[-1] == 1.0


def test_an_error_in_work_whose_progress_is_told_is_raised() -> None:
    with Engine("64MB", 1) as engine, pytest.raises(Exception, match="no_such_table"):
        engine.execute("SELECT * FROM no_such_table", lambda _: None)


def test_no_row_is_lost_or_invented(tmp_path: Path) -> None:
    n = 30_000
    path = parquet_of(
        tmp_path / "log.parquet",
        "SELECT CASE WHEN k % 5 > 0 THEN 'u' || k % 97 END AS user_id,"
        " CASE WHEN k % 50 = 0 THEN '' ELSE 'i' || k % 89 END AS item_id,"
        f" ['view', 'purchase'][1 + k % 2] AS event_type, {NOW - n} + k AS timestamp FROM range({n}) AS t(k)",
        "FORMAT parquet, ROW_GROUP_SIZE 2048",
    )
    table = read_events(path, rejects_dir=None, now_ms=NOW)
    kept = [k for k in range(n) if k % 50]
    found = Counter(
        (table.user_ids[user] if user >= 0 else None, table.item_ids[item], table.event_types[kind], int(time))
        for user, item, kind, time in zip(table.users, table.items, table.types, table.times_ms, strict=True)
    )
    assert found == Counter(
        (f"u{k % 97}" if k % 5 else None, f"i{k % 89}", ("view", "purchase")[k % 2], NOW - n + k) for k in kept
    )
    assert table.times_ms.tolist() == [NOW - n + k for k in kept]
    assert table.report.rejected == {"missing_item_id": n - len(kept)}
