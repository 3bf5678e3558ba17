"""One cut evaluated with one seed: build as the nightly job does, rank everything, measure."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from recommender.config import Settings
from recommender.types import NO_TIME, Times
from training.ablation import Study, ablation
from training.build import Built, build_bundle
from training.chances import measured_chances
from training.dataset import Dataset
from training.evaluation.figures import PIPELINE
from training.evaluation.grouping import (
    Grouping,
    by_attributes,
    by_category,
    by_history_length,
    by_item_age,
    by_popularity,
)
from training.evaluation.metrics import (
    ItemFacts,
    category_levels,
    item_holders,
    list_depth,
    main_cut_off,
    measure,
    target_hits,
)
from training.evaluation.pool import Outcome
from training.evaluation.protocol import Cases, TrainingPart
from training.evaluation.sanity import item_popularity
from training.inputs import Inputs
from training.lists import other_lists, pipeline_lists
from training.parts import Parts, cases_of
from training.progress import Progress
from training.recipe import Recipe, resolved_toml, target_code
from training.request import TrialRequest
from training.slates import slate_curve
from training.split import choose_scheme
from training.stages import StageStore


@dataclass(frozen=True)
class Round:
    """What a round gave, what it found out about the files and the models, and what else it measured.

    `resolved` is a configuration file of all that was chosen.
    """

    outcome: Outcome
    found: dict[str, Any]
    further: dict[str, Any]
    resolved: str


def play(
    request: TrialRequest,
    settings: Settings,
    inputs: Inputs,
    parts: Parts,
    place: tuple[int, int],
    progress: Progress,
) -> Round:
    """Build on the training part alone, then rank and measure every row of the report.

    Args:
        request: What is asked.
        settings: Its effective ones, with this round's seed.
        inputs: The files.
        parts: The cut.
        place: Number of the cut, 0 for the newest, and the seed.
        progress: Told of every stage.
    """
    recipe = _recipe(request, inputs, parts, settings)
    with tempfile.TemporaryDirectory(prefix="windowshop-trial-") as folder, threadpool_limits(1, "blas"):
        started = time.perf_counter()
        store, budget = StageStore(Path(folder) / "stages"), request.budget_seconds
        share = None if budget is None else budget / (request.cuts * request.seeds)
        built = build_bundle(recipe, store, Path(folder) / "bundle", progress, share)
        seconds = {PIPELINE: time.perf_counter() - started}
        train, cases = cases_of(request, built.dataset, parts)
        depth = list_depth(request.ks)
        lists = {PIPELINE: pipeline_lists(built, cases, settings, depth, progress)}
        for name, rows, fit_seconds in other_lists(built, settings, train, cases, depth, progress, request.baselines):
            lists[name], seconds[name] = rows, fit_seconds
        further = {"chances": _chances(request, recipe, built, parts, progress)}
        dataset = built.dataset
        levels = category_levels(dataset.catalogue.categories.tolist())
        facts = ItemFacts(*item_holders(train, dataset.n_items), levels)
        if request.slate_curve:
            further["slates"] = slate_curve(built, cases, facts, settings, progress)
        if request.ablate:
            study = Study(built, cases, depth, Path(folder) / "ablation", progress)
            further["ablation"] = ablation(request, study, cases, facts, lists[PIPELINE])
    k = main_cut_off(request.ks)
    window = parts.window
    outcome = Outcome(
        cut=place[0],
        seed=place[1],
        window_ms=None if window is None else (window.start_ms, window.end_ms),
        user_ids=[dataset.user_ids[user] for user in cases.users.tolist()],
        item_ids=dataset.item_ids,
        cases=cases,
        measured={name: measure(rows, cases, request.ks, facts) for name, rows in lists.items()},
        target_hits={name: target_hits(rows, cases, k) for name, rows in lists.items()},
        groupings=_groupings(inputs, dataset, train, cases),
        fit_seconds=seconds,
    )
    return Round(outcome, _found(built, outcome), further, resolved_toml(built.recipe.settings))


def _chances(request: TrialRequest, recipe: Recipe, built: Built, parts: Parts, progress: Progress) -> dict[str, Any]:
    if parts.window is None or request.cold:
        return {"none": "only a holdout in time of all items says when a target came"}
    within = parts.keep | parts.test_rows
    target = target_code(parts.test, request.target)
    return measured_chances(built, parts.test, within, target, recipe.hide, recipe.settings, progress)


def _groupings(inputs: Inputs, dataset: Dataset, train: TrainingPart, cases: Cases) -> list[Grouping]:
    groupings = [by_history_length(train, cases)]
    if inputs.users is not None:
        row = {user_id: place for place, user_id in enumerate(inputs.users.user_ids)}
        rows = np.array([row.get(dataset.user_ids[user], -1) for user in cases.users.tolist()], np.int32)
        groupings += by_attributes(inputs.users.attributes, rows)
    if dataset.timed:
        groupings.append(by_item_age(_first_seen(dataset), dataset.now_ms, cases))
    groupings.append(by_popularity(item_popularity(train, dataset.n_items), cases))
    groupings.append(by_category(dataset.catalogue.categories.tolist(), cases))
    return groupings


def _first_seen(dataset: Dataset) -> Times:
    """int64 [n_items]: the first event of each item, `NO_TIME` where there is none."""
    never = np.iinfo(np.int64).max
    first = np.full(dataset.n_items, never, np.int64)
    np.minimum.at(first, dataset.items, dataset.times_ms)
    np.minimum.at(first, dataset.loose_items, dataset.loose_times_ms)
    return np.where(first == never, NO_TIME, first)


def _found(built: Built, outcome: Outcome) -> dict[str, Any]:
    """What the files turned out to hold, and what the pipeline was made of."""
    manifest = built.manifest
    return {
        "window_ms": None if outcome.window_ms is None else list(outcome.window_ms),
        "data_start": manifest.data_start,
        "data_end": manifest.data_end,
        "scheme": built.scheme,
        "counts": {**manifest.counts, **outcome.cases.counts},
        "removed_targets": outcome.cases.removed_targets,
        "sources": manifest.sources,
        "ranker": manifest.ranker,
        "folds": manifest.metrics,
        "libraries": manifest.libraries,
        "search": dict(built.search),
    }


def _recipe(request: TrialRequest, inputs: Inputs, parts: Parts, settings: Settings) -> Recipe:
    timed = bool((inputs.table.times_ms[parts.keep] != NO_TIME).all())
    return Recipe(
        table=inputs.table,
        keep=parts.keep,
        catalogue=inputs.catalogue,
        settings=settings,
        scheme=choose_scheme(timed, published_test=request.test is not None),
        hide="touched" if request.novel_only else "nothing",
        now_ms=parts.window.start_ms if parts.window is not None else None,
        key=inputs.key,
        counts=inputs.counts,
        edges=inputs.edges,
    )
