"""An offline evaluation: read, cut, build as the nightly job does, rank everything, compare."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from recommender.bundle import open_bundle
from recommender.config import Settings
from recommender.errors import ConfigurationError
from recommender.features.recency import Recency
from recommender.logs import EventTable, read_events
from recommender.types import NO_TIME, FeedQuery, Mask, Mode, Rows, Scores
from recommender.wiring import build_pipeline
from training.build import Built, build_bundle
from training.dataset import Dataset
from training.evaluation.metrics import ItemFacts, Measured, category_levels, item_holders, list_depth, measure
from training.evaluation.protocol import Cases, HeldOutPart, TrainingPart, Window, build_cases, holdout_cut
from training.evaluation.sanity import item_popularity, popularity_in_category_top, popularity_top, random_top
from training.evaluation.top_k import top_k_of_scores
from training.inputs import InputPaths, Inputs, read_inputs
from training.models.lineup import make_models
from training.models.parameters import default_recencies
from training.models.protocol import RetrievalModel
from training.progress import Progress
from training.recipe import DECIDING, Recipe, target_code
from training.split import choose_scheme
from training.stages import StageStore, content_key

_BATCH = 64
_DENSE_NEIGHBOURS = 500
PIPELINE = "windowshop"


@dataclass(frozen=True)
class TrialRequest:
    """What to evaluate, and how.

    Args:
        paths: Input files; the events are the training part, or the whole log where newest days are held out.
        out: The report's file; rejects and the plot go beside it.
        settings: All sections.
        test: File of the test part, or None.
        holdout_seconds: Length of the newest part to hold out, or None.
        target: Event type of the targets.
        ks: Cut-offs.
        novel_only: Hide what a user touched, and take it out of the targets.
        cold: Candidates and targets are only items first seen in the test part.
        baselines: Names of single models and sanity rows to report; None for all.
    """

    paths: InputPaths
    out: Path
    settings: Settings
    test: Path | None = None
    holdout_seconds: float | None = None
    target: str = "purchase"
    ks: tuple[int, ...] = (10, 20, 50)
    novel_only: bool = False
    cold: bool = False
    baselines: frozenset[str] | None = None


@dataclass(frozen=True)
class Trial:
    """What was found, for the report.

    Args:
        measured: Metrics by model, the pipeline first.
        fit_seconds: Seconds that each model's fit took; 0 where nothing is fitted.
        protocol: What the report says of the protocol.
        leaks: Names of known leaks.
        n_users: Scored users.
    """

    measured: dict[str, Measured]
    fit_seconds: dict[str, float]
    protocol: dict[str, Any]
    leaks: list[str]
    n_users: int


@dataclass(frozen=True)
class _Parts:
    """The cut log: rows that may be known, and the held-out columns by id."""

    keep: Mask
    now_ms: int | None
    window: Window | None
    test: EventTable
    test_rows: Mask


def run_trial(request: TrialRequest, progress: Progress) -> Trial:
    """Evaluate the pipeline, as it is served, beside every single model and sanity row.

    Raises:
        InputError: The files cannot be used, or nobody can be scored.
        ConfigurationError: Neither or both of test and holdout are given.
    """
    if (request.test is None) == (request.holdout_seconds is None):
        raise ConfigurationError("give either --test FILE or --holdout DURATION, such as --holdout 14d")
    settings = _settings_of(request)
    with progress.stage("read", 1.0) as stage:
        inputs = read_inputs(request.paths, request.out.parent, settings, stage.advance)
    # The hash is taken before the test part is opened: nothing in it can have been chosen by looking there.
    config_hash = settings.hash_of(*DECIDING)
    parts = _cut(request, inputs, settings)
    timed = bool((inputs.table.times_ms[parts.keep] != NO_TIME).all())
    recipe = Recipe(
        table=inputs.table,
        keep=parts.keep,
        catalogue=inputs.catalogue,
        settings=settings,
        scheme=choose_scheme(timed, published_test=request.test is not None),
        hide="touched" if request.novel_only else "nothing",
        now_ms=parts.now_ms,
        key=content_key(inputs.key, parts.now_ms),
        counts=inputs.counts,
    )
    with tempfile.TemporaryDirectory(prefix="windowshop-trial-") as folder, threadpool_limits(1, "blas"):
        started = time.perf_counter()
        built = build_bundle(recipe, StageStore(Path(folder) / "stages"), Path(folder) / "bundle", progress)
        seconds = {PIPELINE: time.perf_counter() - started}
        train, cases = _cases(request, built.dataset, parts, request.target)
        lists = {PIPELINE: _pipeline_lists(built, cases, settings, list_depth(request.ks), progress)}
        for name, rows, fit_seconds in _other_lists(request, recipe, built, train, cases, progress):
            lists[name], seconds[name] = rows, fit_seconds
    facts = ItemFacts(
        *item_holders(train, built.dataset.n_items), category_levels(built.dataset.catalogue.categories.tolist())
    )
    measured = {name: measure(rows, cases, request.ks, facts) for name, rows in lists.items()}
    protocol = _protocol(request, recipe, built, parts, cases, config_hash)
    return Trial(measured, seconds, protocol, _leaks(inputs.table, parts, timed), len(cases))


def _settings_of(request: TrialRequest) -> Settings:
    """The settings with the mode that the protocol implies: novel items only is a feed of discovery."""
    mode = Mode.DISCOVER if request.novel_only else Mode.ANY
    feed = request.settings.feed.model_copy(update={"mode": mode})
    train = request.settings.train.model_copy(update={"target": request.target})
    return request.settings.model_copy(update={"feed": feed, "train": train})


def _cut(request: TrialRequest, inputs: Inputs, settings: Settings) -> _Parts:
    table = inputs.table
    if request.holdout_seconds is not None:
        is_target = table.types == target_code(table, request.target)
        window = holdout_cut(table.times_ms, is_target, request.holdout_seconds)
        return _Parts(window.before(table.times_ms), window.start_ms, window, table, window.holds(table.times_ms))
    assert request.test is not None  # noqa: S101  # run_trial refuses anything else
    test = read_events(
        request.test,
        rejects_dir=request.out.parent,
        max_reject_rate=settings.train.max_reject_rate,
        memory=settings.train.memory,
        threads=settings.train.threads,
    )
    return _Parts(np.ones(len(table), np.bool_), None, None, test, np.ones(len(test), np.bool_))


def _cases(request: TrialRequest, dataset: Dataset, parts: _Parts, target: str) -> tuple[TrainingPart, Cases]:
    actors = dataset.actors()
    users = np.where(actors < dataset.n_users, actors, -1)
    loose = np.full(len(dataset.loose_items), -1, np.int32)
    train = TrainingPart(
        np.concatenate([users, loose]),
        np.concatenate([dataset.items, dataset.loose_items]),
        dataset.event_weights[np.concatenate([dataset.types, dataset.loose_types])],
    )
    test, rows = parts.test, parts.test_rows
    user_rows = _rows_by_id(dataset.user_ids, test.user_ids)
    item_rows = _rows_by_id(dataset.item_ids, test.item_ids)
    held_out = HeldOutPart(
        np.where(test.users[rows] >= 0, user_rows[test.users[rows]], -1),
        item_rows[test.items[rows]],
        test.types[rows] == target_code(test, target),
    )
    return train, build_cases(train, held_out, dataset.n_items, novel_only=request.novel_only, cold=request.cold)


def _rows_by_id(known: list[str], wanted: list[str]) -> npt.NDArray[np.int64]:
    """int64 [len(wanted)]: the row of each id; ids beyond the known ones get codes of their own behind them."""
    row = {name: place for place, name in enumerate(known)}
    return np.array([row.setdefault(name, len(row)) for name in wanted], np.int64)


def _pipeline_lists(built: Built, cases: Cases, settings: Settings, depth: int, progress: Progress) -> Rows:
    """The pipeline as it is served, over the bundle as it is published."""
    bundle = open_bundle(built.folder)
    pipeline = build_pipeline(bundle, settings)
    lists = np.full((len(cases), depth), -1, np.int32)
    with progress.stage(f"run {PIPELINE}", len(cases)) as stage:
        for place, user in enumerate(cases.users.tolist()):
            user_id = built.dataset.user_ids[user]
            query = FeedQuery(
                now_ms=bundle.manifest.now_ms,
                user_id=user_id,
                history=bundle.history(user_id),
                hidden_rows=cases.hidden(place, place + 1)[1],
                allowed=cases.candidates,
            )
            rows = pipeline.run(query, depth)[0].rows
            lists[place, : len(rows)] = rows
            stage.advance(1)
    return lists


def _other_lists(
    request: TrialRequest, recipe: Recipe, built: Built, train: TrainingPart, cases: Cases, progress: Progress
) -> Iterator[tuple[str, Rows, float]]:
    """Every other row of the report: name, lists, and how long its fit took."""
    depth, seed, dataset = list_depth(request.ks), recipe.settings.evaluate.seed, built.dataset
    popularity = item_popularity(train, dataset.n_items)
    sanity: dict[str, Callable[[], Rows]] = {
        "random": lambda: random_top(cases, depth, seed),
        "popularity": lambda: popularity_top(cases, popularity, depth, seed),
    }
    if request.cold:
        levels = category_levels(dataset.catalogue.categories.tolist())
        sanity["popularity_in_category"] = lambda: popularity_in_category_top(
            cases, train, popularity, levels, depth, seed
        )
    always = {"random", "popularity_in_category"} if request.cold else set()
    for name, rows in sanity.items():
        if request.baselines is None or name in request.baselines or name in always:
            yield name, rows(), 0.0
    # Alone, a model is not held to the lengths that serving can afford.
    long_lists = recipe.settings.bundle.model_copy(update={"neighbours": _DENSE_NEIGHBOURS})
    models = make_models(dataset, recipe.settings.model_copy(update={"bundle": long_lists}), _recencies(built))
    recent = np.zeros(0, np.float32)
    for model in models:
        started = time.perf_counter()
        with progress.stage(f"fit alone {model.name}", None):
            model.fit(dataset)
        seconds = time.perf_counter() - started
        if model.name == "popularity_recent":
            recent = model.score_all(dataset.history(0), dataset.now_ms)
        if request.baselines is None or model.name in request.baselines:
            yield model.name, _dense_lists(model, recent, dataset, cases, depth, seed, progress), seconds


def _recencies(built: Built) -> dict[str, Recency]:
    """The recencies that the bundle's sources were tuned to: single models are compared at their best."""
    defaults = default_recencies(built.manifest.timed)
    return {
        name: Recency.of(built.manifest.sources[name]) if name in built.manifest.sources else recency
        for name, recency in defaults.items()
    }


