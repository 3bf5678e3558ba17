"""From a log to a complete bundle aside: split, fit, tune, teach, choose, fit on all; nothing here publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from recommender.bundle import Bundle, Manifest, open_bundle
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.stages import Ranker
from recommender.wiring import build_pipeline
from training.dataset import Dataset
from training.models.lineup import make_models
from training.models.parameters import default_recencies
from training.models.shapes import Shapes
from training.progress import Progress
from training.publish import finish_bundle, write_bundle_parts
from training.ranking.choose import ranker_ndcg
from training.ranking.examples import build_examples
from training.ranking.fit import LogisticWeights, fit_logistic
from training.ranking.replay import Replay
from training.recipe import Recipe, manifest_of, target_code
from training.split import Scheme, folds
from training.stages import StageStore, content_key
from training.tuning import choose_shapes, tune_recencies

_CHOOSING_USERS = 2_000
_MIN_USERS = 200


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
    """

    folder: Path
    manifest: Manifest
    twin: Path
    choose: Replay
    dataset: Dataset
    scheme: Scheme


def build_bundle(recipe: Recipe, store: StageStore, folder: Path, progress: Progress) -> Built:
    """Run all stages; those that the store holds are not run again.

    Args:
        recipe: Input and settings.
        store: Of finished stages.
        folder: Where the bundle is written; replaced.
        progress: Told of every stage.

    Raises:
        InputError: A model cannot be fitted on this log.
    """
    whole = recipe.dataset(recipe.keep, recipe.now_ms)
    with progress.stage("split", None):
        scheme, (teach, choose) = _cut(recipe, whole)
    teaching, choosing = teach.dataset, choose.dataset
    shapes = choose_shapes(recipe, store, teach, progress)
    teach_parts = _fit(recipe, store, "teach", teaching, shapes, progress)
    choose_parts = teach_parts if choosing is teaching else _fit(recipe, store, "choose", choosing, shapes, progress)

    base = {"ranker": {"name": "single_source", "source": "popularity_recent"}, "recencies": {}}
    work = folder.with_name(folder.name + ".work")

    def rank(place: Path) -> None:
        bundle = _open(recipe, teach_parts, work / "teach", teaching, base)
        recencies = tune_recencies(bundle, recipe, teach, progress)
        bundle = _open(recipe, teach_parts, work / "teach", teaching, {**base, "recencies": recencies})
        weights, told = _teach(bundle, recipe, teach, progress)
        decided: dict[str, Any] = {"recencies": recencies, "teach": told}
        decided |= _choose(recipe, choose_parts, work / "choose", choosing, choose, decided, weights, progress)
        if weights is not None:
            for name, values in weights.arrays().items():
                np.save(place / f"{name}.npy", values)
        (place / "decided.json").write_text(json.dumps(decided, sort_keys=True), encoding="utf-8")

    ranked = store.run("rank", recipe.stage_key(), rank)
    decided = json.loads((ranked / "decided.json").read_text(encoding="utf-8"))
    arrays = _ranker_arrays(ranked) if decided["ranker"]["name"] == "logistic" else {}
    twin = work / "twin"
    finish_bundle(choose_parts, twin, manifest_of(recipe, choosing, _parameters(choose_parts), decided), arrays)
    whole_parts = _fit(recipe, store, "all", whole, shapes, progress)
    manifest = manifest_of(recipe, whole, _parameters(whole_parts), decided)
    manifest = finish_bundle(whole_parts, folder, manifest, arrays)
    return Built(folder, manifest, twin, choose, whole, scheme)


def _cut(recipe: Recipe, whole: Dataset) -> tuple[Scheme, list[Replay]]:
    """The users of both folds; where windows hold too few of them to tell models apart, each user's last target."""
    train, target = recipe.settings.train, target_code(recipe.table, recipe.settings.train.target)
    schemes: list[Scheme] = ["windows", "last"] if recipe.scheme == "windows" else [recipe.scheme]
    for scheme in schemes:
        cut = folds(scheme, recipe.table, recipe.keep, whole, target, int(train.window * 1_000), train.seed)
        teaching = recipe.dataset(cut[0].keep, cut[0].now_ms)
        same = bool((cut[0].keep == cut[1].keep).all())
        choosing = teaching if same else recipe.dataset(cut[1].keep, cut[1].now_ms)
        replays = [recipe.replay(cut[0], teaching), recipe.replay(cut[1], choosing)]
        if min(len(replay) for replay in replays) >= _MIN_USERS:
            break
    return scheme, replays


