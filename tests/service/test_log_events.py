from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.logs import LoggedRow, write_events
from recommender.service.log_events import occurrences, read_log_events
from recommender.types import Event

ROWS = [
    LoggedRow("ada", "spade", "view", 1_700_000_000_000),
    LoggedRow("ada", "spade", "view", 1_700_000_000_000),
    LoggedRow("ada", "spade", "view", 1_700_000_000_001),
    LoggedRow("", "rake", "purchase", None, session_id="s", price=2.5, quantity=1.0, value=0.0),
    LoggedRow("bob", "rake", "dance", 1_700_000_000_000),
]


def ids(folder: Path, rows: list[LoggedRow]) -> dict[str, Event]:
    write_events(folder / "log.parquet", rows)
    return {event.event_id: event for event in read_log_events(str(folder / "log.parquet"))}


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([0.0, 1.5, float("nan")])), min_size=1, max_size=40))
def test_occurrences_count_equal_rows_above(rows: list[tuple[int, float]]) -> None:
    columns = [np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64)]
    seen: Counter[str] = Counter()
    expected = []
    for row in rows:
        expected.append(seen[repr(row)])
        seen[repr(row)] += 1
    assert occurrences(columns).tolist() == expected


def test_every_row_becomes_an_event_with_what_the_row_says(tmp_path: Path) -> None:
    events = list(ids(tmp_path, ROWS).values())
    assert len(events) == len(ROWS)
    anonymous = next(event for event in events if not event.user_id)
    assert (anonymous.session_id, anonymous.item_id, anonymous.event_type) == ("s", "rake", "purchase")
    assert (anonymous.time_ms, anonymous.price, anonymous.quantity, anonymous.value) == (None, 2.5, 1.0, 0.0)
    odd = next(event for event in events if event.user_id == "bob")
    assert (odd.event_type, odd.price) == ("dance", None)


def test_ids_hang_on_content_alone(tmp_path: Path) -> None:
    first = ids(tmp_path, ROWS)
    shuffled = ROWS.copy()
    random.Random(1).shuffle(shuffled)
    assert ids(tmp_path, shuffled) == first
    longer = ids(tmp_path, [*ROWS, LoggedRow("zoe", "aaa", "click", 1_700_000_000_002), ROWS[0]])
    assert first.keys() < longer.keys()
    assert len(longer) == len(ROWS) + 2
