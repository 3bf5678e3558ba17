"""CSV files into the table `staged`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import duckdb

from recommender.errors import InputError
from recommender.logs.columns import Field
from recommender.logs.engine import Engine, Progress, part_of
from recommender.logs.files import LogFiles, compression_of, runs_of
from recommender.logs.lines import create_staged, first_line, read_csv
from recommender.logs.scan import further_columns, require_columns


def stage_csv(
    engine: Engine, log: LogFiles, fields: Sequence[Field], keep_attributes: bool, progress: Progress
) -> tuple[list[str], list[str]]:
    """Put every row into `staged`.

    Returns:
        The names of its columns r0, r1, ..., and which of them are attributes.

    Raises:
        InputError: A header lacks a column or has one twice, or line ends are mixed.
    """
    headers = [_header(engine, log, file, fields) for file in log.files]
    fielded = [field.name for field in fields if any(field.name in header for header in headers)]
    found = list(dict.fromkeys(name for header in headers for name in header if name))
    attributes = further_columns(found, fields) if keep_attributes else []
    names = [*fielded, *attributes]
    create_staged(engine, len(names))
    for run in runs_of([(header, compression_of(file)) for header, file in zip(headers, log.files, strict=True)]):
        told = part_of(progress, run.start / len(log.files), run.stop / len(log.files))
        _insert(engine, log, run, headers[run.start], names, told)
    return names, attributes


def _header(engine: Engine, log: LogFiles, file: Path, fields: Sequence[Field]) -> tuple[str, ...]:
    line = first_line(engine, log, file)
    if not line.strip():
        raise InputError(f"{log.table} {file}: begins with a blank line, wanted the names of the columns")
    names = tuple(next(csv.reader([line])))
    require_columns(log, file, [name for name in names if name], fields)
    return names


def _insert(
    engine: Engine, log: LogFiles, run: range, header: Sequence[str], wanted: Sequence[str], progress: Progress
) -> None:
    files = [log.files[index] for index in run]
    # By place, since pandas leaves the name of its index column empty.
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    options = "header=true, delim=',', quote='\"', escape='\"', store_rejects=true, rejects_limit=0"
    values = ", ".join(f"c{header.index(name)}" if name in header else "NULL" for name in wanted)
    rows = f"SELECT {run.start} + file_index, NULL, NULL, {values} FROM {read_csv(files, columns, options)}"
    try:
        engine.execute(f"INSERT INTO staged {rows}", progress)
    except duckdb.InvalidInputException as error:
        # All that the parser says of line ends that differ.
        if "state machine" not in str(error):
            raise
        places = ", ".join(map(str, files[:3])) + (", ..." if len(files) > 3 else "")
        raise InputError(f"{log.table} {places}: line ends are mixed (\\n and \\r\\n); write them all alike") from error
