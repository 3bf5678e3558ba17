"""From a log to a complete bundle aside: split, fit, tune, teach, choose, fit on all; nothing here publishes."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from recommender.bundle import Bundle, Manifest, open_bundle
from recommender.config import Settings
from recommender.features.recency import Recency
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.stages import Ranker
from recommender.logs import EventTable
from recommender.types import Mask, Mode
from recommender.wiring import build_pipeline, build_source
from training.catalogue import Catalogue
from training.dataset import Dataset, build_dataset
from training.models.als import AlsModel
from training.models.content import ContentModel, has_content
from training.models.cooccurrence import CooccurrenceModel
from training.models.own_frequency import OwnFrequencyModel
from training.models.popularity import CategoryPopularityModel, PopularityModel
from training.models.protocol import RetrievalModel
from training.progress import Progress
from training.publish import finish_bundle, iso, version_name, write_bundle_parts
from training.ranking.choose import RECENCIES, UNTIMED, best_of, ranker_ndcg, source_ndcg
from training.ranking.examples import build_examples
from training.ranking.fit import LogisticWeights, fit_logistic
from training.ranking.replay import Hide, Replay, build_replay
from training.split import Fold, Scheme, folds
from training.stages import StageStore, content_key

_TUNING_USERS = 1_000
_CHOOSING_USERS = 2_000
#: The settings that change a bundle.
DECIDING = ("train", "bundle", "feed.mode", "feed.discover_days", "feed.source_limit")
_LIBRARIES = ("numpy", "numba", "faiss-cpu", "implicit", "scipy", "scikit-learn", "duckdb")


@dataclass(frozen=True)
class Recipe:
    """What a bundle is built of.

    Args:
        table: The log.
        keep: bool over its rows: the training part.
        catalogue: The items file.
        settings: All sections; `train`, `bundle` and `feed` decide.
        scheme: How folds are cut.
        hide: What replayed queries hide besides what the feed hides.
        now_ms: The moment to look back from; None for the last kept event.
        key: Content key of the input.
        counts: Further counts for the manifest.
    """

    table: EventTable
    keep: Mask
    catalogue: Catalogue
    settings: Settings
    scheme: Scheme
    hide: Hide
    now_ms: int | None
    key: str
    counts: Mapping[str, int] = field(default_factory=dict)

    def dataset(self, keep: Mask, now_ms: int | None) -> Dataset:
        """The dataset of some rows."""
        weights = {name: self.settings.train.weight_of(name) for name in self.table.event_types}
        return build_dataset(self.table, keep, self.catalogue, weights, now_ms)

    def replay(self, fold: Fold, dataset: Dataset) -> Replay:
        """The fold's users with their targets."""
        return build_replay(
            dataset,
            fold.users,
            fold.items,
            (len(self.table.user_ids), len(self.table.item_ids)),
            hide=self.hide,
            history_events=self.settings.bundle.history_events,
            seed=self.settings.train.seed,
        )


@dataclass(frozen=True)
class Built:
    """A bundle aside, and the twin that never saw the newest days.

    Args:
        folder: The complete bundle.
        manifest: Its manifest.
        twin: The complete bundle of the choosing fold, which gates compare.
        choose: The choosing fold's users.
        dataset: The whole training part.
    """

    folder: Path
    manifest: Manifest
    twin: Path
    choose: Replay
    dataset: Dataset


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
    train = recipe.settings.train
    whole = recipe.dataset(recipe.keep, recipe.now_ms)
    target = target_code(recipe.table, train.target)
    with progress.stage("split", None):
        teach, choose = folds(
            recipe.scheme, recipe.table, recipe.keep, whole, target, int(train.window * 1_000), train.seed
        )
    teaching = recipe.dataset(teach.keep, teach.now_ms)
    same = bool((teach.keep == choose.keep).all())
    choosing = teaching if same else recipe.dataset(choose.keep, choose.now_ms)
    teach_parts = _fit(recipe, store, "teach", teaching, progress)
    choose_parts = teach_parts if same else _fit(recipe, store, "choose", choosing, progress)

    base = {"ranker": {"name": "single_source", "source": "popularity_recent"}, "recencies": {}}
    work = folder.with_name(folder.name + ".work")
    teach_replay, choose_replay = recipe.replay(teach, teaching), recipe.replay(choose, choosing)

    def rank(place: Path) -> None:
        bundle = _open(recipe, teach_parts, work / "teach", teaching, base)
        recencies = _tune(bundle, recipe, teach_replay, progress)
        bundle = _open(recipe, teach_parts, work / "teach", teaching, {**base, "recencies": recencies})
        weights, told = _teach(bundle, recipe, teach_replay, progress)
        decided: dict[str, Any] = {"recencies": recencies, "teach": told}
        decided |= _choose(recipe, choose_parts, work / "choose", choosing, choose_replay, decided, weights, progress)
        if weights is not None:
            np.savez(place / "ranker.npz", **weights.arrays())
        (place / "decided.json").write_text(json.dumps(decided, sort_keys=True), encoding="utf-8")

    ranked = store.run("rank", _key(recipe), rank)
    decided = json.loads((ranked / "decided.json").read_text(encoding="utf-8"))
    arrays = _ranker_arrays(ranked) if decided["ranker"]["name"] == "logistic" else {}
    twin = work / "twin"
    finish_bundle(choose_parts, twin, _manifest(recipe, choosing, _parameters(choose_parts), decided), arrays)
    whole_parts = _fit(recipe, store, "all", whole, progress)
    manifest = _manifest(recipe, whole, _parameters(whole_parts), decided)
    manifest = finish_bundle(whole_parts, folder, manifest, arrays)
    return Built(folder, manifest, twin, choose_replay, whole)