def _fit(recipe: Recipe, store: StageStore, name: str, dataset: Dataset, shapes: Shapes, progress: Progress) -> Path:
    def build(place: Path) -> None:
        models = make_models(dataset, recipe.settings, default_recencies(dataset.timed), shapes)
        with threadpool_limits(1, "blas"):
            for model in models:
                with progress.stage(f"fit {name} {model.name}", None):
                    model.fit(dataset)
        write_bundle_parts(place / "parts", dataset, models, recipe.settings.bundle.history_events)
        parameters = {model.name: model.parameters() for model in models}
        (place / "sources.json").write_text(json.dumps(parameters), encoding="utf-8")

    key = content_key(recipe.stage_key(), name, int(dataset.now_ms), len(dataset.items))
    return store.run(f"fit-{name}", key, build) / "parts"


def _open(recipe: Recipe, parts: Path, folder: Path, dataset: Dataset, decided: Mapping[str, Any]) -> Bundle:
    finish_bundle(parts, folder, manifest_of(recipe, dataset, _parameters(parts), decided), {})
    return open_bundle(folder, verify=False)


def _parameters(parts: Path) -> dict[str, dict[str, Any]]:
    return dict(json.loads((parts.parent / "sources.json").read_text(encoding="utf-8")))


def _ranker_arrays(place: Path) -> dict[str, npt.NDArray[Any]]:
    return {path.stem: np.load(path, allow_pickle=False) for path in sorted(place.glob("*.npy"))}


def _teach(
    bundle: Bundle, recipe: Recipe, replay: Replay, progress: Progress
) -> tuple[LogisticWeights | None, dict[str, Any]]:
    train = recipe.settings.train
    pipeline = build_pipeline(bundle, recipe.settings)
    with progress.stage("examples", min(len(replay), train.max_example_users)) as stage:
        examples = build_examples(
            pipeline,
            replay,
            bundle.array("popularity/recent"),
            max_users=train.max_example_users,
            advance=stage.advance,
        )
    with progress.stage("rank", None):
        weights = fit_logistic(examples, train.seed)
    return weights, {
        "users": len(examples.offsets) - 1,
        "examples": len(examples.labels),
        "targets": int(examples.labels.sum()),
        "candidate_recall": examples.candidate_recall,
    }


def _choose(
    recipe: Recipe,
    parts: Path,
    work: Path,
    dataset: Dataset,
    replay: Replay,
    decided: Mapping[str, Any],
    weights: LogisticWeights | None,
    progress: Progress,
) -> dict[str, Any]:
    """Ranker and best single source on the choosing fold: the ranker serves unless it loses."""
    single = {"ranker": {"name": "single_source", "source": "popularity_recent"}}
    bundle = _open(recipe, parts, work, dataset, {**decided, **single})
    rankers: dict[str, Ranker] = {name: SingleSourceRanker(bundle, name) for name in bundle.manifest.sources}
    learned = {"name": "logistic", "intercept": weights.intercept} if weights is not None else {}
    if weights is not None:
        manifest = manifest_of(recipe, dataset, _parameters(parts), {**decided, "ranker": learned})
        finish_bundle(parts, work, manifest, weights.arrays())
        rankers["logistic"] = LogisticRanker(open_bundle(work, verify=False))
    pipeline = build_pipeline(bundle, recipe.settings)
    with progress.stage("choose", None):
        per_user = ranker_ndcg(pipeline, rankers, replay, _CHOOSING_USERS)
    found = {name: _mean(values) for name, values in per_user.items()}
    best = max(bundle.manifest.sources, key=lambda name: found[name])
    ranker: dict[str, Any] = {"name": "single_source", "source": best}
    if weights is not None and found["logistic"] >= found[best]:
        ranker = learned
    return {"ranker": ranker, "choose": {"users": len(per_user[best]), "ndcg@20": found}}


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
