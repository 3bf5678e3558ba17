"""What a column may hold, and the SQL that brings it into one form whatever file it came from.

id      text; whole numbers become their text          VARCHAR, null or '' where missing
time    ms since the epoch, timestamps, ISO-8601 text  BIGINT, null where missing, UNPARSABLE
number  any number                                     DOUBLE, null where missing, NaN where unparsable
flag    true/false, 1/0, yes/no                        TINYINT, null where missing, -1 where unparsable
text    anything                                       VARCHAR, null where missing
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from recommender.logs.engine import literal

#: Stands for a time that cannot be understood; as a time it would be rejected anyway.
UNPARSABLE: Final = int(np.iinfo(np.int64).min)
MAX_ID_BYTES: Final = 256

_INTEGER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(\d+,0\)")
_NUMBER = re.compile(r"FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)")
_TIME = re.compile(r"TIMESTAMP.*|DATE")
_TEXT = re.compile(r"VARCHAR|UUID|ENUM\(.*\)", re.DOTALL)
_NESTED = re.compile(r".*\[\d*\]|(STRUCT|MAP|UNION)\(.*\)|VARIANT", re.DOTALL)


class FieldKind(StrEnum):
    """The forms of the module's table."""

    ID = "text or whole numbers"
    TIME = "milliseconds since 1970, timestamps or ISO-8601 text"
    NUMBER = "numbers"
    FLAG = "true or false"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the contract.

    Args:
        required: A file without it is refused; nulls are another matter, each table's own.
    """

    name: str
    kind: FieldKind
    required: bool = False


def null_of(kind: FieldKind) -> str:
    """SQL for a missing value, where a file has no such column."""
    return f"NULL::{_SQL_TYPES[kind]}"


_SQL_TYPES: Final = {
    FieldKind.ID: "VARCHAR",
    FieldKind.TIME: "BIGINT",
    FieldKind.NUMBER: "DOUBLE",
    FieldKind.FLAG: "TINYINT",
    FieldKind.TEXT: "VARCHAR",
}


def in_one_form(kind: FieldKind, sql: str, sql_type: str) -> str | None:
    """SQL that brings an expression of a DuckDB type into the form of its kind; None where it cannot be meant.

    Example:
        >>> in_one_form(FieldKind.ID, "user_id", "BIGINT")
        'user_id::VARCHAR'
        >>> in_one_form(FieldKind.ID, "user_id", "STRUCT(a INTEGER)") is None
        True
    """
    if sql_type == '"NULL"':
        return null_of(kind)
    match kind:
        case FieldKind.ID:
            return _id(sql, sql_type)
        case FieldKind.TIME:
            return _time(sql, sql_type)
        case FieldKind.NUMBER:
            return _number(sql, sql_type)
        case FieldKind.FLAG:
            return _flag(sql, sql_type)
        case FieldKind.TEXT:
            return f"to_json({sql})::VARCHAR" if _NESTED.fullmatch(sql_type) else f"{sql}::VARCHAR"


def _id(sql: str, sql_type: str) -> str | None:
    if sql_type == "VARCHAR":
        return sql
    if _TEXT.fullmatch(sql_type) or _INTEGER.fullmatch(sql_type):
        return f"{sql}::VARCHAR"
    if sql_type in {"FLOAT", "DOUBLE"}:
        # Whole numbers with gaps turn into floats in pandas, the gaps into NaN.
        return (
            f"CASE WHEN isnan({sql}) THEN NULL WHEN {sql} = trunc({sql}) AND abs({sql}) < 9e15"
            f" THEN {sql}::BIGINT::VARCHAR ELSE {sql}::VARCHAR END"
        )
    return None


def _time(sql: str, sql_type: str) -> str | None:
    if sql_type == "BIGINT":
        return sql
    if _INTEGER.fullmatch(sql_type) or _NUMBER.fullmatch(sql_type):
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY_CAST({sql} AS BIGINT), {UNPARSABLE}) END"
    if _TIME.fullmatch(sql_type):
        return f"CASE WHEN {sql} IS NOT NULL THEN coalesce(TRY(epoch_ms({sql}::TIMESTAMPTZ)), {UNPARSABLE}) END"
    if _TEXT.fullmatch(sql_type):
        return _time_of_text(f"{sql}::VARCHAR")
    return None


def _time_of_text(sql: str) -> str:
    # The pattern keeps out the words that DuckDB also takes for times, such as `epoch`.
    iso = f"CASE WHEN {sql} LIKE '____-%' THEN TRY(epoch_ms(TRY_CAST({sql} AS TIMESTAMPTZ))) END"
    return f"CASE WHEN trim({sql}) <> '' THEN coalesce(TRY_CAST({sql} AS BIGINT), {iso}, {UNPARSABLE}) END"


def _number(sql: str, sql_type: str) -> str | None:
    if _INTEGER.fullmatch(sql_type) or _NUMBER.fullmatch(sql_type):
        return f"{sql}::DOUBLE"
    if sql_type == "VARCHAR":
        return f"CASE WHEN trim({sql}) <> '' THEN coalesce(TRY_CAST({sql} AS DOUBLE), 'NaN'::DOUBLE) END"
    return None


def _flag(sql: str, sql_type: str) -> str | None:
    if sql_type == "BOOLEAN":
        return f"{sql}::TINYINT"
    if sql_type == "VARCHAR" or _INTEGER.fullmatch(sql_type):
        text = f"trim({sql}::VARCHAR)"
        return f"CASE WHEN {text} <> '' THEN coalesce(TRY_CAST({text} AS BOOLEAN)::TINYINT, -1) END"
    return None


_CONTROL: Final = literal(r"\p{Cc}")


def id_problem(column: str, missing: str | None) -> str:
    """SQL for the reason why an id cannot be used, null where it can.

    Args:
        column: SQL of an id in its one form.
        missing: Reason of a missing id; None where it may be missing.
    """
    first = f"WHEN {column} IS NULL OR {column} = '' THEN {'NULL' if missing is None else literal(missing)}"
    return (
        f"CASE {first} WHEN strlen({column}) > {MAX_ID_BYTES} THEN 'id_too_long'"
        f" WHEN regexp_matches({column}, {_CONTROL}) THEN 'id_control_characters' END"
    )


def time_problem(column: str, latest_ms: int | None) -> str:
    """SQL for the reason why a time in its one form cannot be used, null where it can or is missing.

    Args:
        latest_ms: Later times are in the future; None where they may be.
    """
    future = "" if latest_ms is None else f" WHEN {column} > {latest_ms} THEN 'time_in_future'"
    return (
        f"CASE WHEN {column} = {UNPARSABLE} THEN 'unparsable_time'"
        f" WHEN {column} < 0 THEN 'time_before_1970'{future} END"
    )


def price_problem(column: str, name: str = "price") -> str:
    """SQL for the reason why a number that is money or a weight cannot be used, null where it can or is missing."""
    return f"CASE WHEN NOT isfinite({column}) THEN 'nan_{name}' WHEN {column} < 0 THEN 'negative_{name}' END"
