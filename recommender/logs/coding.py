"""Ids to integer codes inside DuckDB: distinct ids sorted, numbered, joined back.

A join gives no order, so each row carries its place and is put there when it arrives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.logs.batches import Batch
from recommender.logs.columns import id_problem
from recommender.logs.engine import Engine, Progress
from recommender.logs.scan import Scan


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of ids that becomes codes.

    Args:
        column: The field.
        vocabulary: Name of the vocabulary, which several columns may share.
        missing: Reason to reject a row without it; None gives code -1.
    """

    column: str
    vocabulary: str
    missing: str | None


def number_ids(engine: Engine, scan: Scan, vocabulary: str, columns: Sequence[str]) -> None:
    """Make the table `ids_<vocabulary>(id, code)` of the usable ids of some columns, codes ascending with the id."""
    distinct = " UNION ".join(f"SELECT DISTINCT {column} AS id FROM ({scan.sql})" for column in columns)
    # A table of its own, so that the rules are asked once an id and not once a row.
    engine.execute(f"CREATE OR REPLACE TEMP TABLE found_ids AS {distinct}")
    engine.execute(
        f"CREATE TEMP TABLE ids_{vocabulary} AS SELECT id, (row_number() OVER () - 1)::INTEGER AS code"
        f" FROM (SELECT id FROM found_ids WHERE {id_problem('id', 'missing')} IS NULL ORDER BY id)"
    )
    engine.execute("DROP TABLE found_ids")


def ids_of(engine: Engine, vocabulary: str) -> list[str]:
    """The vocabulary's ids; the index is the code."""
    ids: list[str] = engine.arrays(f"SELECT id FROM ids_{vocabulary} ORDER BY code")["id"].tolist()
    return ids


def with_codes(scan: Scan, coded: Sequence[Coded]) -> str:
    """SELECT of the scan's columns and `<column>_code` of each coded one, null where the id cannot be used."""
    codes = "".join(f", {c.column}_ids.code AS {c.column}_code" for c in coded)
    joins = "".join(
        f" LEFT JOIN ids_{c.vocabulary} AS {c.column}_ids ON scan.{c.column} = {c.column}_ids.id" for c in coded
    )
    return f"SELECT scan.*{codes} FROM ({scan.sql}) AS scan{joins}"


def code_problem(coded: Coded) -> str:
    """SQL for the reason why a row's id cannot be used, null where it can; asked of rows `with_codes`."""
    return f"CASE WHEN {coded.column}_code IS NULL THEN {id_problem(coded.column, coded.missing)} END"


def first_problem(problems: Sequence[str]) -> str:
    """SQL for the first of several reasons, null where there is none."""
    return f"coalesce(_problem, {', '.join(problems)})"


def place_rows(
    scan: Scan, batches: Iterator[Batch], dtypes: Mapping[str, type[np.generic]], progress: Progress
) -> dict[str, npt.NDArray[Any]]:
    """Gather batches of accepted rows into whole columns in the order of the files.

    Args:
        batches: With `_file`, `_row` and the columns.
        dtypes: {column: dtype}.

    Returns:
        {column: array [accepted]}.
    """
    starts = np.asarray(scan.starts, np.int64)
    columns: dict[str, npt.NDArray[Any]] = {name: np.empty(scan.n_rows, dtype) for name, dtype in dtypes.items()}
    accepted = np.zeros(scan.n_rows, np.bool_)
    n_seen = 0
    for batch in batches:
        places = batch["_row"] + starts[batch["_file"]]
        accepted[places] = True
        for name, column in columns.items():
            column[places] = batch[name]
        n_seen += len(places)
        progress(n_seen / scan.n_rows)
    if n_seen == scan.n_rows:
        return columns
    for name in columns:
        columns[name] = columns[name][accepted]
    return columns


def drop_unused(
    ids: list[str], columns: Sequence[npt.NDArray[np.int32]]
) -> tuple[list[str], list[npt.NDArray[np.int32]]]:
    """A vocabulary without the ids that only rejected rows had, and the columns in its codes; -1 stays."""
    used = np.zeros(len(ids), np.bool_)
    for column in columns:
        used[column[column >= 0]] = True
    if used.all():
        return ids, list(columns)
    # One more place at the end, where -1 finds itself.
    renumbered = np.append(np.cumsum(used, dtype=np.int32) - 1, np.int32(-1)).astype(np.int32)
    return [ids[i] for i in np.flatnonzero(used)], [renumbered[column] for column in columns]
