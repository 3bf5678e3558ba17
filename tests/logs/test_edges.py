from __future__ import annotations

from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.logs import read_edges
from recommender.types import NO_TIME
from tests.logs.samples import DAY, NOW, WRITERS, Row, write_csv

EDGE: Row = {"source_id": "u1", "target_id": "u2", "edge_type": "friend", "weight": "2", "timestamp": NOW}


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_edges_are_read_from_every_format_with_one_vocabulary_for_both_ends(tmp_path: Path, suffix: str) -> None:
    later = {"source_id": "u2", "target_id": "s9", "edge_type": "follow", "weight": None, "timestamp": None}
    WRITERS[suffix](tmp_path / f"edges{suffix}", [EDGE, later])
    table = read_edges(tmp_path / f"edges{suffix}", rejects_dir=None, now_ms=NOW)
    assert (table.ids, table.edge_types) == (["s9", "u1", "u2"], ("follow", "friend"))
    assert (table.sources.tolist(), table.targets.tolist(), table.types.tolist()) == ([1, 2], [2, 0], [1, 0])
    assert (table.weights.tolist(), table.times_ms.tolist()) == ([2.0, 1.0], [NOW, NO_TIME])
    dtypes = [str(column.dtype) for column in (table.sources, table.types, table.weights)]
    assert dtypes == ["int32", "uint8", "float64"]
    assert len(table) == 2


def test_weight_and_time_may_be_left_out(tmp_path: Path) -> None:
    write_csv(tmp_path / "edges.csv", [{"source_id": 1, "target_id": 2, "edge_type": "friend"}])
    table = read_edges(tmp_path / "edges.csv", rejects_dir=None)
    assert (table.weights.tolist(), table.times_ms.tolist()) == ([1.0], [NO_TIME])


@pytest.mark.parametrize("column", ["source_id", "target_id", "edge_type"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    write_csv(tmp_path / "edges.csv", [{name: value for name, value in EDGE.items() if name != column}])
    with pytest.raises(InputError, match=f"no column '{column}'"):
        read_edges(tmp_path / "edges.csv", rejects_dir=None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"source_id": None}, "missing_source_id"),
        ({"target_id": ""}, "missing_target_id"),
        ({"edge_type": ""}, "missing_edge_type"),
        ({"target_id": "x" * 257}, "id_too_long"),
        ({"weight": "nan"}, "nan_weight"),
        ({"weight": "-1"}, "negative_weight"),
        ({"timestamp": NOW + DAY + 1}, "time_in_future"),
        ({"timestamp": -1}, "time_before_1970"),
    ],
)
def test_edges_that_cannot_be_used_are_counted_and_leave_no_trace(tmp_path: Path, change: Row, reason: str) -> None:
    bad = EDGE | {"source_id": "u0", "target_id": "u9", "edge_type": "foe"} | change
    write_csv(tmp_path / "edges.csv", [EDGE, bad])
    table = read_edges(tmp_path / "edges.csv", rejects_dir=tmp_path, max_reject_rate=0.5, now_ms=NOW)
    assert (table.report.rejected, table.report.accepted) == ({reason: 1}, 1)
    assert (table.ids, table.edge_types) == (["u1", "u2"], ("friend",))
    assert len((tmp_path / "edges.rejects.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_edges_keep_the_order_of_the_file(tmp_path: Path) -> None:
    pairs = [(f"u{k * 31 % 101}", f"u{k * 17 % 103}") for k in range(500)]
    write_csv(tmp_path / "edges.csv", [EDGE | {"source_id": s, "target_id": t} for s, t in pairs])
    table = read_edges(tmp_path / "edges.csv", rejects_dir=None, now_ms=NOW)
    assert [(table.ids[s], table.ids[t]) for s, t in zip(table.sources, table.targets, strict=True)] == pairs


def test_too_many_edge_types_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "edges.csv", [EDGE | {"edge_type": f"type{k}"} for k in range(251)])
    with pytest.raises(InputError, match="251 different edge types, wanted at most 250"):
        read_edges(tmp_path / "edges.csv", rejects_dir=None, now_ms=NOW)
