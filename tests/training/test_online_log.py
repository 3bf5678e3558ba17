"""From the online log through its export to the next bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from recommender.config import Settings, StateSettings
from recommender.service.export import export_state
from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite import open_state
from recommender.types import DAY_MS, EVENT_TYPES, Event
from tests.training.small_log import DAYS, START_MS, small_rows, small_settings, write_small_log
from training.dataset import build_dataset
from training.inputs import InputPaths, read_inputs

NOW_MS = START_MS + DAYS * DAY_MS


def test_the_nightly_job_reads_what_the_online_side_knew_but_not_who_was_erased(tmp_path: Path) -> None:
    settings = Settings(state=StateSettings(durability="process"))
    state = open_state(tmp_path / "state", settings.state, clock=lambda: NOW_MS)
    rows = [
        Event(f"e{n}", row.item_id, row.event_type, row.user_id, row.session_id, row.time_ms)
        for n, row in enumerate(small_rows())
    ]
    # u1 began every visit without signing in.
    rows = [replace(row, user_id="") if row.user_id == "u1" and row.event_type == "view" else row for row in rows]
    rows.append(Event("hide", "i3", "hide", "u1", "s1", NOW_MS))
    state.events.append([LoggedEvent(row, NOW_MS) for row in rows])
    export_state(tmp_path / "state", tmp_path / "before", None, settings)
    state.remove_user("u7")
    state.close()
    assert export_state(tmp_path / "state", tmp_path / "after", None, settings)["erased"] == 1
    items = write_small_log(tmp_path / "items").items
    paths = InputPaths(tmp_path / "before" / "events", items, erased=tmp_path / "after" / "erased")
    inputs = read_inputs(paths, tmp_path, small_settings())
    assert inputs.counts["erased_users"] == 1
    everyone = np.ones(len(inputs.table), np.bool_)
    dataset = build_dataset(inputs.table, everyone, inputs.catalogue, dict.fromkeys(EVENT_TYPES, 1.0))
    assert (dataset.n_users, dataset.n_actors) == (419, 419)
    assert "u7" not in dataset.user_ids
    history = dataset.history(dataset.user_ids.index("u1"))
    assert len(history) == sum(row.session_id == "s1" for row in rows)
    assert dataset.event_types[history.event_types[-1]] == "hide"
    assert dataset.item_ids[history.item_rows[-1]] == "i3"