def target_code(table: EventTable, target: str) -> int:
    """Code of the target event type in the table; -1 where no event has it."""
    return table.event_types.index(target) if target in table.event_types else -1


def make_models(dataset: Dataset, settings: Settings, recencies: Mapping[str, Recency]) -> list[RetrievalModel]:
    """The models of the configured sources that this dataset can feed, in the order of serving.

    Popularity is always among them: it is every feed's tail.
    """
    train, bundle = settings.train, settings.bundle
    popularity = PopularityModel(train)
    made: dict[str, Callable[[], RetrievalModel]] = {
        "popularity_recent": lambda: popularity,
        "cooccurrence": lambda: CooccurrenceModel(recencies["cooccurrence"], bundle.neighbours),
        "als": lambda: AlsModel(train, bundle, recencies["als"]),
        "own_frequency": lambda: OwnFrequencyModel(recencies["own_frequency"]),
        "content": lambda: ContentModel(train, bundle, recencies["content"]),
        "popularity_category": lambda: CategoryPopularityModel(popularity, recencies["popularity_category"]),
    }
    lacking = set()
    if not has_content(dataset.catalogue):
        lacking.add("content")
    if not (dataset.catalogue.categories != "").any():
        lacking.add("popularity_category")
    if dataset.n_items < 2 or not len(dataset.items):
        lacking |= {"als", "cooccurrence", "content"}
    names = [name for name in train.sources if name not in lacking]
    return [made[name]() for name in dict.fromkeys(["popularity_recent", *names])]


def default_recencies(timed: bool) -> dict[str, Recency]:
    """The first of each source's options; none fades without times."""
    return {name: options[0] if timed else UNTIMED for name, options in RECENCIES.items()}


def _fit(recipe: Recipe, store: StageStore, name: str, dataset: Dataset, progress: Progress) -> Path:
    def build(place: Path) -> None:
        models = make_models(dataset, recipe.settings, default_recencies(dataset.timed))
        with threadpool_limits(1, "blas"):
            for model in models:
                with progress.stage(f"fit {name} {model.name}", None):
                    model.fit(dataset)
        write_bundle_parts(place / "parts", dataset, models, recipe.settings.bundle.history_events)
        parameters = {model.name: model.parameters() for model in models}
        (place / "sources.json").write_text(json.dumps(parameters), encoding="utf-8")

    key = content_key(_key(recipe), name, int(dataset.now_ms), len(dataset.items))
    return store.run(f"fit-{name}", key, build) / "parts"


def _open(
    recipe: Recipe, parts: Path, folder: Path, dataset: Dataset, decided: Mapping[str, Any]
) -> Bundle:
    finish_bundle(parts, folder, _manifest(recipe, dataset, _parameters(parts), decided), {})
    return open_bundle(folder, verify=False)


def _parameters(parts: Path) -> dict[str, dict[str, Any]]:
    return dict(json.loads((parts.parent / "sources.json").read_text(encoding="utf-8")))


