from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.errors import InputError
from recommender.logs import read_events
from recommender.types import EVENT_TYPES
from tests.logs.samples import DAY, NOW, ROW, WRITERS, Row, csv_text, rows, write_csv, write_json, write_parquet

LONG = "x" * 10_000
#: (what is wrong with a row, the reason it is counted under)
REASONS: list[tuple[Row, str]] = [
    ({"item_id": None}, "missing_item_id"),
    ({"item_id": ""}, "missing_item_id"),
    ({"event_type": None}, "missing_event_type"),
    ({"event_type": ""}, "missing_event_type"),
    ({"item_id": "é" * 129}, "id_too_long"),
    ({"user_id": LONG}, "id_too_long"),
    ({"session_id": LONG}, "id_too_long"),
    ({"event_type": LONG}, "id_too_long"),
    ({"item_id": "a\tb"}, "id_control_characters"),
    ({"user_id": "a\nb"}, "id_control_characters"),
    ({"session_id": "a\x85b"}, "id_control_characters"),
    ({"timestamp": -1}, "time_before_1970"),
    ({"timestamp": -(2**63)}, "unparsable_time"),
    ({"timestamp": NOW + DAY + 1}, "time_in_future"),
    ({"timestamp": 2**62}, "time_in_future"),
    ({"price": "NaN"}, "nan_price"),
    ({"price": "inf"}, "nan_price"),
    ({"price": "-0.01"}, "negative_price"),
]


def written(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "events.rejects.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_rejected_rows_are_counted_by_reason_and_written_beside(tmp_path: Path, suffix: str) -> None:
    log = [row for change, _ in REASONS for row in (ROW, ROW | change)]
    WRITERS[suffix](tmp_path / f"log{suffix}", log)
    table = read_events(tmp_path / f"log{suffix}", rejects_dir=tmp_path / "out", max_reject_rate=0.5, now_ms=NOW)
    reasons = [reason for _, reason in REASONS]
    assert table.report.rejected == {reason: reasons.count(reason) for reason in reasons}
    assert (table.report.rows, table.report.accepted, len(table)) == (len(log), len(REASONS), len(REASONS))
    lines = written(tmp_path / "out")
    assert [line["reason"] for line in lines] == reasons
    assert [line["row"] for line in lines] == [2 * place + 2 for place in range(len(REASONS))]
    assert {line["file"] for line in lines} == {str(tmp_path / f"log{suffix}")}
    assert table.report.rejects_file == tmp_path / "out" / "events.rejects.jsonl"
    assert lines[5]["data"]["user_id"] == LONG
    assert lines[14]["data"]["timestamp"] == str(2**62)


def test_what_only_rejected_rows_have_is_not_in_the_vocabularies(tmp_path: Path) -> None:
    bad = {"user_id": "u0", "item_id": "i0", "session_id": "s0", "event_type": "gaze", "timestamp": -1}
    write_parquet(tmp_path / "log.parquet", [bad, ROW | {"session_id": "s1"}, ROW | {"event_type": "wink"}])
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, max_reject_rate=0.5, now_ms=NOW)
    assert (table.user_ids, table.item_ids, table.session_ids) == (["u1"], ["i1"], ["s1"])
    assert table.event_types == (*EVENT_TYPES, "wink")
    assert [column.tolist() for column in (table.users, table.items, table.sessions)] == [[0, 0], [0, 0], [0, -1]]
    assert [table.event_types[code] for code in table.types] == ["view", "wink"]


@pytest.mark.parametrize(("n_bad", "refused"), [(5, False), (6, True)])
def test_more_rejects_than_allowed_stop_the_run_and_are_written_all_the_same(
    tmp_path: Path, n_bad: int, refused: bool
) -> None:
    write_parquet(tmp_path / "log.parquet", rows(100 - n_bad) + rows(n_bad, timestamp=-1))
    if refused:
        sentence = r"6 of 100 rows cannot be used \(time_before_1970 6\); they are in .*; at most 5\.0% may be"
        with pytest.raises(InputError, match=sentence):
            read_events(tmp_path / "log.parquet", rejects_dir=tmp_path, now_ms=NOW)
    else:
        read_events(tmp_path / "log.parquet", rejects_dir=tmp_path, now_ms=NOW)
    assert len(written(tmp_path)) == n_bad


def test_rows_are_numbered_within_their_own_file(tmp_path: Path) -> None:
    for suffix in (".parquet", ".csv", ".jsonl"):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        WRITERS[suffix](folder / f"1{suffix}", rows(3))
        WRITERS[suffix](folder / f"2{suffix}", [*rows(2), ROW | {"item_id": ""}])
        read_events(folder, rejects_dir=folder, max_reject_rate=0.5, now_ms=NOW)
        (line,) = written(folder)
        assert (line["file"], line["row"]) == (str(folder / f"2{suffix}"), 3)


