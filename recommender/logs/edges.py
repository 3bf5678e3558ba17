"""Who knows or follows whom, as columns of integer codes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.errors import InputError
from recommender.logs.coding import (
    Coded,
    code_problem,
    drop_unused,
    first_problem,
    ids_of,
    number_ids,
    place_rows,
    with_codes,
)
from recommender.logs.columns import Field, FieldKind, price_problem, time_problem
from recommender.logs.engine import Engine, ignore_progress
from recommender.logs.reading import open_table
from recommender.logs.rejects import ReadReport, Rejects, reject_rows
from recommender.logs.scan import Scan
from recommender.types import DAY_MS, NO_TIME, Rows, Times

MAX_EDGE_TYPES: Final = 250

_FIELDS: Final = (
    Field("source_id", FieldKind.ID, required=True),
    Field("target_id", FieldKind.ID, required=True),
    Field("edge_type", FieldKind.ID, required=True),
    Field("weight", FieldKind.NUMBER),
    Field("timestamp", FieldKind.TIME),
)
_CODED: Final = (
    Coded("source_id", "ids", "missing_source_id"),
    Coded("target_id", "ids", "missing_target_id"),
    Coded("edge_type", "types", "missing_edge_type"),
)
_DTYPES: Final[dict[str, type[np.generic]]] = {
    "source_id": np.int32,
    "target_id": np.int32,
    "edge_type": np.int32,
    "weight": np.float64,
    "timestamp": np.int64,
}


@dataclass(frozen=True, slots=True)
class EdgeTable:
    """Accepted edges in the order of the files.

    Args:
        ids: One vocabulary for both ends, sorted; the index is the code.
        edge_types: Sorted.
        sources: int32 [n], index into `ids`.
        targets: int32 [n], index into `ids`.
        types: uint8 [n], index into `edge_types`.
        weights: float64 [n], 1 where the file does not say.
        times_ms: int64 [n], `NO_TIME` where missing.
        report: What was read and what was not.
    """

    ids: list[str]
    edge_types: tuple[str, ...]
    sources: Rows
    targets: Rows
    types: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.float64]
    times_ms: Times
    report: ReadReport

    def __len__(self) -> int:
        return len(self.sources)


def read_edges(
    path: str | os.PathLike[str],
    *,
    rejects_dir: Path | None,
    max_reject_rate: float = 0.05,
    memory: str = "4GB",
    threads: int = 2,
    now_ms: int | None = None,
) -> EdgeTable:
    """Read the edges: files, folder or glob of Parquet, CSV or JSON Lines.

    Args:
        path: What to read.
        rejects_dir: Folder for `edges.rejects.jsonl`; None counts rejected rows and writes none.
        max_reject_rate: Largest share of unusable rows.
        memory: Limit of DuckDB's buffers; the returned columns and ids come on top.
        threads: How many DuckDB uses.
        now_ms: Times more than a day later are in the future; None is the wall clock.

    Raises:
        InputError: No file can be used as an edges file; the message names file, column or rows.
        ConfigurationError: The memory does not suffice.
    """
    latest_ms = (int(time.time() * 1_000) if now_ms is None else now_ms) + DAY_MS
    with open_table(path, "edges", _FIELDS, keep_attributes=False, memory=memory, threads=threads) as (engine, scan):
        number_ids(engine, scan, "ids", ["source_id", "target_id"])
        number_ids(engine, scan, "types", ["edge_type"])
        ids, types = ids_of(engine, "ids"), ids_of(engine, "types")
        if len(types) > MAX_EDGE_TYPES:
            raise InputError(f"{scan.log}: {len(types):,} different edge types, wanted at most {MAX_EDGE_TYPES}")
        problems = [*map(code_problem, _CODED), price_problem("weight", "weight"), time_problem("timestamp", latest_ms)]
        judged = f"SELECT *, {first_problem(problems)} AS reason FROM ({with_codes(scan, _CODED)})"
        rejected = f"SELECT reason, _file, _row, _data, _text FROM ({judged}) WHERE reason IS NOT NULL"
        rejects = reject_rows(engine, scan, rejected, rejects_dir, max_reject_rate)
        columns = _accepted_columns(engine, scan, judged)
    return _table(scan, ids, types, columns, rejects)


def _accepted_columns(engine: Engine, scan: Scan, judged: str) -> dict[str, npt.NDArray[Any]]:
    codes = ", ".join(f"{coded.column}_code AS {coded.column}" for coded in _CODED)
    sql = (
        f"SELECT _file, _row, {codes}, coalesce(weight, 1.0::DOUBLE) AS weight,"
        f" coalesce(timestamp, {NO_TIME}) AS timestamp FROM ({judged}) WHERE reason IS NULL"
    )
    return place_rows(scan, engine.stream(sql), _DTYPES, ignore_progress)


def _table(
    scan: Scan, ids: list[str], types: list[str], columns: dict[str, npt.NDArray[Any]], rejects: Rejects
) -> EdgeTable:
    used_ids, (sources, targets) = drop_unused(ids, [columns["source_id"], columns["target_id"]])
    used_types, (codes,) = drop_unused(types, [columns["edge_type"]])
    rows = scan.n_rows + scan.n_refused
    return EdgeTable(
        ids=used_ids,
        edge_types=tuple(used_types),
        sources=sources,
        targets=targets,
        types=codes.astype(np.uint8),
        weights=columns["weight"],
        times_ms=columns["timestamp"],
        report=ReadReport(
            table="edges",
            path=scan.log.path,
            rows=rows,
            accepted=len(sources),
            rejected=rejects.counts,
            rejects_file=rejects.file,
            notes=(f"{scan.log}: {rejects.sentence(rows)}",) if rejects.total else (),
        ),
    )
