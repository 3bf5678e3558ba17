"""What the online side knows as files that the nightly job reads: the only way from state to training."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recommender.config import Settings
from recommender.errors import InputError
from recommender.logs import LoggedRow, write_edges, write_erased_hashes, write_events, write_items
from recommender.service.clock import clock_ms
from recommender.state.live_items import LiveItem
from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite import open_state


def export_state(state: Path, out: Path, since: str | None, settings: Settings) -> dict[str, int]:
    """Write `events/`, `items/`, `edges/` and `erased/` below a folder, one Parquet file each; what stood is replaced.

    Events come in the order of the log, each with the user to whom a tie gave it by now; erased users as the hashes
    that `train --erased` takes; items as they were last sent. The same state gives the same bytes. Edges have their
    columns and no row so far, so that a nightly job can name all four folders today.

    Args:
        state: Folder of an existing state; a server may be running on it.
        out: Made if missing.
        since: Events that arrived before are left out, also those that were tied to a user since; the other files are
            whole all the same. ISO-8601 (naive is UTC) or ms since 1970.
        settings: How the state is kept.

    Returns:
        {folder: rows}.

    Raises:
        InputError: There is no state, the time cannot be understood, or a file cannot be written.
        StateError: The state cannot be opened.
    """
    since_ms = None if since is None else parse_time(since)
    if not state.is_dir() or not any(state.iterdir()):
        raise InputError(f"{state} holds no state; name the folder that was given to: windowshop serve --state")
    opened = open_state(state, settings.state, clock=clock_ms, worker="export")
    try:
        n_events = write_events(out / "events" / "events.parquet", map(_row, opened.events.events(since_ms)))
        live = [change.record for change in opened.live_items.changes()]
        items = [record.item for record in live if isinstance(record, LiveItem)]
        # Asked last: who is erased while events are written is in this list.
        erased = opened.erased()
    finally:
        opened.close()
    return {
        "events": n_events,
        "items": write_items(out / "items" / "items.parquet", items),
        "edges": write_edges(out / "edges" / "edges.parquet", []),
        "erased": write_erased_hashes(out / "erased" / "erased.parquet", erased.hashes, erased.salt),
    }


def parse_time(text: str) -> int:
    """Milliseconds since the epoch from ISO-8601 or from such a number.

    Raises:
        InputError: It is neither.

    Example:
        >>> parse_time("2025-06-01"), parse_time("1748736000000")
        (1748736000000, 1748736000000)
    """
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a time; write 2025-06-01T12:00:00Z or ms since 1970") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


def _row(logged: LoggedEvent) -> LoggedRow:
    event = logged.event
    shown: dict[str, Any] = json.loads(logged.attribution) if logged.attribution else {}
    return LoggedRow(
        user_id=event.user_id,
        item_id=event.item_id,
        event_type=event.event_type,
        time_ms=event.time_ms,
        session_id=event.session_id,
        request_id=shown.get("request_id", ""),
        position=shown.get("position"),
        propensity=shown.get("propensity"),
        value=event.value,
        price=event.price,
        currency=event.currency,
        quantity=event.quantity,
        event_id=event.event_id,
    )