def test_a_clean_run_leaves_no_rejects_of_an_earlier_one(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", [ROW, ROW | {"item_id": ""}])
    read_events(tmp_path / "log.csv", rejects_dir=tmp_path, max_reject_rate=0.5, now_ms=NOW)
    assert len(written(tmp_path)) == 1
    write_csv(tmp_path / "log.csv", [ROW])
    table = read_events(tmp_path / "log.csv", rejects_dir=tmp_path, now_ms=NOW)
    assert not (tmp_path / "events.rejects.jsonl").exists()
    assert table.report.rejects_file is None


def test_without_a_folder_rejects_are_counted_only(tmp_path: Path) -> None:
    write_csv(tmp_path / "log.csv", [ROW, ROW | {"item_id": ""}])
    table = read_events(tmp_path / "log.csv", rejects_dir=None, max_reject_rate=0.5, now_ms=NOW)
    assert (table.report.rejected, table.report.rejects_file) == ({"missing_item_id": 1}, None)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_lines_that_are_no_csv_are_rejected_with_their_line(tmp_path: Path) -> None:
    lines = [
        b"user_id,item_id,event_type,timestamp",
        b"u1,i1,view,1690000000000",
        b"u1,i1,view",
        b"u1,i1,view,1690000000000,more",
        b"u\xff,i1,view,1690000000000",
        b'u1,"i1"x,view,1690000000000',
        b"u2,i2,view,1690000000000",
        b"u2,,view,1690000000000",
    ]
    (tmp_path / "log.csv").write_bytes(b"\n".join(lines))
    table = read_events(tmp_path / "log.csv", rejects_dir=tmp_path, max_reject_rate=0.9, now_ms=NOW)
    assert table.user_ids == ["u1", "u2"]
    assert (table.report.rows, table.report.accepted) == (7, 2)
    found = {line["reason"]: (line["line"], line["row"]) for line in written(tmp_path)}
    # Rows cannot be counted past lines that are none.
    assert found == {
        "too_few_columns": (3, None),
        "too_many_columns": (4, None),
        "invalid_utf8": (5, None),
        "bad_quotes": (6, None),
        "missing_item_id": (None, None),
    }


def test_every_bad_line_of_many_is_counted_and_written(tmp_path: Path) -> None:
    bad = "".join(f"u{k}\n" for k in range(4_000))
    (tmp_path / "log.csv").write_text(csv_text(rows(4_000)) + bad + csv_text(rows(4_000)).partition("\n")[2])
    table = read_events(tmp_path / "log.csv", rejects_dir=tmp_path, max_reject_rate=0.5, now_ms=NOW)
    assert (len(table), table.report.rejected) == (8_000, {"too_few_columns": 4_000})
    assert [line["line"] for line in written(tmp_path)] == list(range(4_002, 8_002))


def test_lines_that_are_no_json_object_are_rejected_as_they_are(tmp_path: Path) -> None:
    good = json.dumps(ROW)
    bad = ['{"user_id": "u1", "item_id": ', "[1, 2]", '"text"', '{"user_id": "\\ud800"}', "nonsense"]
    wrong = [json.dumps(ROW | {"item_id": value}) for value in ({"a": 1}, ["i1"], True)]
    (tmp_path / "log.jsonl").write_text("\n\n".join([good, *bad, *wrong, good]), encoding="utf-8")
    table = read_events(tmp_path / "log.jsonl", rejects_dir=tmp_path, max_reject_rate=0.9, now_ms=NOW)
    assert table.report.rejected == {"invalid_json": len(bad), "wrong_type": len(wrong)}
    assert [(line["row"], line["text"]) for line in written(tmp_path)] == list(enumerate(bad + wrong, start=2))


def test_json_lines_that_are_not_utf8_are_rejected(tmp_path: Path) -> None:
    good = json.dumps(ROW).encode()
    (tmp_path / "log.jsonl").write_bytes(b"\n".join([good, good.replace(b"u1", b"u\xff"), good]))
    table = read_events(tmp_path / "log.jsonl", rejects_dir=tmp_path, max_reject_rate=0.9, now_ms=NOW)
    assert (len(table), table.report.rejected) == (2, {"invalid_utf8": 1})
    assert written(tmp_path)[0]["line"] == 2


def test_a_log_of_nothing_but_rejects_is_refused_at_any_rate(tmp_path: Path) -> None:
    write_json(tmp_path / "log.jsonl", rows(3, timestamp=-1))
    with pytest.raises(InputError, match=r"3 of 3 rows cannot be used \(time_before_1970 3\); none is left"):
        read_events(tmp_path / "log.jsonl", rejects_dir=None, max_reject_rate=1.0, now_ms=NOW)


def test_microseconds_are_guessed_at(tmp_path: Path) -> None:
    write_parquet(tmp_path / "log.parquet", rows(3, timestamp=NOW * 1_000))
    with pytest.raises(InputError, match=r"time_in_future 3\).*micro- or nanoseconds\? wanted milliseconds"):
        read_events(tmp_path / "log.parquet", rejects_dir=None, now_ms=NOW)


def test_without_a_moment_the_wall_clock_says_what_is_in_the_future(tmp_path: Path) -> None:
    write_parquet(tmp_path / "log.parquet", [*rows(3), ROW | {"timestamp": 4_000_000_000_000}])
    table = read_events(tmp_path / "log.parquet", rejects_dir=None, max_reject_rate=0.5)
    assert table.report.rejected == {"time_in_future": 1}
