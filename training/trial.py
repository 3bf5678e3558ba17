"""An offline evaluation: read, cut, build as the nightly job does, rank everything, compare."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from recommender.config import Settings
from recommender.errors import ConfigurationError, InputError
from recommender.logs import EventTable, ReadReport, read_events
from recommender.types import NO_TIME, Mask, Mode
from training.build import Built, build_bundle
from training.dataset import Dataset
from training.evaluation.leaks import TimedEvents, leaks_of
from training.evaluation.metrics import ItemFacts, category_levels, item_holders, list_depth, measure
from training.evaluation.protocol import Cases, HeldOutPart, TrainingPart, Window, build_cases, holdout_cut
from training.evaluation.report import PIPELINE, Report, build_report, opened_report, write_report
from training.inputs import InputPaths, Inputs, read_inputs, without_users
from training.lists import KNOWN_ROWS, other_lists, pipeline_lists
from training.progress import Progress
from training.recipe import DECIDING, Recipe, target_code
from training.split import choose_scheme
from training.stages import StageStore


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
class _Parts:
    """The cut log: rows that may be known, and the held-out columns by id."""

    training: EventTable
    keep: Mask
    window: Window | None
    test: EventTable
    test_rows: Mask


@dataclass(frozen=True)
class Trial:
    """A finished evaluation: the report, and what became of every file's rows."""

    report: Report
    readings: tuple[ReadReport, ...]


def evaluate(request: TrialRequest, progress: Progress) -> Trial:
    """Evaluate the pipeline, as it is served, beside every single model and sanity row; write the report.

    The report's file is written twice: with its terms, the configuration's hash among them, before the test part is
    opened, so that nothing in them can have been chosen by looking there; and whole at the end.

    Raises:
        InputError: The files cannot be used, or nobody can be scored.
        ConfigurationError: Neither or both of test and holdout are given, a baseline is unknown, or the report cannot
            be written.
    """
    if (request.test is None) == (request.holdout_seconds is None):
        raise ConfigurationError("give either --test FILE or --holdout DURATION, such as --holdout 14d")
    if unknown := sorted((request.baselines or set()) - KNOWN_ROWS):
        raise ConfigurationError(
            f"--baselines names {unknown[0]!r}; wanted all, or some of {', '.join(sorted(KNOWN_ROWS))}"
        )
    settings = _settings_of(request)
    protocol = _protocol(request, settings)
    with opened_report(protocol, request.out):
        with progress.stage("read", 1.0) as stage:
            inputs = read_inputs(request.paths, request.out.parent, settings, stage.advance)
        parts = _cut(request, inputs, settings)
        report = _compare(request, settings, protocol, inputs, parts, progress)
    write_report(report, request.out)
    test = () if request.test is None else (parts.test.report,)
    return Trial(report, (*inputs.reports, *test))


def _compare(
    request: TrialRequest,
    settings: Settings,
    protocol: dict[str, Any],
    inputs: Inputs,
    parts: _Parts,
    progress: Progress,
) -> Report:
    recipe = _recipe(request, inputs, parts, settings)
    with tempfile.TemporaryDirectory(prefix="windowshop-trial-") as folder, threadpool_limits(1, "blas"):
        started = time.perf_counter()
        built = build_bundle(recipe, StageStore(Path(folder) / "stages"), Path(folder) / "bundle", progress)
        seconds = {PIPELINE: time.perf_counter() - started}
        train, cases = _cases(request, built.dataset, parts)
        depth = list_depth(request.ks)
        lists = {PIPELINE: pipeline_lists(built, cases, settings, depth, progress)}
        for name, rows, fit_seconds in other_lists(built, settings, train, cases, depth, progress, request.baselines):
            lists[name], seconds[name] = rows, fit_seconds
    levels = category_levels(built.dataset.catalogue.categories.tolist())
    facts = ItemFacts(*item_holders(train, built.dataset.n_items), levels)
    return build_report(
        protocol | _found(built, parts, cases),
        {name: measure(rows, cases, request.ks, facts) for name, rows in lists.items()},
        users=len(cases),
        leaks=_leaks(request, inputs, parts),
        fit_seconds=seconds,
    )


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
        return _Parts(table, window.before(table.times_ms), window, table, window.holds(table.times_ms))
    assert request.test is not None  # noqa: S101  # run_trial refuses anything else
    test = read_events(
        request.test,
        # A folder of its own: the rejects of the training part stay what they are.
        rejects_dir=request.out.parent / "test_rejects",
        max_reject_rate=settings.train.max_reject_rate,
        memory=settings.train.memory,
        threads=settings.train.threads,
    )
    if inputs.erased is not None:
        test = without_users(test, inputs.erased.mask(test.user_ids))
    return _Parts(table, np.ones(len(table), np.bool_), None, test, np.ones(len(test), np.bool_))


def _cases(request: TrialRequest, dataset: Dataset, parts: _Parts) -> tuple[TrainingPart, Cases]:
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
        test.types[rows] == target_code(test, request.target),
    )
    cases = build_cases(train, held_out, dataset.n_items, novel_only=request.novel_only, cold=request.cold)
    if not cases.n_candidates:
        raise InputError(
            "no item first seen in the test part is in --items, so --cold has nothing to rank; name a catalogue"
        )
    return train, cases


def _rows_by_id(known: list[str], wanted: list[str]) -> npt.NDArray[np.int64]:
    """int64 [len(wanted)]: the row of each id; ids beyond the known ones get codes of their own behind them."""
    row = {name: place for place, name in enumerate(known)}
    return np.array([row.setdefault(name, len(row)) for name in wanted], np.int64)


def _protocol(request: TrialRequest, settings: Settings) -> dict[str, Any]:
    """All that is settled before the test part is opened."""
    return {
        "split": "holdout" if request.test is None else "test file",
        "holdout_seconds": request.holdout_seconds,
        "target": request.target,
        "novel_only": request.novel_only,
        "cold": request.cold,
        "k": list(request.ks),
        "mode": settings.feed.mode.value,
        "diversity": settings.evaluate.diversity,
        "config_hash": settings.hash_of(*DECIDING),
        "seed": settings.evaluate.seed,
        "resamples": settings.evaluate.resamples,
    }


def _found(built: Built, parts: _Parts, cases: Cases) -> dict[str, Any]:
    """What the files turned out to hold, and what the pipeline was made of."""
    manifest = built.manifest
    return {
        "window_ms": None if parts.window is None else [parts.window.start_ms, parts.window.end_ms],
        "data_start": manifest.data_start,
        "data_end": manifest.data_end,
        "scheme": built.scheme,
        "counts": {**manifest.counts, **cases.counts},
        "removed_targets": cases.removed_targets,
        "sources": manifest.sources,
        "ranker": manifest.ranker,
        "folds": manifest.metrics,
        "libraries": manifest.libraries,
    }


def _recipe(request: TrialRequest, inputs: Inputs, parts: _Parts, settings: Settings) -> Recipe:
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
    )


def _leaks(request: TrialRequest, inputs: Inputs, parts: _Parts) -> tuple[str, ...]:
    table, test = parts.training, parts.test
    targets = parts.test_rows & (test.types == target_code(test, request.target))
    users = _rows_by_id(table.user_ids, test.user_ids)
    return leaks_of(
        TimedEvents(table.users[parts.keep], table.times_ms[parts.keep]),
        TimedEvents(np.where(test.users >= 0, users[test.users], -1)[targets], test.times_ms[targets]),
        cut_by_time=request.holdout_seconds is not None,
        undated_items=int((inputs.catalogue.created_ms == NO_TIME).sum()),
    )
