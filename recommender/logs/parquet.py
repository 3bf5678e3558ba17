"""Parquet files as a scan: read where they lie, column by column, as often as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from recommender.errors import InputError
from recommender.logs.columns import Field
from recommender.logs.engine import Engine, literal, name_of
from recommender.logs.files import LogFiles, runs_of
from recommender.logs.scan import Column, Scan, further_columns, projection, readable, require_columns

#: DuckDB's names for a row's place, which a file's own columns would hide.
_RESERVED: Final = ("file_index", "file_row_number")


def scan_parquet(engine: Engine, log: LogFiles, fields: Sequence[Field], *, keep_attributes: bool) -> Scan:
    """The files as one relation; those whose types differ are brought into one form each on its own.

    Raises:
        InputError: A file cannot be read, or a column is missing, comes twice or is of a wrong type.
    """
    n_rows, columns = [], []
    for file in log.files:
        with readable(log, file):
            n_rows.append(engine.rows(f"SELECT num_rows FROM parquet_file_metadata({literal(escaped(file))})")[0][0])
            columns.append(_columns(engine, log, file))
        require_columns(log, file, list(columns[-1]), fields)
    names = list(dict.fromkeys(name for types in columns for name in types))
    attributes = further_columns(names, fields) if keep_attributes else []
    selects = [_select(log, run, columns[run.start], fields, attributes) for run in runs_of(columns)]
    starts = list(accumulate(n_rows, initial=0))
    return Scan(
        log,
        " UNION ALL ".join(selects),
        starts[-1],
        tuple(starts[:-1]),
        (0,) * len(log.files),
        frozenset(names),
        tuple(attributes),
    )


def escaped(file: Path) -> str:
    """A file's name with what DuckDB would take for a pattern made plain."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file))


def _read(files: Sequence[Path]) -> str:
    names = ", ".join(literal(escaped(file)) for file in files)
    return f"read_parquet([{names}], binary_as_string=true, hive_partitioning=false)"


def _columns(engine: Engine, log: LogFiles, file: Path) -> dict[str, str]:
    """{column: DuckDB type} in the file's order."""
    described = {row[0]: row[1] for row in engine.rows(f"DESCRIBE SELECT * FROM {_read([file])}")}
    written = {row[0] for row in engine.rows(f"SELECT name FROM parquet_schema({literal(escaped(file))})")}
    for name in described:
        # DuckDB gives the second of two equal columns a name that the file does not know.
        if name not in written:
            raise InputError(f"{log.table} {file}: column {name.rpartition('_')[0]!r} comes twice; rename or drop one")
        if name in _RESERVED:
            raise InputError(f"{log.table} {file}: a column may not be called {name!r}; rename it")
    return described


def _select(
    log: LogFiles, run: range, types: dict[str, str], fields: Sequence[Field], attributes: Sequence[str]
) -> str:
    columns = {name: Column(name_of(name), sql_type) for name, sql_type in types.items()}
    files = [log.files[index] for index in run]
    values = projection(log, files[0], columns, fields, attributes)
    return (
        f"SELECT ({run.start} + file_index)::INTEGER AS _file, file_row_number::BIGINT AS _row,"
        f" NULL::VARCHAR AS _problem, NULL::VARCHAR AS _text, {values} FROM {_read(files)}"
    )
