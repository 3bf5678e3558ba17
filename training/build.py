"""From a log to a complete bundle aside: split, fit, tune, teach, choose, fit on all; nothing here publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from recommender.bundle import Bundle, Manifest, open_bundle
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.rankers.trees import TreeInputs
from recommender.feed.stages import Ranker
from recommender.wiring import build_pipeline, build_ranker
from training.dataset import Dataset
from training.models.lineup import make_models
from training.models.parameters import default_recencies
from training.models.shapes import Shapes
from training.progress import Progress
from training.publish import finish_bundle, write_bundle_parts
from training.ranking.choose import ranker_ndcg
from training.ranking.examples import Examples, build_examples, joined, shortest_history
from training.ranking.learned import LearnedRanker, fit_rankers
from training.ranking.replay import Replay
from training.recipe import Recipe, manifest_of, target_code
from training.split import Scheme, folds
from training.stages import StageStore, content_key
from training.tuning import choose_shapes, tune_recencies

_CHOOSING_USERS = 2_000
_MIN_USERS = 200
#: Sources that can speak for a single event, and how many events a short history is tried with.
_PERSONAL = ("cooccurrence", "gfcf", "als", "ease")
_SHORT_EVENTS = 2


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
        scheme, (choose, *teaches) = _cut(recipe, whole)
    choosing, teach = choose.dataset, teaches[0]
    shapes = choose_shapes(recipe, store, teach, progress)
    names = ("teach", *(f"teach {place}" for place in range(2, len(teaches) + 1)))
    taught = [
        _fit(recipe, store, name, fold.dataset, shapes, progress) for name, fold in zip(names, teaches, strict=True)
    ]
    same = choosing is teach.dataset
    choose_parts = taught[0] if same else _fit(recipe, store, "choose", choosing, shapes, progress)

    base = {"ranker": {"name": "single_source", "source": "popularity_recent"}, "recencies": {}}
    work = folder.with_name(folder.name + ".work")

    def rank(place: Path) -> None:
        bundle = _open(recipe, taught[0], work / "teach", teach.dataset, base)
        recencies = tune_recencies(bundle, recipe, teach, progress)
        tuned = {**base, "recencies": recencies}
        parts = []
        for fold, fitted in zip(teaches, taught, strict=True):
            bundle = _open(recipe, fitted, work / "teach", fold.dataset, tuned)
            parts.append(_examples(bundle, recipe, fold, progress))
        bundle = _open(recipe, choose_parts, work / "choose", choosing, tuned)
        newest = _examples(bundle, recipe, choose, progress)
        examples, sources = joined(parts), tuple(bundle.manifest.sources)
        shortest = shortest_history(examples, sources)
        with progress.stage("rank", None):
            learned = fit_rankers(examples, newest, sources, recipe.settings.train)
        decided: dict[str, Any] = {"recencies": recencies, "teach": _told(examples, learned)}
        decided |= _choose(recipe, choose_parts, work / "choose", choosing, choose, decided, learned, shortest, progress)
        for ranker in learned:
            if ranker.name == decided["ranker"]["name"]:
                _keep_ranker(ranker, place, "twin")
                with progress.stage("rank all", None):
                    _keep_ranker(ranker.again(joined([*parts, newest])), place, "all")
        (place / "decided.json").write_text(json.dumps(decided, sort_keys=True), encoding="utf-8")

    ranked = store.run("rank", recipe.stage_key(), rank)
    decided = json.loads((ranked / "decided.json").read_text(encoding="utf-8"))
    twin = work / "twin"
    _finish(recipe, choosing, choose_parts, twin, decided, ranked / "twin")
    whole_parts = _fit(recipe, store, "all", whole, shapes, progress)
    manifest = _finish(recipe, whole, whole_parts, folder, decided, ranked / "all")
    return Built(folder, manifest, twin, choose, whole, scheme)


def _cut(recipe: Recipe, whole: Dataset) -> tuple[Scheme, list[Replay]]:
    """The users of all folds, the choosing one first; where windows hold too few of them to tell models apart, each user's last target."""
    train, target = recipe.settings.train, target_code(recipe.table, recipe.settings.train.target)
    schemes: list[Scheme] = ["windows", "last"] if recipe.scheme == "windows" else [recipe.scheme]
    for scheme in schemes:
        window_ms = int(train.window * 1_000)
        cut = folds(
            scheme, recipe.table, recipe.keep, whole, target, window_ms, train.seed, train.teaching_windows
        )
        datasets = [recipe.dataset(cut[0].keep, cut[0].now_ms)]
        for fold in cut[1:]:
            same = bool((fold.keep == cut[0].keep).all())
            datasets.append(datasets[0] if same else recipe.dataset(fold.keep, fold.now_ms))
        replays = [recipe.replay(fold, dataset) for fold, dataset in zip(cut, datasets, strict=True)]
        if min(len(replay) for replay in replays[:2]) >= _MIN_USERS:
            break
    return scheme, [*replays[:2], *(replay for replay in replays[2:] if len(replay) >= _MIN_USERS)]


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


