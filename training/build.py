"""From a log to a complete bundle aside: split, fit, tune, teach, choose, fit on all; nothing here publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from recommender.bundle import Manifest, open_bundle
from recommender.components import build_ranker
from recommender.types import Mode, Scores
from recommender.wiring import build_pipeline
from training.dataset import Dataset
from training.models.lineup import make_models
from training.models.parameters import default_recencies
from training.models.protocol import RetrievalModel
from training.models.shapes import Shapes
from training.progress import Progress
from training.publish import finish_bundle, write_bundle_parts
from training.ranking.replay import Replay
from training.ranking.standings import usual_standings
from training.recipe import Recipe, manifest_of, resolved_toml, target_code
from training.search.run import Search, search
from training.split import Fold, Scheme, folds
from training.stages import StageStore, content_key
from training.teaching import FittedFold, kept_arrays, kept_ranker, parameters_of, teach_and_choose, tuned
from training.tuning import choose_shapes

_MIN_USERS = 200
_STANDING_USERS = 1_000


@dataclass(frozen=True)
class Built:
    """A bundle aside, and the twin that never saw the newest days.

    Args:
        folder: The complete bundle.
        manifest: Its manifest.
        twin: The complete bundle of the choosing fold, which gates compare.
        choose: The choosing fold's users.
        dataset: The whole training part.
        scheme: How the folds were cut in the end.
        folds: Those that teach, the newest first, then the choosing one, with what was fitted on each.
        parts: What was fitted on the whole training part.
        recipe: With every choice made.
        search: What is told of the search; empty without one.
    """

    folder: Path
    manifest: Manifest
    twin: Path
    choose: Replay
    dataset: Dataset
    scheme: Scheme
    folds: tuple[FittedFold, ...]
    parts: Path
    recipe: Recipe
    search: Mapping[str, Any]


def build_bundle(
    recipe: Recipe, store: StageStore, folder: Path, progress: Progress, budget_seconds: float | None = None
) -> Built:
    """Run all stages; those that the store holds are not run again.

    Args:
        recipe: Input and settings.
        store: Of finished stages.
        folder: Where the bundle is written; replaced.
        progress: Told of every stage.
        budget_seconds: For how long to search beyond what is tried anyway; None for no search.

    Raises:
        InputError: A model cannot be fitted on this log.
    """
    whole = recipe.dataset(recipe.keep, recipe.now_ms)
    with progress.stage("split", None):
        scheme, (choose, *teaches) = cut_replays(recipe, whole)
    work = folder.with_name(folder.name + ".work")
    shaped, ready = choose_shapes(recipe, store, teaches[0], progress)
    names = ("teach", *(f"teach {place}" for place in range(2, len(teaches) + 1)))
    told: dict[str, Any] = {}
    if budget_seconds is not None:
        oldest, first = teaches[-1], Shapes.of(shaped.settings.train.shapes)
        fit_oldest = partial(fit_parts, store=store, name=names[-1], dataset=oldest.dataset, progress=progress)
        asked = Search(recipe.settings.train, shaped, oldest, budget_seconds, work, fit_oldest)
        shaped, told = search(asked, store, progress)
        found = Shapes.of(shaped.settings.train.shapes)
        ready = {name: model for name, model in ready.items() if getattr(found, name) == getattr(first, name)}

    def fit(name: str, dataset: Dataset) -> Path:
        own = ready if dataset is teaches[0].dataset else {}
        return fit_parts(shaped, store, name, dataset, progress, own)

    taught = [FittedFold(replay, fit(name, replay.dataset)) for name, replay in zip(names, teaches, strict=True)]
    same = choose.dataset is teaches[0].dataset
    chosen = FittedFold(choose, taught[0].parts if same else fit("choose", choose.dataset))
    recipe = tuned(shaped, taught[0], work, store, progress)
    ranked = store.run(
        "rank", recipe.stage_key(), lambda place: teach_and_choose(recipe, taught, chosen, work, place, progress)
    )
    decided = json.loads((ranked / "decided.json").read_text(encoding="utf-8"))
    twin = work / "twin"
    _finish(recipe, choose.dataset, chosen.parts, twin, decided, ranked / "twin")
    parts = fit("all", whole)

    def stand(place: Path) -> None:
        _finish(recipe, whole, parts, work / "all", decided, ranked / "all")
        np.save(place / "usual_standings.npy", _standings(recipe, whole, work / "all", progress))

    usual = store.run("standings", recipe.stage_key(), stand)
    manifest = _finish(recipe, whole, parts, folder, decided, ranked / "all", usual)
    return Built(folder, manifest, twin, choose, whole, scheme, (*taught, chosen), parts, recipe, told)


def cut_replays(recipe: Recipe, whole: Dataset) -> tuple[Scheme, list[Replay]]:
    """The users of all folds, the choosing one first.

    Where windows hold too few of them to tell models apart they are made longer; where even a quarter of the log is too
    short, each user's last target stands in for them.
    """
    repeats = recipe.hide == "nothing" and recipe.settings.feed.mode is Mode.ANY
    last: Scheme = "last_event" if repeats else "last"
    attempts: list[tuple[Scheme, float]] = [(last if recipe.scheme == "last" else recipe.scheme, 1.0)]
    if recipe.scheme == "windows":
        attempts += [("windows", 2.0), ("windows", 4.0), ("windows", 8.0), (last, 1.0)]
    cut: list[Fold] = []
    for scheme, longer in attempts:
        before, cut = cut, _folds(recipe, whole, scheme, longer)
        if before and scheme == "windows" and cut[0].now_ms == before[0].now_ms:
            continue  # no longer than a quarter of the log
        # Datasets are dear; those who have a target are an upper bound of those who are scored.
        if (scheme, longer) != attempts[-1] and min(len(np.unique(fold.users)) for fold in cut[:2]) < _MIN_USERS:
            continue
        datasets = [recipe.dataset(cut[0].keep, cut[0].now_ms)]
        for fold in cut[1:]:
            same = bool((fold.keep == cut[0].keep).all())
            datasets.append(datasets[0] if same else recipe.dataset(fold.keep, fold.now_ms))
        replays = [recipe.replay(fold, dataset) for fold, dataset in zip(cut, datasets, strict=True)]
        if min(len(replay) for replay in replays[:2]) >= _MIN_USERS:
            break
    return scheme, [*replays[:2], *(replay for replay in replays[2:] if len(replay) >= _MIN_USERS)]


def _folds(recipe: Recipe, whole: Dataset, scheme: Scheme, longer: float) -> list[Fold]:
    train = recipe.settings.train
    return folds(
        scheme,
        recipe.table,
        recipe.keep,
        whole,
        target_code(recipe.table, train.target),
        int(train.window * longer * 1_000),
        train.seed,
        train.teaching_windows,
    )


def fit_parts(
    recipe: Recipe,
    store: StageStore,
    name: str,
    dataset: Dataset,
    progress: Progress,
    ready: Mapping[str, RetrievalModel] | None = None,
) -> Path:
    """All sources fitted on a dataset, as parts of a bundle; those that the store holds are not fitted again.

    Args:
        recipe: Its settings hold every shape; recencies are a matter of asking, not of fitting.
        store: Of finished stages.
        name: Of the stage.
        dataset: To fit on.
        progress: Told of each fit.
        ready: Models by name that were fitted on this dataset in this way already.
    """
    shapes = Shapes.of(recipe.settings.train.shapes)

    def build(place: Path) -> None:
        models = make_models(dataset, recipe.settings, default_recencies(dataset.timed), shapes)
        models = [(ready or {}).get(model.name, model) for model in models]
        with threadpool_limits(1, "blas"):
            for model in models:
                with progress.stage(f"fit {name} {model.name}", None):
                    if model.name not in (ready or {}):
                        model.fit(dataset)
        write_bundle_parts(place / "parts", dataset, models, recipe.settings.bundle.history_events)
        parameters = {model.name: model.parameters() for model in models}
        (place / "sources.json").write_text(json.dumps(parameters), encoding="utf-8")

    unasked = recipe.with_training(recencies={}).stage_key()
    key = content_key(unasked, name, int(dataset.now_ms), len(dataset.items))
    return store.run(f"fit-{name}", key, build) / "parts"


def _finish(
    recipe: Recipe,
    dataset: Dataset,
    parts: Path,
    folder: Path,
    decided: Mapping[str, Any],
    kept: Path,
    usual: Path | None = None,
) -> Manifest:
    """The complete bundle of a dataset, with the ranker that was kept for it, if one was."""
    ranker, arrays = kept_ranker(kept)
    manifest = manifest_of(recipe, dataset, parameters_of(parts), {**decided, **ranker})
    arrays |= {} if usual is None else kept_arrays(usual)
    return finish_bundle(parts, folder, manifest, arrays, resolved_toml(recipe.settings))


def _standings(recipe: Recipe, dataset: Dataset, folder: Path, progress: Progress) -> Scores:
    """Where items usually stand, in the lists of a seeded draw of users as the bundle would serve them."""
    known = np.zeros(dataset.n_actors, np.bool_)
    known[dataset.actors()[dataset.weights() > 0]] = True
    users = np.random.default_rng(recipe.settings.train.seed).permutation(np.flatnonzero(known[: dataset.n_users]))
    replay = Replay(
        dataset,
        users[:_STANDING_USERS].astype(np.int32),
        np.zeros(len(users[:_STANDING_USERS]) + 1, np.int64),
        np.empty(0, np.int32),
        recipe.hide,
        recipe.settings.bundle.history_events,
    )
    bundle = open_bundle(folder, verify=False)
    pipeline = build_pipeline(bundle, recipe.settings)
    with progress.stage("standings", len(replay)) as stage:
        queries = map(replay.query, replay.users.tolist())
        return usual_standings(pipeline, build_ranker(bundle), queries, dataset.n_items, stage.advance)
