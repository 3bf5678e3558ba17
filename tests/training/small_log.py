"""A small shop's log with structure to learn: people have tastes, and certain items follow certain others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recommender.config import Settings, load_settings
from recommender.logs import LoggedRow, write_events, write_items
from recommender.types import DAY_MS, Item
from training.inputs import InputPaths

START_MS = 1_700_000_000_000 // DAY_MS * DAY_MS
N_TASTES, PER_TASTE, N_USERS, DAYS = 6, 15, 420, 60
_NOUNS = ("lamp", "rug", "vase", "chair", "clock", "shelf")


def small_rows(seed: int = 1, *, scrambled_until_day: int = 0) -> list[LoggedRow]:
    """Views and purchases over 60 days: a walk along one's taste's chain of items, now and then elsewhere.

    Args:
        seed: Of all draws.
        scrambled_until_day: Before this day, items are drawn without any taste: nothing can be learned there.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(N_USERS):
        taste, place = int(rng.integers(N_TASTES)), int(rng.integers(PER_TASTE))
        for visit in np.sort(rng.choice(DAYS, size=9, replace=False)).tolist():
            if visit < scrambled_until_day:
                item = int(rng.integers(N_TASTES * PER_TASTE))
            else:
                place = (place + int(rng.integers(1, 3))) % PER_TASTE
                item = taste * PER_TASTE + place
            time_ms = START_MS + visit * DAY_MS + int(rng.integers(DAY_MS // 2))
            rows.append(_row(user, item, "view", time_ms))
            if rng.random() < 0.7:
                rows.append(_row(user, item, "purchase", time_ms + 60_000))
    return rows


def _row(user: int, item: int, event_type: str, time_ms: int) -> LoggedRow:
    return LoggedRow(f"u{user}", f"i{item}", event_type, time_ms, session_id=f"s{user}")


def small_items() -> list[Item]:
    """The shop's catalogue, with one item that nobody has touched."""
    items = [
        Item(
            f"i{taste * PER_TASTE + place}",
            title=f"{_NOUNS[taste]} no {place}",
            category=f"Home > {_NOUNS[taste].title()}s",
            brand=f"maker {place % 3}",
            price=5.0 + place,
            currency="EUR",
        )
        for taste in range(N_TASTES)
        for place in range(PER_TASTE)
    ]
    return [*items, Item("fresh", title="lamp no 99", category="Home > Lamps", brand="maker 0")]


def write_small_log(folder: Path, rows: list[LoggedRow] | None = None) -> InputPaths:
    """Events and items as contract files."""
    folder.mkdir(parents=True, exist_ok=True)
    write_events(folder / "events.parquet", small_rows() if rows is None else rows)
    write_items(folder / "items.parquet", small_items())
    return InputPaths(folder / "events.parquet", folder / "items.parquet")


def small_settings(**train: object) -> Settings:
    """Settings that make fits small."""
    small: dict[str, object] = {"als_iterations": 3, "content_dim": 8, "window": "10d", "threads": 1, "most_trees": 40}
    small["shapes"] = {"als": {"factors": 8}}
    return load_settings(None, {"train": {**small, **train}, "evaluate": {"resamples": 200}})