def _dense_lists(
    model: RetrievalModel, recent: Scores, dataset: Dataset, cases: Cases, depth: int, seed: int, progress: Progress
) -> Rows:
    """A single model over all items, untruncated; where it has no evidence, popularity follows below."""
    lists, candidates = [], cases.candidate_items
    with progress.stage(f"run {model.name}", len(cases)) as stage:
        for start in range(0, len(cases), _BATCH):
            users = cases.users[start : start + _BATCH]
            scores = np.stack([model.score_all(dataset.history(user), dataset.now_ms) for user in users.tolist()])
            scores = np.where(scores > 0, scores, recent[None, :] - 1.0)
            hidden = cases.hidden(start, start + len(users))
            lists.append(top_k_of_scores(scores, users, hidden, candidates, depth, seed))
            stage.advance(len(users))
    return np.concatenate(lists)


def _protocol(
    request: TrialRequest, recipe: Recipe, built: Built, parts: _Parts, cases: Cases, config_hash: str
) -> dict[str, Any]:
    manifest = built.manifest
    return {
        "split": "test file" if request.test is not None else "holdout",
        "window_ms": [parts.window.start_ms, parts.window.end_ms] if parts.window is not None else None,
        "target": request.target,
        "novel_only": request.novel_only,
        "cold": request.cold,
        "k": list(request.ks),
        "config_hash": config_hash,
        "seed": recipe.settings.evaluate.seed,
        "resamples": recipe.settings.evaluate.resamples,
        "scheme": built.scheme,
        "mode": manifest.mode.value,
        "data_start": manifest.data_start,
        "data_end": manifest.data_end,
        "counts": {**manifest.counts, **cases.counts},
        "removed_targets": cases.removed_targets,
        "sources": manifest.sources,
        "ranker": manifest.ranker,
        "folds": manifest.metrics,
    }


def _leaks(table: EventTable, parts: _Parts, timed: bool) -> list[str]:
    """Known leaks: with a test file, whether others' training events lie later than a test event."""
    if not timed:
        return ["no_times"]
    if parts.window is not None:
        return []
    test_times = parts.test.times_ms[parts.test.times_ms != NO_TIME]
    later = not len(test_times) or int(table.times_ms[parts.keep].max()) >= int(test_times.min())
    return ["other_users_future"] if later else []