def _keep_ranker(ranker: LearnedRanker, place: Path, name: str) -> None:
    folder = place / name
    folder.mkdir()
    for array, values in ranker.arrays().items():
        np.save(folder / f"{array}.npy", values)
    (folder / "parameters.json").write_text(json.dumps(ranker.parameters(), sort_keys=True), encoding="utf-8")


def _finish(
    recipe: Recipe, dataset: Dataset, parts: Path, folder: Path, decided: Mapping[str, Any], kept: Path
) -> Manifest:
    """The complete bundle of a dataset, with the ranker that was kept for it, if one was."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    if kept.is_dir():
        arrays = {path.stem: np.load(path, allow_pickle=False) for path in sorted(kept.glob("*.npy"))}
        decided = {**decided, "ranker": json.loads((kept / "parameters.json").read_text(encoding="utf-8"))}
    return finish_bundle(parts, folder, manifest_of(recipe, dataset, _parameters(parts), decided), arrays)


def _examples(bundle: Bundle, recipe: Recipe, replay: Replay, progress: Progress) -> Examples:
    train = recipe.settings.train
    with progress.stage("examples", min(len(replay), train.max_example_users)) as stage:
        return build_examples(
            build_pipeline(bundle, recipe.settings),
            replay,
            TreeInputs(bundle).of,
            max_users=train.max_example_users,
            advance=stage.advance,
        )


def _told(examples: Examples, learned: Sequence[LearnedRanker]) -> dict[str, Any]:
    return {
        "users": len(examples.offsets) - 1,
        "examples": len(examples.labels),
        "targets": int(examples.labels.sum()),
        "candidate_recall": examples.candidate_recall,
        **{f"importance.{ranker.name}": ranker.importance for ranker in learned if ranker.importance},
    }


def _choose(
    recipe: Recipe,
    parts: Path,
    work: Path,
    dataset: Dataset,
    replay: Replay,
    decided: Mapping[str, Any],
    learned: Sequence[LearnedRanker],
    shortest: int,
    progress: Progress,
) -> dict[str, Any]:
    """Learned rankers and single sources on the choosing fold: the best of the learned serves unless it loses.

    It has seen histories of `shortest` items; what ranks shorter ones is chosen on histories cut to their last events.
    """
    single = {"ranker": {"name": "single_source", "source": "popularity_recent"}}
    bundle = _open(recipe, parts, work, dataset, {**decided, **single})
    rankers: dict[str, Ranker] = {name: SingleSourceRanker(bundle, name) for name in bundle.manifest.sources}
    for ranker in learned:
        manifest = manifest_of(recipe, dataset, _parameters(parts), {**decided, "ranker": ranker.parameters()})
        finish_bundle(parts, work, manifest, ranker.arrays())
        rankers[ranker.name] = build_ranker(open_bundle(work, verify=False))
    pipeline = build_pipeline(bundle, recipe.settings)
    with progress.stage("choose", None):
        per_user = ranker_ndcg(pipeline, rankers, replay, _CHOOSING_USERS)
    found = {name: _mean(values) for name, values in per_user.items()}
    best = max(bundle.manifest.sources, key=lambda name: found[name])
    chosen: dict[str, Any] = {"name": "single_source", "source": best}
    strongest = max(learned, key=lambda ranker: found[ranker.name], default=None)
    told: dict[str, Any] = {"users": len(per_user[best]), "ndcg@20": found}
    decided_here: dict[str, Any] = {"ranker": chosen, "choose": told}
    if strongest is not None and found[strongest.name] >= found[best]:
        decided_here["ranker"] = strongest.parameters()
        personal = {name: rankers[name] for name in _PERSONAL if name in rankers}
        if personal and shortest > 1:
            with progress.stage("choose for short histories", None):
                per_user = ranker_ndcg(pipeline, personal, replay, _CHOOSING_USERS, newest_events=_SHORT_EVENTS)
            told["short ndcg@20"] = {name: _mean(values) for name, values in per_user.items()}
            source = max(personal, key=lambda name: told["short ndcg@20"][name])
            decided_here["short"] = {"source": source, "below": shortest}
    return decided_here


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
