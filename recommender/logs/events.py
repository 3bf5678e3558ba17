"""The log of what users did, as columns of integer codes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.errors import InputError
from recommender.logs.coding import (
    Coded,
    code_problem,
    drop_unused,
    first_problem,
    ids_of,
    number_ids,
    place_rows,
    with_codes,
)
from recommender.logs.columns import Field, FieldKind, price_problem, time_problem
from recommender.logs.engine import Engine, Progress, ignore_progress, literal, part_of
from recommender.logs.files import LogFiles, LogFormat
from recommender.logs.reading import open_table
from recommender.logs.rejects import ReadReport, Rejects, reject_rows
from recommender.logs.scan import Scan
from recommender.types import DAY_MS, EVENT_TYPES, NO_TIME, Rows, Times

MAX_EVENT_TYPES: Final = 250
#: Numeric columns that can be asked for.
EXTRAS: Final = ("price", "quantity", "value", "position", "propensity")
_YEAR_1980_MS: Final = 315_532_800_000

_FIELDS: Final = (
    Field("user_id", FieldKind.ID, required=True),
    Field("item_id", FieldKind.ID, required=True),
    Field("event_type", FieldKind.ID, required=True),
    Field("timestamp", FieldKind.TIME, required=True),
    Field("session_id", FieldKind.ID),
    *(Field(name, FieldKind.NUMBER) for name in EXTRAS),
)
_ITEM: Final = Coded("item_id", "items", "missing_item_id")
_USER: Final = Coded("user_id", "users", None)
_TYPE: Final = Coded("event_type", "types", "missing_event_type")
_SESSION: Final = Coded("session_id", "sessions", None)


@dataclass(frozen=True, slots=True)
class EventTable:
    """Accepted events in the order of the files; vocabularies are sorted, so codes do not depend on that order.

    Args:
        user_ids: The index is the code.
        session_ids: The index is the code.
        item_ids: The index is the code.
        event_types: `EVENT_TYPES`, then the log's further types, sorted.
        users: int32 [n], -1 anonymous.
        sessions: int32 [n], -1 none.
        items: int32 [n].
        types: uint8 [n], index into `event_types`.
        times_ms: int64 [n], `NO_TIME` where the log has none.
        extras: {column: float64 [n]} of the columns that were asked for, NaN where missing.
        report: What was read and what was not.
    """

    user_ids: list[str]
    session_ids: list[str]
    item_ids: list[str]
    event_types: tuple[str, ...]
    users: Rows
    sessions: Rows
    items: Rows
    types: npt.NDArray[np.uint8]
    times_ms: Times
    extras: dict[str, npt.NDArray[np.float64]]
    report: ReadReport

    def __len__(self) -> int:
        return len(self.items)


def read_events(
    path: str | os.PathLike[str],
    *,
    rejects_dir: Path | None,
    max_reject_rate: float = 0.05,
    memory: str = "4GB",
    threads: int = 2,
    now_ms: int | None = None,
    extras: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> EventTable:
    """Read an event log: files, folder or glob of Parquet, CSV or JSON Lines.

    Args:
        path: What to read.
        rejects_dir: Folder for `events.rejects.jsonl`; None counts rejected rows and writes none.
        max_reject_rate: Largest share of unusable rows.
        memory: Limit of DuckDB's buffers; the returned columns and ids come on top.
        threads: How many DuckDB uses.
        now_ms: Times more than a day later are in the future; None is the wall clock.
        extras: Which of `EXTRAS` to keep.
        progress: Told the share that is done, ascending to 1.

    Raises:
        InputError: No file can be used as a log; the message names file, column or rows.
        ConfigurationError: The memory does not suffice.

    Cost: 20 million rows of Parquet take 13 CPU seconds and 0.7 GB; see this package's README.
    """
    tell = progress or ignore_progress
    latest_ms = (int(time.time() * 1_000) if now_ms is None else now_ms) + DAY_MS
    with open_table(
        path,
        "events",
        _FIELDS,
        keep_attributes=False,
        memory=memory,
        threads=threads,
        progress=part_of(tell, 0.0, 0.5),
    ) as (engine, scan):
        if scan.n_rows + scan.n_refused == 0:
            raise InputError(f"{scan.log}: holds no row, wanted at least one event")
        coded = [_ITEM, _USER, _TYPE] + [_SESSION] * ("session_id" in scan.present)
        start = 0.0 if scan.log.format is LogFormat.PARQUET else 0.5
        middle = start + 0.4 * (1.0 - start)
        event_types = _number_all(engine, scan, coded, part_of(tell, start, middle))
        reason = _reason(coded, latest_ms)
        columns = _accepted_columns(engine, scan, coded, reason, extras, part_of(tell, middle, 1.0))
        rejects = _reject(engine, scan, coded, reason, len(columns["item_id"]), rejects_dir, max_reject_rate)
        vocabularies = {c.vocabulary: ids_of(engine, c.vocabulary) for c in coded if c is not _TYPE}
    _require_milliseconds(columns["timestamp"], scan.log)
    return _table(scan, vocabularies, event_types, columns, extras, rejects)


def _number_all(engine: Engine, scan: Scan, coded: Sequence[Coded], progress: Progress) -> tuple[str, ...]:
    """Make every vocabulary; the event types', whose codes are fixed, are returned."""
    for step, column in enumerate(coded):
        number_ids(engine, scan, column.vocabulary, [column.column])
        progress((step + 1) / len(coded))
    found = ids_of(engine, _TYPE.vocabulary)
    event_types = EVENT_TYPES + tuple(name for name in found if name not in EVENT_TYPES)
    if len(event_types) > MAX_EVENT_TYPES:
        raise InputError(
            f"{scan.log}: {len(found):,} different event types, such as {found[0][:50]!r} and {found[-1][:50]!r}; "
            f"wanted at most {MAX_EVENT_TYPES} with the contract's: is another column called event_type?"
        )
    codes = ", ".join(f"({literal(name)}, {code})" for code, name in enumerate(event_types))
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE ids_types AS"
        f" SELECT id, code::INTEGER AS code FROM (VALUES {codes}) AS types(id, code)"
    )
    return event_types


