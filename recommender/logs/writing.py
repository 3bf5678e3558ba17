"""The contract's tables as Parquet: rows stream in, the file appears whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from recommender.errors import InputError
from recommender.logs.engine import Engine, literal, name_of
from recommender.logs.erased import erased_hash
from recommender.types import Item

_MEMORY: Final = "512MB"
_EVENT_COLUMNS: Final = {
    "user_id": "VARCHAR",
    "item_id": "VARCHAR",
    "event_type": "VARCHAR",
    "timestamp": "BIGINT",
    "session_id": "VARCHAR",
    "request_id": "VARCHAR",
    "position": "INTEGER",
    "propensity": "DOUBLE",
    "value": "DOUBLE",
    "price": "DOUBLE",
    "currency": "VARCHAR",
    "quantity": "DOUBLE",
    "event_id": "VARCHAR",
}
_ITEM_COLUMNS: Final = {
    "item_id": "VARCHAR",
    "kind": "VARCHAR",
    "title": "VARCHAR",
    "description": "VARCHAR",
    "category": "VARCHAR",
    "brand": "VARCHAR",
    "seller_id": "VARCHAR",
    "price": "DOUBLE",
    "currency": "VARCHAR",
    "image": "VARCHAR",
    "created_at": "BIGINT",
    "expires_at": "BIGINT",
    "available": "BOOLEAN",
}
_EDGE_COLUMNS: Final = {
    "source_id": "VARCHAR",
    "target_id": "VARCHAR",
    "edge_type": "VARCHAR",
    "weight": "DOUBLE",
    "timestamp": "BIGINT",
}
_ERASED_COLUMNS: Final = {"user_hash": "VARCHAR", "salt": "VARCHAR"}


@dataclass(frozen=True, slots=True)
class LoggedRow:
    """One row of an events file; empty text and None are written as null.

    Args:
        user_id: Empty for anonymous events.
        time_ms: None where unknown.
        position: Place of the card on its page sequence, from 0.
    """

    user_id: str
    item_id: str
    event_type: str
    time_ms: int | None
    session_id: str = ""
    request_id: str = ""
    position: int | None = None
    propensity: float | None = None
    value: float | None = None
    price: float | None = None
    currency: str = ""
    quantity: float | None = None
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """One row of an edges file; None is written as null."""

    source_id: str
    target_id: str
    edge_type: str
    weight: float | None = None
    time_ms: int | None = None


def write_events(path: Path, rows: Iterable[LoggedRow]) -> int:
    """Write an events file; returns the number of rows.

    Args:
        path: Parquet file to make or replace; its folder is made where it does not exist.
        rows: Taken one by one, in order.

    Raises:
        InputError: The place cannot be written to, or a row cannot be written; what stood there stays.
    """
    return _write(path, _EVENT_COLUMNS, (_event_values(row) for row in rows))


def write_items(path: Path, items: Iterable[Item]) -> int:
    """Write an items file; returns the number of rows. Attributes become columns of their own.

    Args:
        path: Parquet file to make or replace.
        items: Taken twice, so a collection or something that can be iterated anew.
    """
    # The engine does not tell columns apart by case, and the reader would not either.
    spellings = {name.casefold(): name for item in items for name in sorted(item.attributes, reverse=True)}
    names = sorted(spellings.keys() - _ITEM_COLUMNS.keys())
    columns = _ITEM_COLUMNS | {spellings[name]: "VARCHAR" for name in names}

    def attributes(item: Item) -> map[str | None]:
        return map({name.casefold(): value for name, value in item.attributes.items()}.get, names)

    return _write(path, columns, ((*_item_values(item), *attributes(item)) for item in items))


def write_edges(path: Path, rows: Iterable[EdgeRow]) -> int:
    """Write an edges file; returns the number of rows.

    Args:
        path: Parquet file to make or replace.
        rows: Taken one by one, in order.
    """
    values = ((row.source_id, row.target_id, row.edge_type, row.weight, row.time_ms) for row in rows)
    return _write(path, _EDGE_COLUMNS, values)


def write_erased(path: Path, user_ids: Iterable[str], salt: bytes) -> int:
    """Write the keyed hashes of erased users; returns the number of rows.

    Args:
        path: Parquet file to make or replace.
        user_ids: Taken one by one.
        salt: 1 to 64 random bytes, written beside each hash.
    """
    return write_erased_hashes(path, (bytes.fromhex(erased_hash(user_id, salt)) for user_id in user_ids), salt)


def write_erased_hashes(path: Path, hashes: Iterable[bytes], salt: bytes) -> int:
    """Write erased users of whom only the hashes are known still; returns the number of rows.

    Args:
        path: Parquet file to make or replace.
        hashes: As `erased_hash` makes them, each of 16 bytes.
        salt: Of all these hashes.
    """
    return _write(path, _ERASED_COLUMNS, ((user_hash.hex(), salt.hex()) for user_hash in hashes))


def _event_values(row: LoggedRow) -> tuple[object, ...]:
    return (
        row.user_id or None,
        row.item_id,
        row.event_type,
        row.time_ms,
        row.session_id or None,
        row.request_id or None,
        row.position,
        row.propensity,
        row.value,
        row.price,
        row.currency or None,
        row.quantity,
        row.event_id or None,
    )


def _item_values(item: Item) -> tuple[object, ...]:
    return (
        item.item_id,
        item.kind.name.lower(),
        item.title or None,
        item.description or None,
        item.category or None,
        item.brand or None,
        item.seller_id or None,
        item.price,
        item.currency or None,
        item.image_url or None,
        item.created_ms,
        item.expires_ms,
        item.available,
    )


def _write(path: Path, columns: Mapping[str, str], rows: Iterator[Sequence[object]]) -> int:
    """Stream rows through a spilling table into a file aside, then rename it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    types = ", ".join(f"{name_of(name)} {sql_type}" for name, sql_type in columns.items())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; name a folder that can be made") from error
    try:
        with Engine(_MEMORY, threads=1) as engine:
            engine.execute(f"CREATE TEMP TABLE written({types})")
            engine.append("written", rows)
            n_rows = int(engine.rows("SELECT count(*) FROM written")[0][0])
            engine.execute(f"COPY written TO {literal(str(aside))} (FORMAT parquet, COMPRESSION zstd)")
        aside.replace(path)
    except (duckdb.Error, OSError) as error:
        raise InputError(f"{path} cannot be written: {str(error).partition(chr(10))[0]}") from error
    finally:
        aside.unlink(missing_ok=True)
    return n_rows
