"""Small log files in every format, written by other means than the code under test."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from recommender.logs import EventTable

Row = dict[str, Any]

DAY = 86_400_000
#: 2023-11-14, a moment that none of the tests' rows goes beyond.
NOW = 1_700_000_000_000
#: One good row.
ROW: Row = {"user_id": "u1", "item_id": "i1", "event_type": "view", "timestamp": NOW - DAY}


def rows(n: int, **changes: Any) -> list[Row]:
    """Good rows that differ in their item and time, with some columns the same in all."""
    return [{**ROW, "item_id": f"i{k}", "timestamp": NOW - DAY + k, **changes} for k in range(n)]


def columns_of(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def csv_text(rows: Sequence[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = columns_of(rows)
    writer.writerow(names)
    writer.writerows([["" if row.get(name) is None else row[name] for name in names] for row in rows])
    return buffer.getvalue()


def json_text(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    path.write_text(csv_text(rows), encoding="utf-8", newline="")


def write_json(path: Path, rows: Sequence[Row]) -> None:
    path.write_text(json_text(rows), encoding="utf-8")


def write_parquet(path: Path, rows: Sequence[Row], **types: str) -> None:
    """Parquet with VARCHAR columns but `timestamp` BIGINT and what `types` says."""
    names = columns_of(rows)
    sql_types = {name: types.get(name, "BIGINT" if name == "timestamp" else "VARCHAR") for name in names}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        declared = ", ".join(f'"{name}" {sql_type}' for name, sql_type in sql_types.items())
        connection.execute(f"CREATE TABLE sample({declared})")
        if rows:
            holes = ", ".join("?" for _ in names)
            connection.executemany(
                f"INSERT INTO sample VALUES ({holes})", [[r.get(name) for name in names] for r in rows]
            )
        connection.execute(f"COPY sample TO '{path}' (FORMAT parquet)")


def parquet_of(path: Path, query: str, options: str = "FORMAT parquet") -> Path:
    """A file of what a query gives; Parquet unless the options say otherwise."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{path}' ({options})")
    return path


def write_zstd(path: Path, text: str) -> None:
    """Any text, zstd compressed; the Python of today has no zstd of its own."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE lines(line VARCHAR)")
        connection.executemany("INSERT INTO lines VALUES (?)", [[line] for line in text.removesuffix("\n").split("\n")])
        form = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', COMPRESSION zstd"
        connection.execute(f"COPY lines TO '{path}' ({form})")


def write_gzip(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))


#: {suffix: how to write rows under it}
WRITERS: Mapping[str, Callable[[Path, Sequence[Row]], None]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".csv.gz": lambda path, rows: write_gzip(path, csv_text(rows)),
    ".csv.zst": lambda path, rows: write_zstd(path, csv_text(rows)),
    ".jsonl": write_json,
    ".ndjson": write_json,
    ".json": write_json,
    ".jsonl.gz": lambda path, rows: write_gzip(path, json_text(rows)),
    ".jsonl.zst": lambda path, rows: write_zstd(path, json_text(rows)),
}


def assert_equal_tables(left: EventTable, right: EventTable) -> None:
    """All but where they came from."""
    assert left.user_ids == right.user_ids
    assert left.session_ids == right.session_ids
    assert left.item_ids == right.item_ids
    assert left.event_types == right.event_types
    assert left.extras.keys() == right.extras.keys()
    pairs = [
        (getattr(left, name), getattr(right, name)) for name in ("users", "sessions", "items", "types", "times_ms")
    ]
    for one, other in pairs + [(left.extras[name], right.extras[name]) for name in left.extras]:
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert left.report.rejected == right.report.rejected
    assert left.report.rows == right.report.rows
