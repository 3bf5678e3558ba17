"""The nightly job's input files, read once, without the users who asked to be erased."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.config import Settings
from recommender.errors import InputError
from recommender.logs import (
    EdgeTable,
    ErasedUsers,
    EventTable,
    ItemTable,
    ReadReport,
    UserTable,
    read_edges,
    read_erased,
    read_events,
    read_items,
    read_users,
)
from training.catalogue import Catalogue, objects
from training.circles import telling_edges
from training.stages import content_key


@dataclass(frozen=True)
class InputPaths:
    """Where the files are; all but the events are optional."""

    events: Path
    items: Path | None = None
    users: Path | None = None
    edges: Path | None = None
    erased: Path | None = None


@dataclass(frozen=True)
class Inputs:
    """What was read.

    Args:
        table: The log without erased users.
        catalogue: The items file; empty where there is none.
        erased: Who is left out; None where nobody asked.
        reports: One per file that was read.
        users: The users file; None where there is none.
        edges: Those that say who is near whom, without erased users; None where there are none.
        counts: Rows of users and edges, erased users, for the manifest.
        key: Content key of log, catalogue and edges: equal content gives an equal key, whatever the files' format.
    """

    table: EventTable
    catalogue: Catalogue
    erased: ErasedUsers | None
    reports: tuple[ReadReport, ...]
    users: UserTable | None
    edges: EdgeTable | None
    counts: dict[str, int]
    key: str


def read_inputs(
    paths: InputPaths,
    rejects_dir: Path,
    settings: Settings,
    advance: Callable[[float], None] = lambda _: None,
) -> Inputs:
    """Read every file that is named.

    Args:
        paths: The files.
        rejects_dir: Where rows that cannot be used are written.
        settings: `train` holds limits.
        advance: Told shares of the log as they are read.

    Raises:
        InputError: A file cannot be read, lacks a column, or holds too many unusable rows.
    """
    train = settings.train
    told = 0.0

    def progress(share: float) -> None:
        nonlocal told
        advance(share - told)
        told = share

    limits: dict[str, Any] = {
        "rejects_dir": rejects_dir,
        "max_reject_rate": train.max_reject_rate,
        "memory": train.memory,
        "threads": train.threads,
    }
    table = read_events(paths.events, **limits, progress=progress)
    items = read_items(paths.items, **limits) if paths.items else None
    users = read_users(paths.users, **limits) if paths.users else None
    edges = read_edges(paths.edges, **limits) if paths.edges else None
    erased = read_erased(paths.erased) if paths.erased else None
    edges = telling_edges(edges, erased) if edges is not None else None
    counts = {"user_rows": len(users) if users else 0, "edge_rows": len(edges) if edges else 0}
    if erased is not None:
        gone = erased.mask(table.user_ids)
        counts["erased_users"] = int(gone.sum())
        table = without_users(table, gone)
    catalogue = catalogue_of(items) if items is not None else Catalogue.empty()
    reports = tuple(part.report for part in (table, items, users, edges) if part is not None)
    edges = edges if counts["edge_rows"] else None
    return Inputs(table, catalogue, erased, reports, users, edges, counts, _key(table, catalogue, edges))


def without_users(table: EventTable, gone: npt.NDArray[np.bool_]) -> EventTable:
    """The table without the users at a mask [n_users]: their events, and their sessions' anonymous ones.

    Raises:
        InputError: Nothing is left.
    """
    theirs = np.append(gone, False)[table.users]
    sessions = np.zeros(len(table.session_ids) + 1, np.bool_)
    sessions[table.sessions[theirs]] = True
    sessions[-1] = False
    keep = ~(theirs | ((table.users < 0) & sessions[table.sessions]))
    if not keep.any():
        raise InputError("no event is left once the erased users are taken out; check --erased")
    columns = {name: getattr(table, name)[keep] for name in ("users", "sessions", "items", "types", "times_ms")}
    extras = {name: values[keep] for name, values in table.extras.items()}
    return _compact(replace(table, **columns, extras=extras))


def _compact(table: EventTable) -> EventTable:
    """The table without ids that no row has: an erased user's id must not even be in a vocabulary."""
    columns: dict[str, Any] = {}
    for ids, codes in (("user_ids", "users"), ("session_ids", "sessions"), ("item_ids", "items")):
        values = getattr(table, codes)
        used = np.unique(values[values >= 0])
        new = np.full(len(getattr(table, ids)) + 1, -1, np.int32)
        new[used] = np.arange(len(used), dtype=np.int32)
        columns[codes] = new[values]
        columns[ids] = [getattr(table, ids)[code] for code in used.tolist()]
    return replace(table, **columns)


def catalogue_of(items: ItemTable) -> Catalogue:
    """The items file as the columns that training takes rows of."""
    names = sorted(items.attributes)
    attributes = [
        tuple((name, value) for name, value in zip(names, row, strict=True) if value is not None)
        for row in zip(*(items.attributes[name] for name in names), strict=True)
    ] or [()] * len(items)
    return Catalogue(
        item_ids=objects(items.item_ids),
        kinds=items.kinds,
        titles=objects(items.titles),
        descriptions=objects(items.descriptions),
        categories=objects(items.categories),
        brands=objects(items.brands),
        seller_ids=objects(items.seller_ids),
        prices=items.prices,
        currencies=objects(items.currencies),
        image_urls=objects(items.images),
        created_ms=items.created_ms,
        expires_ms=items.expires_ms,
        available=items.available,
        attributes=objects(attributes),
    )


def _key(table: EventTable, catalogue: Catalogue, edges: EdgeTable | None) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for values in (table.users, table.sessions, table.items, table.types, table.times_ms, catalogue.keys()):
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    for ids in (table.user_ids, table.session_ids, table.item_ids, table.event_types, catalogue.item_ids.tolist()):
        digest.update("\x00".join(ids).encode())
        digest.update(b"\x01")
    if edges is not None:
        for column in (edges.sources, edges.targets, edges.types, edges.weights, edges.times_ms):
            digest.update(np.ascontiguousarray(column).view(np.uint8).data)
        digest.update("\x00".join([*edges.ids, *edges.edge_types]).encode())
    return content_key(digest.hexdigest())
