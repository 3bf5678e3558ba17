"""The search on a small log: what it looks at, what it leaves alone, what it can be asked again."""

from __future__ import annotations

import itertools
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recommender.logs import LoggedRow
from recommender.types import DAY_MS
from tests.training.small_log import small_rows, small_settings, write_small_log
from training.build import cut_replays, fit_parts
from training.inputs import read_inputs
from training.progress import SilentProgress
from training.recipe import Recipe
from training.search.run import Search, search, search_sentence
from training.stages import StageStore
from training.tuning import choose_shapes

SILENT = SilentProgress()
PAIRS = {"window": 20, "backward": 0.5, "gap_power": 0.75, "saturation": 1, "norm_from": 0.5, "norm_to": 0.1}
FEW = ("cooccurrence", "own_frequency", "popularity_recent")


def searched(
    folder: Path, seconds: float, rows: list[LoggedRow] | None = None, **train: Any
) -> tuple[Recipe, dict[str, Any], list[dict[str, Any]]]:
    """The recipe found, what is told, and the trials as recorded; every trial takes a second by its clock."""
    settings = small_settings(teaching_windows=1, **train)
    inputs = read_inputs(write_small_log(folder, rows), folder / "rejects", settings)
    keep = np.ones(len(inputs.table), np.bool_)
    recipe = Recipe(inputs.table, keep, inputs.catalogue, settings, "windows", "nothing", None, "key")
    _, (_, *teaches) = cut_replays(recipe, recipe.dataset(keep, None))
    store = StageStore(folder / "stages")
    shaped, _ = choose_shapes(recipe, store, teaches[0], SILENT)
    fit = partial(fit_parts, store=store, name="oldest", dataset=teaches[-1].dataset, progress=SILENT)
    asked = Search(settings.train, shaped, teaches[-1], seconds, folder / "work", fit)
    seconds_of = itertools.count()
    found, told = search(asked, store, SILENT, lambda: float(next(seconds_of)))
    record = next((folder / "stages").glob("search-*.jsonl"))
    trials = [json.loads(line) for line in record.read_text().splitlines()]
    return found, told, trials


def test_shapes_half_lives_and_sources_are_tried_within_the_budget(tmp_path: Path) -> None:
    found, told, trials = searched(tmp_path, 40.0)
    assert told["trials"] == len(trials) == told["spent_seconds"] <= 40
    assert {trial["part"] for trial in trials} >= {"cooccurrence", "als", "gfcf", "ease", "own_frequency", "sources"}
    assert all(trial["choice"]["shape"]["factors"] == 8 for trial in trials if trial["part"] == "als")
    assert set(found.settings.train.sources) == {
        *small_settings().train.sources, *told["added"]
    } - {*told["dropped"]}  # fmt: skip
    assert all(own["with"] >= own["without"] for own in told["ndcg@20"].values())
    assert f"{len(trials)} trials in" in search_sentence(told)


def test_what_is_fixed_is_not_searched(tmp_path: Path) -> None:
    half_life = {"half_life_days": 20.0, "half_life_items": 0.0}
    fixed: dict[str, Any] = {
        "sources": FEW,
        "shapes": {"cooccurrence": PAIRS},
        "recencies": {"cooccurrence": half_life},
    }
    found, told, trials = searched(tmp_path, 40.0, **fixed)
    pairs = [trial["choice"] for trial in trials if trial["part"] == "cooccurrence"]
    assert pairs
    assert all(choice["shape"] == PAIRS for choice in pairs)
    assert all({**choice["recency"], **half_life} == choice["recency"] for choice in pairs)
    assert {trial["part"] for trial in trials} == {"cooccurrence", "own_frequency"}
    assert (told["dropped"], told["added"], found.settings.train.sources) == ([], [], FEW)


def test_a_search_that_was_killed_goes_on_with_its_record(tmp_path: Path) -> None:
    whole = searched(tmp_path, 12.0, sources=FEW)
    record = next((tmp_path / "stages").glob("search-*.jsonl"))
    text = record.read_bytes()
    record.write_bytes(text[: len(text) // 2])
    half_written = record.read_bytes().count(b"\n")
    assert 0 < half_written < len(whole[2])
    again = searched(tmp_path, 12.0, sources=FEW)
    assert record.read_bytes().startswith(text[: text.rindex(b"\n", 0, len(text) // 2)])
    assert again[0].settings == whole[0].settings
    assert again[1] == whole[1]
    # A model that the first run still had was fitted anew.
    assert [{**trial, "fitted": 0} for trial in again[2]] == [{**trial, "fitted": 0} for trial in whole[2]]


def test_nothing_from_the_choosing_window_or_later_changes_a_trial(tmp_path: Path) -> None:
    fixed: dict[str, Any] = {"sources": FEW, "shapes": {"cooccurrence": PAIRS}}
    end = max(row.time_ms for row in small_rows() if row.time_ms is not None)
    rng = np.random.default_rng(7)
    # Windows of ten days: the newest of them chooses, the one before it is the only one that teaches.
    newest = [row for row in small_rows() if row.time_ms is not None and row.time_ms > end - 9 * DAY_MS]
    before = [row for row in small_rows() if row not in newest]
    last = max(newest, key=lambda row: row.time_ms or 0)
    planted = [
        LoggedRow(f"u{rng.integers(400)}", f"i{rng.integers(90)}", "purchase", end - int(rng.integers(9 * DAY_MS)))
        for _ in range(len(newest))
    ]
    ours = searched(tmp_path / "ours", 12.0, **fixed)[2]
    theirs = searched(tmp_path / "theirs", 12.0, [*before, *planted, last], **fixed)[2]
    assert ours == theirs
