"""CSV and JSON Lines as a scan: taken apart once into a table of text inside DuckDB, which spills to disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from recommender.errors import InputError
from recommender.logs.columns import Field
from recommender.logs.csv_files import stage_csv
from recommender.logs.engine import Engine, Progress, ignore_progress, literal
from recommender.logs.files import LogFiles, LogFormat
from recommender.logs.json_lines import stage_json_lines
from recommender.logs.scan import Column, Scan, projection

#: The parser's names for what is wrong with a line.
_REASONS: Final = {
    "INVALID ENCODING": "invalid_utf8",
    "MISSING COLUMNS": "too_few_columns",
    "TOO MANY COLUMNS": "too_many_columns",
    "UNQUOTED VALUE": "bad_quotes",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}
_REFUSED: Final = "SELECT reason, file, line, text FROM refused"


def scan_text(
    engine: Engine,
    log: LogFiles,
    fields: Sequence[Field],
    *,
    keep_attributes: bool,
    progress: Progress = ignore_progress,
) -> Scan:
    """Take the files apart into the table `staged` and return it as one relation.

    Raises:
        InputError: A file cannot be read, or a column is missing or comes twice.
    """
    stage = stage_csv if log.format is LogFormat.CSV else stage_json_lines
    names, attributes = stage(engine, log, fields, keep_attributes, progress)
    columns = {name: Column(f"r{number}", "VARCHAR") for number, name in enumerate(names)}
    shown = {name: column for name, column in columns.items() if name not in attributes}
    counts = dict(engine.rows("SELECT _file, min(rowid) FROM staged GROUP BY _file"))
    n_rows = engine.rows("SELECT count(*) FROM staged")[0][0]
    broken, n_refused = _refused(engine, log)
    values = projection(log, log.path, columns, fields, attributes)
    return Scan(
        log,
        f"SELECT _file, rowid AS _row, _problem, _text, {values} FROM staged",
        n_rows,
        (0,) * len(log.files),
        tuple(None if i in broken else counts.get(i, 0) for i in range(len(log.files))),
        frozenset(shown),
        tuple(attributes),
        _REFUSED if n_refused else "",
        n_refused,
    )


def _refused(engine: Engine, log: LogFiles) -> tuple[set[int], int]:
    """Gather them in the table `refused`; the files they are in, and their number.

    Raises:
        InputError: A quote opened that swallowed further lines, so more is lost than can be counted.
    """
    places = ", ".join(f"({number}, {literal(str(file))})" for number, file in enumerate(log.files))
    reasons = " ".join(f"WHEN {literal(kind)} THEN {literal(reason)}" for kind, reason in _REASONS.items())
    engine.execute(
        "CREATE TEMP TABLE refused AS SELECT"
        f" CASE any_value(error_type)::VARCHAR {reasons} ELSE 'unreadable_line' END AS reason,"
        " any_value(place) AS file, any_value(line) AS line, any_value(csv_line) AS text"
        " FROM reject_errors JOIN reject_scans USING (scan_id, file_id)"
        f" JOIN (VALUES {places}) AS places(place, name) ON name = file_path"
        " GROUP BY scan_id, file_id, line_byte_position ORDER BY file, line"
    )
    for file, line in engine.rows(
        "SELECT file, line FROM refused WHERE reason = 'bad_quotes' AND contains(text, chr(10)) LIMIT 1"
    ):
        raise InputError(
            f"{log.table} {log.files[file]}: line {line:,} opens a quote that does not close on it; "
            "close it, or double the quotes inside a value"
        )
    return {row[0] for row in engine.rows("SELECT DISTINCT file FROM refused")}, engine.rows(
        "SELECT count(*) FROM refused"
    )[0][0]
