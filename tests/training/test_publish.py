"""What a bundle carries of each user."""

from __future__ import annotations

from pathlib import Path

from recommender.bundle import Bundle, BundleWriter
from recommender.bundle.manifest import read_manifest
from recommender.types import EVENT_TYPE_CODE
from tests.training.test_dataset import build, table_of
from tests.worlds import write_tiny_bundle
from training.publish import _write_hides, _write_histories


def test_an_item_hidden_before_the_carried_history_is_hidden_still(tmp_path: Path) -> None:
    hides = [("a", "", item, "hide", 10**12 + n) for n, item in enumerate(["j", "i", "j"])]
    views = [("a", "", "k", "view", 10**12 + 100 + n) for n in range(5)]
    others = [("b", "", "k", "view", 10**12), ("c", "", "k", "hide", 10**12), ("", "s", "k", "hide", 10**12)]
    dataset = build(table_of(hides + views + others))
    write_tiny_bundle(tmp_path / "tiny")
    writer = BundleWriter(tmp_path / "tiny")
    _write_histories(writer, dataset, history_events=2)
    _write_hides(writer, dataset)
    bundle = Bundle(tmp_path / "tiny", read_manifest(tmp_path / "tiny"))
    row = {item_id: row for row, item_id in enumerate(dataset.item_ids)}
    assert EVENT_TYPE_CODE["hide"] not in bundle.history("a").event_types
    assert bundle.hidden_rows("a").tolist() == sorted([row["i"], row["j"]])
    assert [bundle.hidden_rows(user).tolist() for user in ("b", "c", "s", "nobody", "")] == [[], [row["k"]], [], [], []]