def _reason(coded: Sequence[Coded], latest_ms: int) -> str:
    problems = [code_problem(column) for column in coded]
    return first_problem([*problems, time_problem("timestamp", latest_ms), price_problem("price")])


def _accepted_columns(
    engine: Engine, scan: Scan, coded: Sequence[Coded], reason: str, extras: Sequence[str], progress: Progress
) -> dict[str, npt.NDArray[Any]]:
    dtypes: dict[str, type[np.generic]] = {c.column: np.int32 for c in coded}
    dtypes |= {"event_type": np.uint8, "timestamp": np.int64}
    dtypes |= dict.fromkeys(extras, np.float64)
    values = [f"coalesce({c.column}_code, -1)::INTEGER AS {c.column}" for c in coded if c is not _TYPE]
    values += [f"event_type_code::UTINYINT AS event_type, coalesce(timestamp, {NO_TIME}) AS timestamp"]
    values += [f"coalesce({name}, 'NaN'::DOUBLE) AS {name}" for name in extras]
    sql = f"SELECT _file, _row, {', '.join(values)} FROM ({with_codes(scan, coded)}) WHERE {reason} IS NULL"
    return place_rows(scan, engine.stream(sql), dtypes, progress)


def _reject(
    engine: Engine,
    scan: Scan,
    coded: Sequence[Coded],
    reason: str,
    n_accepted: int,
    folder: Path | None,
    max_rate: float,
) -> Rejects:
    reasons = None
    if n_accepted < scan.n_rows:
        rows = f"SELECT {reason} AS reason, _file, _row, _data, _text FROM ({with_codes(scan, coded)})"
        reasons = f"SELECT * FROM ({rows}) WHERE reason IS NOT NULL"
    rejects = reject_rows(engine, scan, reasons, folder, max_rate)
    if n_accepted == 0:
        raise InputError(f"{scan.log}: {rejects.sentence(scan.n_rows + scan.n_refused)}; none is left")
    return rejects


