"""Each user's figures beside a report, so that a later report can be compared pair by pair; nobody is named in it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from recommender.errors import ConfigurationError, InputError
from training.evaluation.metrics import PerUser
from training.evaluation.pairs import Codes
from training.evaluation.pool import Pool

_USER: Final = "user"
_CUT: Final = "cut"
#: Between model and metric in a column's name.
_OF: Final = "."


@dataclass(frozen=True)
class UserFigures:
    """What each case was worth to each model.

    Args:
        owners: int64 [n], the position of the case's user: 0, 1, ... in an order that only who knows all users' ids
            can tell.
        per_case: {model: {metric: float64 [n]}}.
    """

    owners: Codes
    per_case: dict[str, dict[str, PerUser]]


def users_path(report: Path) -> Path:
    """Where the users' figures of a report lie: `report.users.parquet` beside `report.json`."""
    return report.with_suffix(".users.parquet")


def write_users(path: Path, pool: Pool) -> None:
    """Write a row per case, ordered by cut and position: equal cases stand in equal rows in every report.

    Raises:
        ConfigurationError: The place cannot be written to.
    """
    order = np.lexsort((pool.owners, pool.cuts))
    columns: dict[str, npt.NDArray[Any]] = {
        _USER: pool.owners[order].astype(np.int32),
        _CUT: pool.cuts[order].astype(np.int32),
    }
    for model, measured in pool.measured.items():
        for metric, values in measured.per_user.items():
            columns[f"{model}{_OF}{metric}"] = values[order].astype(np.float32)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with duckdb.connect() as engine:
            engine.register("figures", columns)
            engine.execute("COPY (FROM figures) TO $1 (FORMAT parquet, COMPRESSION zstd)", [str(beside)])
        beside.replace(path)
    except (OSError, duckdb.Error) as error:
        with suppress(OSError):
            beside.unlink()
        raise ConfigurationError(f"cannot write users' figures to {path}: {error}; give another --out") from error


def read_users(path: Path) -> UserFigures | None:
    """What was written; None where there is no such file.

    Raises:
        InputError: The file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        with duckdb.connect() as engine:
            read = engine.execute("FROM read_parquet($1)", [str(path)]).fetchnumpy()
    except duckdb.Error as error:
        raise InputError(f"cannot read users' figures from {path}: {error}") from error
    per_case: dict[str, dict[str, PerUser]] = {}
    for name, values in read.items():
        model, _, metric = name.rpartition(_OF)
        if model:
            per_case.setdefault(model, {})[metric] = np.asarray(values, np.float64)
    return UserFigures(np.asarray(read[_USER], np.int64), per_case)