def _ranker_arrays(place: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(place / "ranker.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _tune(bundle: Bundle, recipe: Recipe, replay: Replay, progress: Progress) -> dict[str, dict[str, float]]:
    """The recency of each source that does best alone on the teaching fold."""
    if not bundle.manifest.timed:
        return {}
    pipeline = build_pipeline(bundle, recipe.settings)
    names = [name for name in bundle.manifest.sources if name in RECENCIES]
    chosen = {}
    with progress.stage("tune", len(names)) as stage:
        for name in names:

            def score(recency: Recency, name: str = name) -> float:
                source = build_source(bundle, name, recency)
                found = source_ndcg(source, pipeline, replay, _TUNING_USERS)
                return float(found.mean()) if len(found) else 0.0

            best, _ = best_of(RECENCIES[name], score)
            chosen[name] = {
                "half_life_days": best.half_life_days,
                "half_life_items": best.half_life_items,
                "limit": best.limit,
            }
            stage.advance(1)
    return chosen


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
            seed=train.seed,
            advance=stage.advance,
        )
    with progress.stage("rank", None):
        weights = fit_logistic(examples, train.seed)
    return weights, {
        "users": examples.users,
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
        manifest = _manifest(recipe, dataset, _parameters(parts), {**decided, "ranker": learned})
        finish_bundle(parts, work, manifest, weights.arrays())
        rankers["logistic"] = LogisticRanker(open_bundle(work, verify=False))
    pipeline = build_pipeline(bundle, recipe.settings)
    with progress.stage("choose", None):
        per_user = ranker_ndcg(pipeline, rankers, replay, _CHOOSING_USERS)
    found = {name: _mean(values) for name, values in per_user.items()}
    best = max(bundle.manifest.sources, key=lambda name: found[name])
    ranker = {"name": "single_source", "source": best}
    if weights is not None and found["logistic"] >= found[best]:
        ranker = learned
    return {"ranker": ranker, "choose": {"users": len(per_user[best]), "ndcg@20": found}}


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _key(recipe: Recipe) -> str:
    """What every stage depends on: input, settings, libraries, processor."""
    return content_key(
        recipe.key,
        recipe.settings.hash_of(*DECIDING),
        recipe.scheme,
        recipe.hide,
        recipe.now_ms,
        _libraries(),
    )


def _libraries() -> dict[str, str]:
    versions = {name: library_version(name) for name in _LIBRARIES}
    return {**versions, "python": platform.python_version(), "processor": platform.machine()}


def _manifest(
    recipe: Recipe, dataset: Dataset, parameters: Mapping[str, dict[str, Any]], decided: Mapping[str, Any]
) -> Manifest:
    settings, key = recipe.settings, _key(recipe)
    timed = dataset.timed and bool(len(dataset.times_ms))
    times = np.concatenate([dataset.times_ms, dataset.loose_times_ms])
    sources = {
        name: {**parameters[name], **decided["recencies"].get(name, {})}
        for name in parameters
        if name in settings.train.sources or name == decided["ranker"].get("source")
    }
    types = {name: int((dataset.types == code).sum()) for code, name in enumerate(dataset.event_types)}
    return Manifest(
        version=version_name(dataset.now_ms, key),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data_start=iso(int(times.min())) if timed else None,
        data_end=iso(int(times.max())) if timed else None,
        now_ms=dataset.now_ms,
        catalogue_as_of=iso(dataset.now_ms) if timed else None,
        timed=timed,
        mode=Mode(settings.feed.mode),
        target=settings.train.target,
        counts={
            "users": dataset.n_users,
            "sessions": dataset.n_actors - dataset.n_users,
            "items": dataset.n_items,
            "items_with_events": int(len(np.unique(dataset.items))),
            "events": len(dataset.items) + len(dataset.loose_items),
            **{f"events.{name}": count for name, count in types.items() if count},
            **recipe.counts,
        },
        dimensions={name: int(value) for name, value in _dimensions(settings, sources).items()},
        seed=settings.train.seed,
        config_hash=settings.hash_of(*DECIDING),
        event_types=list(dataset.event_types),
        event_weights={name: settings.train.weight_of(name) for name in dataset.event_types},
        sources=sources,
        ranker=dict(decided["ranker"]),
        metrics={name: decided[name] for name in ("teach", "choose") if name in decided},
        libraries=_libraries(),
    )


def _dimensions(settings: Settings, sources: Mapping[str, Any]) -> dict[str, int]:
    dimensions = {"als": settings.train.als_factors, "content": settings.train.content_dim}
    return {name: dimensions[name] for name in dimensions if name in sources}
