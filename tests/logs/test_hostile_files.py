"""Each row: a file that somebody may send, and what must come of it: a sentence (InputError) or counts of rejects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.logs import read_events
from tests.logs.samples import DAY, NOW, ROW, Row, csv_text, json_text, parquet_of, rows, write_gzip, write_parquet

HEADER = "user_id,item_id,event_type,timestamp\n"
EVENT = "SELECT 'u' AS user_id, 'i' AS item_id, 'view' AS event_type"
LINE = f"u1,i1,view,{NOW - DAY}\n"


@dataclass(frozen=True)
class Hostile:
    """A file to make, and the sentence or the rejects that must come of it."""

    title: str
    name: str
    write: Callable[[Path], object]
    refused: str | None = None
    accepted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


def raw(content: bytes | str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


def parquet(log: list[Row], **types: str) -> Callable[[Path], object]:
    return lambda path: write_parquet(path, log, **types)


def query(sql: str) -> Callable[[Path], object]:
    return lambda path: parquet_of(path, sql)


def cut(write: Callable[[Path], object], share: float) -> Callable[[Path], object]:
    def write_cut(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return write_cut


def overwritten(write: Callable[[Path], object], old: bytes, new: bytes) -> Callable[[Path], object]:
    def write_over(path: Path) -> None:
        write(path)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))

    return write_over


def torn_pages(path: Path) -> None:
    """A Parquet file whose ends are whole and whose middle is another file's."""
    parquet_of(
        path,
        "SELECT 'u' || hash(k) AS user_id, 'i' || hash(-k) AS item_id, 'view' AS event_type,"
        f" {NOW - DAY} + k AS timestamp FROM range(20000) AS t(k)",
    )
    content = path.read_bytes()
    path.write_bytes(content[:1_000] + content[-5_000:])


def many_types(n: int) -> list[Row]:
    return [ROW | {"event_type": f"type{k}"} for k in range(n)]