def _require_milliseconds(times_ms: Times, log: LogFiles) -> None:
    n_untimed = int(np.count_nonzero(times_ms == NO_TIME))
    # `NO_TIME` is early too; counting spares a copy of the column.
    n_early = int(np.count_nonzero(times_ms < _YEAR_1980_MS)) - n_untimed
    if 2 * n_early > len(times_ms) - n_untimed:
        median = int(np.median(times_ms[times_ms != NO_TIME]))
        raise InputError(
            f"{log}: timestamps look like seconds: their median is {median}, which as milliseconds lies in "
            f"{np.datetime64(median, 'ms').astype('datetime64[D]')}; multiply them by 1000"
        )


def _table(
    scan: Scan,
    vocabularies: dict[str, list[str]],
    event_types: tuple[str, ...],
    columns: dict[str, npt.NDArray[Any]],
    extras: Sequence[str],
    rejects: Rejects,
) -> EventTable:
    user_ids, users = vocabularies["users"], columns["user_id"]
    item_ids, items = vocabularies["items"], columns["item_id"]
    session_ids = vocabularies.get("sessions", [])
    sessions = columns.get("session_id", np.full(len(items), -1, np.int32))
    if rejects.total:
        user_ids, (users,) = drop_unused(user_ids, [users])
        item_ids, (items,) = drop_unused(item_ids, [items])
        session_ids, (sessions,) = drop_unused(session_ids, [sessions])
    event_types, types, unknown = _used_types(event_types, columns["event_type"])
    return EventTable(
        user_ids=user_ids,
        session_ids=session_ids,
        item_ids=item_ids,
        event_types=event_types,
        users=users,
        sessions=sessions,
        items=items,
        types=types,
        times_ms=columns["timestamp"],
        extras={name: columns[name] for name in extras},
        report=_report(scan, rejects, columns["timestamp"], unknown),
    )


def _used_types(
    event_types: tuple[str, ...], types: npt.NDArray[np.uint8]
) -> tuple[tuple[str, ...], npt.NDArray[np.uint8], dict[str, int]]:
    """Types without the further ones that only rejected rows had, the codes for them, and counts of the further."""
    n_known = len(EVENT_TYPES)
    counts = np.bincount(types[types >= n_known], minlength=len(event_types))
    kept = [code for code in range(len(event_types)) if code < n_known or counts[code] > 0]
    unknown = {event_types[code]: int(counts[code]) for code in kept[n_known:]}
    if len(kept) == len(event_types):
        return event_types, types, unknown
    renumbered = np.zeros(len(event_types), np.uint8)
    renumbered[kept] = np.arange(len(kept), dtype=np.uint8)
    return tuple(event_types[code] for code in kept), renumbered[types], unknown


def _report(scan: Scan, rejects: Rejects, times_ms: Times, unknown: dict[str, int]) -> ReadReport:
    rows = scan.n_rows + scan.n_refused
    notes = [f"{scan.log}: {rejects.sentence(rows)}"] if rejects.total else []
    untimed = int(np.count_nonzero(times_ms == NO_TIME))
    if untimed == len(times_ms):
        notes.append("no row has a time: order and recency are not used")
    elif untimed:
        notes.append(f"{untimed:,} of {len(times_ms):,} rows have no time: order and recency do not use them")
    if unknown:
        listed = ", ".join(f"{name} ({count:,})" for name, count in Counter(unknown).most_common(10))
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        notes.append(f"unknown event types are kept with weight 0: {listed}{more}")
    return ReadReport(
        table="events",
        path=scan.log.path,
        rows=rows,
        accepted=len(times_ms),
        rejected=rejects.counts,
        rejects_file=rejects.file,
        unknown_types=unknown,
        notes=tuple(notes),
    )
