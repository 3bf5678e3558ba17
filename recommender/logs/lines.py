"""Text files as DuckDB reads them: with a header or line by line, plain or compressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from recommender.errors import InputError
from recommender.logs.engine import Engine, literal
from recommender.logs.files import LogFiles, compression_of
from recommender.logs.parquet import escaped

_COMPRESSION: Final = {None: "none", ".gz": "gzip", ".zst": "zstd"}


def read_csv(files: Sequence[Path], columns: str, options: str) -> str:
    """SQL that reads files of one compression, nothing left to guess.

    Args:
        columns: `'name': 'TYPE'` of every column, in order.
    """
    names = ", ".join(literal(escaped(file)) for file in files)
    return (
        f"read_csv([{names}], auto_detect=false, columns={{{columns}}}, nullstr='', hive_partitioning=false,"
        f" compression='{_COMPRESSION[compression_of(files[0])]}', {options})"
    )


def read_lines(files: Sequence[Path], options: str) -> str:
    """SQL that reads every line as one text, `line`; null where it is empty."""
    # The delimiter is a character that JSON does not allow in the raw.
    raw = "header=false, delim='\x01', quote='', escape='', strict_mode=false"
    return read_csv(files, "'line': 'VARCHAR'", f"{raw}, {options}")


def first_line(engine: Engine, log: LogFiles, file: Path) -> str:
    """The first line, without a byte order mark.

    Raises:
        InputError: Nothing in the file is a line of UTF-8.
    """
    for (line,) in engine.rows(f"SELECT line FROM {read_lines([file], 'ignore_errors=true')} LIMIT 1"):
        return str(line or "").lstrip("\ufeff")
    raise InputError(f"{log.table} {file}: holds no line of text in UTF-8; write it anew")


def create_staged(engine: Engine, n_columns: int) -> None:
    """Make the table `staged` of text columns r0, r1, ...; its rows keep the order in which they come."""
    columns = "".join(f", r{number} VARCHAR" for number in range(n_columns))
    engine.execute(f"CREATE TEMP TABLE staged(_file INTEGER, _problem VARCHAR, _text VARCHAR{columns})")
