"""The sample logs, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recommender.logs import read_edges, read_events, read_items
from recommender.types import NO_TIME

DATA = os.environ.get("WINDOWSHOP_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="WINDOWSHOP_DATA names no folder with sample logs")


def place(name: str) -> Path:
    return Path(DATA or "") / name


@pytest.mark.parametrize(
    ("name", "users", "items", "events"),
    [
        ("gowalla_lightgcn", 29_858, 40_981, 810_128),
        ("retailrocket_mb", 2_174, 29_905, 97_381),
        ("hm_fashion", 1_070, 14_230, 24_846),
        ("lastfm_social", 1_878, 4_476, 42_135),
    ],
)
def test_a_published_log_is_read_without_rejects(name: str, users: int, items: int, events: int) -> None:
    table = read_events(place(name) / "events.parquet", rejects_dir=None)
    assert (len(table.user_ids), len(table.item_ids), len(table)) == (users, items, events)
    assert (table.report.rejected, table.report.unknown_types) == ({}, {})


def test_the_split_without_times_says_so() -> None:
    table = read_events(place("gowalla_lightgcn") / "*.parquet", rejects_dir=None)
    assert set(table.times_ms.tolist()) == {NO_TIME}
    assert table.report.notes == ("no row has a time: order and recency are not used",)


def test_the_fashion_catalogue_comes_with_its_photos() -> None:
    table = read_items(place("hm_fashion") / "items.parquet", rejects_dir=None)
    assert len(table) == 17_033
    assert set(table.attributes) == {"colour", "pattern"}
    assert all(
        Path(table.image_location(index)).exists() for index in range(0, len(table), 1_000) if table.images[index]
    )


def test_photos_with_labels_are_items() -> None:
    table = read_items(place("clothing_photos") / "labels.csv", rejects_dir=None)
    assert len(table) == 3_781
    assert Path(table.image_location(0)).exists()


def test_friendships_are_edges() -> None:
    table = read_edges(place("lastfm_social") / "edges.parquet", rejects_dir=None)
    assert (len(table), table.edge_types) == (25_434, ("friend",))
