"""Rows that cannot be used: counted by reason, written beside, and too many of them refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recommender.errors import InputError
from recommender.logs.engine import Engine, literal
from recommender.logs.scan import Scan


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What became of a table's rows.

    Args:
        table: Such as `events`.
        path: As it was given.
        rows: All rows of the files.
        accepted: Rows that can be used; later ones that replace earlier ones count too.
        rejected: {reason: rows}, most frequent first; they make up the rest.
        rejects_file: JSON Lines of the rejected rows; None where none was asked for or needed.
        unknown_types: {event type that the contract does not name: accepted rows}.
        duplicates: Accepted rows that a later one with the same id replaced.
        notes: Sentences for whoever ran this.
    """

    table: str
    path: str
    rows: int
    accepted: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    rejects_file: Path | None = None
    unknown_types: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejects:
    """Rejected rows as counted and written.

    Args:
        counts: {reason: rows}, most frequent first.
        file: Where they were written.
    """

    counts: Mapping[str, int]
    file: Path | None

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    def sentence(self, rows: int) -> str:
        """Counts for a person."""
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.counts.items())
        place = f"; they are in {self.file}" if self.file is not None else ""
        return f"{self.total:,} of {rows:,} rows cannot be used ({reasons}){place}"


def reject_rows(engine: Engine, scan: Scan, reasons: str | None, folder: Path | None, max_rate: float) -> Rejects:
    """Count the rows that have a reason, write them to `folder/<table>.rejects.jsonl`, and refuse too many.

    Args:
        reasons: SELECT of (reason, _file, _row, _data, _text), without nulls in `reason`; None where every row of
            the scan can be used.
        folder: Made where it does not exist; None writes nothing.
        max_rate: Largest share of unusable rows that is accepted.

    Raises:
        InputError: More than `max_rate` of all rows cannot be used; what was rejected is written all the same.
    """
    engine.execute(f"CREATE TEMP TABLE rejects AS {_with_places(scan, reasons)}")
    counts = dict(engine.rows("SELECT reason, count(*) FROM rejects GROUP BY reason ORDER BY count(*) DESC, reason"))
    rejects = Rejects(counts, None if folder is None else _write(engine, scan.log.table, folder, bool(counts)))
    engine.execute("DROP TABLE rejects")
    rows = scan.n_rows + scan.n_refused
    if rejects.total > max_rate * rows:
        raise InputError(
            f"{scan.log}: {rejects.sentence(rows)}; at most {max_rate:.1%} may be: "
            f"mend the file or raise max_reject_rate{_hint(counts)}"
        )
    return rejects


def _hint(counts: Mapping[str, int]) -> str:
    if next(iter(counts)) == "time_in_future":
        return " (are the timestamps micro- or nanoseconds? wanted milliseconds)"
    return ""


def _with_places(scan: Scan, reasons: str | None) -> str:
    """The rejected rows with the file's name and the row's number in it, refused lines among them."""
    places = ", ".join(
        f"({number}, {literal(str(file))}, {'NULL' if first is None else first}::BIGINT)"
        for number, (file, first) in enumerate(zip(scan.log.files, scan.firsts, strict=True))
    )
    nothing = "SELECT '' AS reason, 0 AS _file, 0::BIGINT AS _row, '' AS _data, '' AS _text LIMIT 0"
    rows = (
        "SELECT reason, place, name AS file, _row - first + 1 AS row, NULL::BIGINT AS line,"
        " CASE WHEN _text IS NULL THEN _data END AS data, _text AS text"
        f" FROM ({reasons or nothing}) JOIN places ON _file = place"
    )
    lines = (
        f"SELECT reason, place, name, NULL, line, NULL, text FROM ({scan.refused}) AS r JOIN places ON r.file = place"
    )
    both = f"{rows} UNION ALL {lines}" if scan.refused else rows
    return f"WITH places(place, name, first) AS (VALUES {places}) {both}"


def _write(engine: Engine, table: str, folder: Path, any_rows: bool) -> Path | None:
    """Write the table `rejects` aside, then rename; without rows, an earlier run's file goes."""
    target = folder / f"{table}.rejects.jsonl"
    if not any_rows:
        target.unlink(missing_ok=True)
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"rejects folder {folder} cannot be made: {error.strerror or error}") from error
    aside = target.with_suffix(f".{os.getpid()}.part")
    engine.execute(
        "COPY (SELECT reason, file, row, line, data::JSON AS data, text FROM rejects"
        f" ORDER BY place, coalesce(row, line)) TO {literal(str(aside))} (FORMAT json)"
    )
    aside.replace(target)
    return target
