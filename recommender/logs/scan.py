"""A table's files as one SQL relation, whatever they are written in.

_file     INTEGER  index into the table's files
_row      BIGINT   row of the file, or of all files, see `Scan.starts`
_problem  VARCHAR  reason why the row could not even be taken apart; null mostly
_text     VARCHAR  the line as it stood, where there is a problem
_data     VARCHAR  the row as it stood, as JSON, for the rejects file
the contract's fields by name, each in its one form (columns.py); further columns as x0, x1, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from recommender.errors import InputError
from recommender.logs.columns import Field, FieldKind, in_one_form, null_of
from recommender.logs.engine import literal
from recommender.logs.files import LogFiles

MAX_ATTRIBUTES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Scan:
    """What the readers read from.

    Args:
        log: The files.
        sql: A SELECT of the columns in the module's table; order follows the files and their rows.
        n_rows: How many rows it gives.
        starts: Added to `_row` by file gives the row's place among all rows.
        firsts: `_row` of each file's first row; None where rows of that file cannot be counted.
        present: The contract's fields that at least one file has.
        attributes: Names of the further columns x0, x1, ...
        refused: SELECT of (reason, file, line, text) of lines that the parser refused; empty without such lines.
        n_refused: How many those are.
    """

    log: LogFiles
    sql: str
    n_rows: int
    starts: tuple[int, ...]
    firsts: tuple[int | None, ...]
    present: frozenset[str]
    attributes: tuple[str, ...] = ()
    refused: str = ""
    n_refused: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one file as SQL, with its DuckDB type."""

    sql: str
    sql_type: str


def further_columns(names: Sequence[str], fields: Sequence[Field]) -> list[str]:
    """Those names that are not the contract's, in their order."""
    known = {field.name for field in fields}
    return [name for name in names if name not in known]


def projection(
    log: LogFiles, file: object, columns: Mapping[str, Column], fields: Sequence[Field], attributes: Sequence[str]
) -> str:
    """SQL for `_data`, the fields and the attributes, out of the columns that one file has.

    Raises:
        InputError: A column holds what its field cannot be; the message names file, column and type.
    """
    parts = [f"{_as_json(columns)} AS _data"]
    for field in fields:
        column = columns.get(field.name)
        sql = null_of(field.kind) if column is None else in_one_form(field.kind, column.sql, column.sql_type)
        if sql is None and column is not None:
            raise InputError(
                f"{log.table} {file}: column {field.name!r} is {column.sql_type}, wanted {field.kind}; convert it"
            )
        parts.append(f"{sql} AS {field.name}")
    for number, name in enumerate(attributes):
        column = columns.get(name)
        text = None if column is None else in_one_form(FieldKind.TEXT, column.sql, column.sql_type)
        parts.append(f"{text or null_of(FieldKind.TEXT)} AS x{number}")
    return ", ".join(parts)


def _as_json(columns: Mapping[str, Column]) -> str:
    # As text, since JSON has no word for NaN.
    pairs = ", ".join(f"{literal(name)}, {column.sql}::VARCHAR" for name, column in columns.items())
    return f"json_object({pairs})::VARCHAR"


def require_columns(log: LogFiles, file: object, names: Sequence[str], fields: Sequence[Field]) -> None:
    """Refuse a file whose columns come twice, or that lacks one that its table needs.

    Raises:
        InputError: Naming the file and the column.
    """
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise InputError(f"{log.table} {file}: column {name!r} comes twice; rename or drop one")
        seen.add(name.lower())
    needed = [field.name for field in fields if field.required]
    missing = [name for name in needed if name not in names]
    if missing:
        shown = ", ".join(repr(name[:50]) for name in names[:20]) + (", ..." if len(names) > 20 else "")
        raise InputError(
            f"{log.table} {file}: no column {missing[0]!r}, it has {shown or 'none'}; "
            f"{log.table} need the columns {', '.join(needed)}"
        )
    if len(names) > MAX_ATTRIBUTES:
        raise InputError(f"{log.table} {file}: {len(names):,} columns, wanted at most {MAX_ATTRIBUTES:,}")


@contextmanager
def readable(log: LogFiles, file: Path | None = None) -> Iterator[None]:
    """Turn what the engine says of a file that it cannot read into one sentence that names it.

    Args:
        file: The one that is read; None where it may be any of the log's.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        reason = str(error).partition("Error: ")[2].partition("\n")[0] or str(error).partition("\n")[0]
        files = log.files if file is None else (file,)
        named = [str(one) for one in files if str(one) in str(error)] or [log.path if len(files) > 1 else str(files[0])]
        raise InputError(
            f"{log.table} {named[0]}: cannot be read to its end as {log.format}: it is damaged, cut off or holds a "
            f"value beyond its type; write or copy it anew ({reason[:200]})"
        ) from error