HOSTILE = [
    # Files that cannot be read at all.
    Hostile(
        "a Parquet file cut in the middle", "log.parquet", cut(parquet(rows(9)), 0.5), "cut off: its end is missing"
    ),
    Hostile("a Parquet file with its middle gone", "log.parquet", torn_pages, "cannot be read to its end as Parquet"),
    Hostile(
        "a gzip file cut in the middle",
        "log.csv.gz",
        cut(lambda p: write_gzip(p, csv_text(rows(5_000))), 0.6),
        "cannot be read to its end as CSV",
    ),
    Hostile(
        "JSON in a gzip file cut in the middle",
        "log.jsonl.gz",
        cut(lambda p: write_gzip(p, json_text(rows(5_000))), 0.6),
        "cannot be read to its end as JSON Lines",
    ),
    Hostile("an empty file", "log.csv", raw(b""), "is empty (0 bytes)"),
    Hostile("a file of blank lines", "log.csv", raw("\n\n  \n"), "begins with a blank line"),
    Hostile("a picture named csv", "log.csv", raw(b"\x89PNG\r\n\x1a\n" + bytes(200)), "need the columns user_id"),
    Hostile("a JSON array", "log.json", raw(json.dumps([ROW])), "holds a JSON array, wanted JSON Lines"),
    Hostile("JSON over many lines", "log.json", raw(json.dumps(ROW, indent=2)), "rows cannot be used (invalid_json 6)"),
    Hostile(
        "text that is no UTF-8 in Parquet",
        "log.parquet",
        overwritten(parquet([*rows(3), ROW | {"user_id": "qqqq"}]), b"qqqq", b"q\xff\xfeq"),
        "beyond its type; write or copy it anew (Invalid string encoding",
    ),
    Hostile(
        "timestamps at 2^62 ms",
        "log.parquet",
        overwritten(
            query(f"{EVENT}, make_timestamp_ms({NOW})::TIMESTAMP_MS AS timestamp"),
            NOW.to_bytes(8, "little"),
            (2**62).to_bytes(8, "little"),
        ),
        "damaged, cut off or holds a value beyond its type",
    ),
    # Columns.
    Hostile("a CSV without a header", "log.csv", raw(LINE * 3), "no column 'user_id', it has 'u1', 'i1', 'view'"),
    Hostile(
        "semicolons", "log.csv", raw((HEADER + LINE).replace(",", ";")), "no column 'user_id', it has 'user_id;item_id"
    ),
    Hostile(
        "a column twice in CSV",
        "log.csv",
        raw(HEADER.replace("timestamp", "item_id") + LINE),
        "column 'item_id' comes twice",
    ),
    Hostile(
        "a column twice but for its case",
        "log.csv",
        raw("Item_ID," + HEADER + "x," + LINE),
        "column 'item_id' comes twice",
    ),
    Hostile(
        "a column twice in Parquet",
        "log.parquet",
        overwritten(parquet([ROW | {"item_ix": "x"}]), b"item_ix", b"item_id"),
        "column 'item_id' comes twice",
    ),
    Hostile(
        "a key twice in JSON",
        "log.jsonl",
        raw(json_text(rows(2)) + '{"item_id": "a", "item_id": "b"}\n'),
        accepted=2,
        rejected={"missing_event_type": 1},
    ),
    Hostile(
        "a struct as item_id",
        "log.parquet",
        query("SELECT 'u' AS user_id, {'a': 1} AS item_id, 'view' AS event_type, 1 AS timestamp"),
        "column 'item_id' is STRUCT(a INTEGER), wanted text or whole numbers; convert it",
    ),
    Hostile(
        "a list as item_id",
        "log.parquet",
        query("SELECT 'u' AS user_id, ['a'] AS item_id, 'view' AS event_type, 1 AS timestamp"),
        "column 'item_id' is VARCHAR[], wanted text or whole numbers; convert it",
    ),
    Hostile(
        "a column that hides DuckDB's row numbers",
        "log.parquet",
        parquet([ROW | {"file_row_number": "7"}]),
        "a column may not be called 'file_row_number'; rename it",
    ),
    Hostile(
        "columns named like ours",
        "log.parquet",
        parquet([ROW | {"_row": "7", "_file": "x", "_data": "y", "x0": "z"}]),
        accepted=1,
    ),
    Hostile(
        "columns with quotes in their names", "log.csv", raw('"a ""b"" \'c\'",' + HEADER + "x," + LINE), accepted=1
    ),
    # Logs with little in them.
    Hostile("a header and no row", "log.csv", raw(HEADER), "holds no row, wanted at least one event"),
    Hostile(
        "a Parquet file without rows",
        "log.parquet",
        query(f"{EVENT}, 1 AS timestamp LIMIT 0"),
        "holds no row, wanted at least one event",
    ),
    Hostile("one row", "log.csv", raw(HEADER + LINE), accepted=1),
    Hostile("one user, many items", "log.parquet", parquet(rows(50)), accepted=50),
    Hostile("one item, nobody known", "log.parquet", parquet(rows(50, item_id="i1", user_id=None)), accepted=50),
    Hostile(
        "nothing but nulls", "log.parquet", parquet([dict.fromkeys(ROW)] * 3), "rows cannot be used (missing_item_id 3)"
    ),
    Hostile(
        "too many event types",
        "log.parquet",
        parquet(many_types(300)),
        "300 different event types, such as 'type0' and 'type99'",
    ),
    # Fields.
    Hostile(
        "ids of 10 kB",
        "log.csv",
        raw(HEADER + LINE + LINE.replace("i1", "i" * 10_000)),
        accepted=1,
        rejected={"id_too_long": 1},
    ),
    Hostile(
        "a NUL in an id",
        "log.csv",
        raw(HEADER + LINE + LINE.replace("i1", "i\x001")),
        accepted=1,
        rejected={"id_control_characters": 1},
    ),
    Hostile(
        "an escaped NUL in an id",
        "log.jsonl",
        raw(json_text(rows(1)) + json.dumps(ROW | {"item_id": "i\x001"}) + "\n"),
        accepted=1,
        rejected={"id_control_characters": 1},
    ),
    Hostile(
        "times that are no numbers",
        "log.parquet",
        parquet([ROW, ROW | {"timestamp": float("nan")}], timestamp="DOUBLE"),
        accepted=1,
        rejected={"unparsable_time": 1},
    ),
    Hostile(
        "infinite times",
        "log.parquet",
        parquet([ROW, ROW | {"timestamp": float("inf")}], timestamp="DOUBLE"),
        accepted=1,
        rejected={"unparsable_time": 1},
    ),
    Hostile(
        "infinite timestamps",
        "log.parquet",
        query(f"{EVENT}, unnest([make_timestamp_ms({NOW}), 'infinity'::TIMESTAMP]) AS timestamp"),
        accepted=1,
        rejected={"unparsable_time": 1},
    ),
    Hostile(
        "negative times",
        "log.parquet",
        parquet([ROW, *rows(1, timestamp=-5)]),
        accepted=1,
        rejected={"time_before_1970": 1},
    ),
    Hostile(
        "times at 2^62",
        "log.parquet",
        parquet([ROW, *rows(1, timestamp=2**62)]),
        accepted=1,
        rejected={"time_in_future": 1},
    ),
    Hostile(
        "timestamps at 2^62 us",
        "log.parquet",
        query(f"{EVENT}, unnest([make_timestamp_ms({NOW}), make_timestamp({2**62})]) AS timestamp"),
        accepted=1,
        rejected={"time_in_future": 1},
    ),
    Hostile(
        "unsigned times beyond int64",
        "log.parquet",
        parquet([ROW, *rows(1, timestamp=2**64 - 1)], timestamp="UBIGINT"),
        accepted=1,
        rejected={"unparsable_time": 1},
    ),
    Hostile(
        "times in seconds",
        "log.parquet",
        parquet(rows(9, timestamp=NOW // 1_000)),
        "timestamps look like seconds: their median is 1700000000",
    ),
    Hostile(
        "NaN prices in JSON",
        "log.jsonl",
        raw(json_text(rows(1)) + json.dumps(ROW | {"price": float("nan")}) + "\n"),
        accepted=1,
        rejected={"nan_price": 1},
    ),
    Hostile(
        "prices as words",
        "log.csv",
        raw("price," + HEADER + "1.5," + LINE + "cheap," + LINE),
        accepted=1,
        rejected={"nan_price": 1},
    ),
    # Ways to write text.
    Hostile("a byte order mark", "log.csv", raw(b"\xef\xbb\xbf" + (HEADER + LINE).encode()), accepted=1),
    Hostile(
        "a byte order mark before JSON", "log.jsonl", raw(b"\xef\xbb\xbf" + json_text(rows(2)).encode()), accepted=2
    ),
    Hostile("line ends of Windows", "log.csv", raw((HEADER + LINE * 2).replace("\n", "\r\n")), accepted=2),
    Hostile("line ends of Windows in JSON", "log.jsonl", raw(json_text(rows(2)).replace("\n", "\r\n")), accepted=2),
    Hostile(
        "mixed line ends in JSON",
        "log.jsonl",
        raw(json_text(rows(2)) + json_text(rows(2)).replace("\n", "\r\n")),
        accepted=4,
    ),
    Hostile(
        "mixed line ends in CSV",
        "log.csv",
        raw(HEADER + LINE.replace("\n", "\r\n") + LINE),
        "line ends are mixed (\\n and \\r\\n); write them all alike",
    ),
    Hostile("no line end at the end", "log.csv", raw((HEADER + LINE * 2).rstrip()), accepted=2),
    Hostile("blank lines between", "log.csv", raw(HEADER + "\n" + LINE + "\n\n" + LINE), accepted=2),
    Hostile(
        "quoted newlines in another column",
        "log.csv",
        raw("note," + HEADER + '"two\nlines",' + LINE + "one," + LINE),
        accepted=2,
    ),
    Hostile("quotes within quotes", "log.csv", raw(HEADER + LINE.replace("i1", '"i ""1"", 2"')), accepted=1),
    Hostile("an index column of pandas", "log.csv", raw("," + HEADER + "0," + LINE), accepted=1),
    Hostile(
        "a quote that swallows the rest",
        "log.csv",
        raw(HEADER + LINE * 3 + LINE.replace("i1", '"i1') + LINE * 50_000),
        "line 5 opens a quote that does not close on it; close it",
    ),
    Hostile(
        "bytes that are no UTF-8",
        "log.csv",
        raw((HEADER + LINE).encode() + b"u\xff,i1,view,\n"),
        accepted=1,
        rejected={"invalid_utf8": 1},
    ),
    Hostile(
        "text of another alphabet's encoding", "log.csv", raw((HEADER + LINE).encode("utf-16")), "is not CSV in UTF-8"
    ),
    Hostile(
        "invalid JSON in the middle",
        "log.jsonl",
        raw(json_text(rows(1)) + '{"user_id": \n' + json_text(rows(1))),
        accepted=2,
        rejected={"invalid_json": 1},
    ),
    Hostile(
        "a line of 3 MB",
        "log.jsonl",
        raw(json_text(rows(1)) + json.dumps(ROW | {"x": "y" * 3_000_000}) + "\n" + json_text(rows(1))),
        accepted=2,
        rejected={"line_too_long": 1},
    ),
    Hostile(
        "two gzip streams after another",
        "log.csv.gz",
        raw(gzip.compress((HEADER + LINE).encode()) + gzip.compress(LINE.encode())),
        accepted=2,
    ),
]


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.title)
def test_hostile_file(tmp_path: Path, case: Hostile) -> None:
    path = tmp_path / case.name
    case.write(path)
    if case.refused is not None:
        with pytest.raises(InputError) as caught:
            read_events(path, rejects_dir=tmp_path, now_ms=NOW)
        sentence = str(caught.value)
        assert sentence.startswith(f"events {path}: ")
        assert case.refused in sentence
        assert "\n" not in sentence
        assert len(sentence) < 1_000
    else:
        table = read_events(path, rejects_dir=tmp_path, max_reject_rate=0.9, now_ms=NOW)
        assert (table.report.accepted, table.report.rejected) == (case.accepted, case.rejected)
        assert len(table) == case.accepted


def test_the_damaged_file_of_a_folder_is_named(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        write_gzip(tmp_path / f"{name}.csv.gz", csv_text(rows(5_000)))
    damaged = tmp_path / "2.csv.gz"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"events .*2\.csv\.gz: cannot be read to its end"):
        read_events(tmp_path, rejects_dir=None, now_ms=NOW)


def test_a_column_of_another_type_in_a_second_file_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "1.parquet", [ROW])
    parquet_of(tmp_path / "2.parquet", "SELECT 'u' AS user_id, ['i'] AS item_id, 'view' AS event_type, 1 AS timestamp")
    with pytest.raises(InputError, match=r"2\.parquet: column 'item_id' is VARCHAR\[\]"):
        read_events(tmp_path, rejects_dir=None, now_ms=NOW)
