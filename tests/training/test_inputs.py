"""Input files, and the users who are not to be in them any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.errors import InputError
from recommender.logs import EdgeRow, LoggedRow, write_edges, write_events
from tests.training.small_log import START_MS, small_settings, write_small_log
from tests.training.test_dataset import table_of
from training.inputs import InputPaths, read_inputs, without_users


def test_equal_content_has_an_equal_key_whatever_the_format(tmp_path: Path) -> None:
    import duckdb

    paths = write_small_log(tmp_path)
    csv = tmp_path / "events.csv"
    duckdb.sql(f"COPY (FROM '{paths.events}') TO '{csv}' (HEADER)")
    first = read_inputs(InputPaths(paths.events), tmp_path, small_settings())
    second = read_inputs(InputPaths(csv), tmp_path, small_settings())
    assert first.key == second.key
    assert first.key != read_inputs(paths, tmp_path, small_settings()).key


def test_edges_are_part_of_the_key_and_a_file_that_says_nothing_is_no_file(tmp_path: Path) -> None:
    paths = write_small_log(tmp_path)
    alone = read_inputs(paths, tmp_path, small_settings())
    seen = {alone.key}
    for place, rows in enumerate(([], [EdgeRow("u1", "u2", "block")], [EdgeRow("u1", "u2", "friend")])):
        write_edges(tmp_path / f"{place}.parquet", rows)
        inputs = read_inputs(replace(paths, edges=tmp_path / f"{place}.parquet"), tmp_path, small_settings())
        assert (inputs.key in seen, inputs.edges is None) == (place < 2, place < 2)
        assert inputs.counts["edge_rows"] == (place == 2)


def test_an_erased_user_takes_their_anonymous_sessions_along() -> None:
    table = table_of(
        [("a", "s", "i", "view", 1), ("", "s", "j", "view", 2), ("b", "", "k", "view", 3), ("", "t", "k", "view", 4)]
    )
    left = without_users(table, np.array([True, False]))
    assert left.user_ids == ["b"]
    assert left.session_ids == ["t"]
    assert left.item_ids == ["k"]
    assert left.users.tolist() == [0, -1]


def test_erasing_everybody_is_refused() -> None:
    with pytest.raises(InputError, match="--erased"):
        without_users(table_of([("a", "", "i", "view", 1)]), np.array([True]))


def test_progress_adds_up_to_the_whole(tmp_path: Path) -> None:
    write_events(tmp_path / "e.parquet", [LoggedRow("u", "i", "view", START_MS)])
    shares: list[float] = []
    read_inputs(InputPaths(tmp_path / "e.parquet"), tmp_path, small_settings(), shares.append)
    assert sum(shares) == pytest.approx(1.0)
