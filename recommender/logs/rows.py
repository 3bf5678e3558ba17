"""Tables that keep their text: one row per id, the last one winning, sorted by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.logs.columns import Field, FieldKind
from recommender.logs.engine import Engine
from recommender.logs.rejects import ReadReport, reject_rows
from recommender.logs.scan import Scan
from recommender.types import NO_TIME

#: What stands for a missing value in a column of numbers.
_MISSING: Final = {FieldKind.TIME: str(NO_TIME), FieldKind.NUMBER: "'NaN'::DOUBLE", FieldKind.FLAG: "-1"}
_DTYPES: Final = {FieldKind.TIME: np.int64, FieldKind.NUMBER: np.float64, FieldKind.FLAG: np.int8}


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Accepted rows, one per id.

    Args:
        columns: {field: list of text or None, or array of numbers}, and `_file`, int32.
        attributes: {further column: list of text or None}.
        report: What was read and what was not.
    """

    columns: Mapping[str, Any]
    attributes: dict[str, list[str | None]] = field(default_factory=dict)
    report: ReadReport = field(kw_only=True)

    def text(self, name: str) -> list[str]:
        """A column of text, empty where missing."""
        return [value or "" for value in self.columns[name]]

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers: times with `NO_TIME`, others with NaN, flags with -1 where missing."""
        column: npt.NDArray[Any] = self.columns[name]
        return column


def keep_rows(
    engine: Engine,
    scan: Scan,
    fields: Sequence[Field],
    problems: Sequence[str],
    rejects_dir: Path | None,
    max_reject_rate: float,
) -> KeptRows:
    """Reject what has a problem and keep the last row of each id, the first field being the id.

    Args:
        problems: SQL of reasons, null where there is none.

    Raises:
        InputError: More than `max_reject_rate` of the rows cannot be used.
    """
    reason = f"coalesce(_problem, {', '.join(problems)})"
    judged = f"SELECT *, {reason} AS reason FROM ({scan.sql})"
    rejected = f"SELECT reason, _file, _row, _data, _text FROM ({judged}) WHERE reason IS NOT NULL"
    rejects = reject_rows(engine, scan, rejected, rejects_dir, max_reject_rate)
    kept = engine.arrays(_last_of_each(judged, scan, fields))
    columns = {f.name: _column(kept[f.name], f.kind) for f in fields}
    accepted = scan.n_rows + scan.n_refused - rejects.total
    duplicates = accepted - len(kept["_file"])
    notes = [f"{scan.log}: {rejects.sentence(scan.n_rows + scan.n_refused)}"] if rejects.total else []
    if duplicates:
        notes.append(f"{scan.log}: {duplicates:,} rows have an id that a later row has again; the last row counts")
    return KeptRows(
        columns | {"_file": kept["_file"].astype(np.int32)},
        {name: kept[f"x{number}"].tolist() for number, name in enumerate(scan.attributes)},
        report=ReadReport(
            table=scan.log.table,
            path=scan.log.path,
            rows=scan.n_rows + scan.n_refused,
            accepted=accepted,
            rejected=rejects.counts,
            rejects_file=rejects.file,
            duplicates=duplicates,
            notes=tuple(notes),
        ),
    )


def _last_of_each(judged: str, scan: Scan, fields: Sequence[Field]) -> str:
    values = [f"coalesce({f.name}, {_MISSING[f.kind]}) AS {f.name}" if f.kind in _MISSING else f.name for f in fields]
    values += [f"x{number}" for number in range(len(scan.attributes))]
    key = fields[0].name
    return (
        f"SELECT {', '.join(values)}, _file FROM ({judged}) WHERE reason IS NULL"
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _file DESC, _row DESC) = 1 ORDER BY {key}"
    )


def _column(values: npt.NDArray[Any], kind: FieldKind) -> Any:
    return values.astype(_DTYPES[kind]) if kind in _DTYPES else values.tolist()
