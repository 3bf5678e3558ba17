"""Choices on the teaching fold, before anything else is taught there: how models are fitted, how histories fade."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.wiring import build_pipeline, build_source
from training.models.als import AlsModel
from training.models.cooccurrence import CooccurrenceModel
from training.models.ease import EaseModel
from training.models.gfcf import GfcfModel
from training.models.parameters import RECENCIES, default_recencies, recency_parameters
from training.models.protocol import RetrievalModel
from training.models.shapes import (
    ALS_SHAPES,
    COOCCURRENCE_SHAPES,
    EASE_SHAPES,
    GFCF_SHAPES,
    UNTIMED_COOCCURRENCE_SHAPES,
    AlsShape,
    CooccurrenceShape,
    EaseShape,
    GfcfShape,
    Shapes,
)
from training.progress import Progress, Stage
from training.ranking.choose import T, best_of, first_as_good, mean_of, model_ndcg, source_ndcg
from training.ranking.replay import Replay
from training.recipe import Recipe
from training.stages import StageStore

_SHAPING_USERS = 500
_TUNING_USERS = 1_000


def choose_shapes(recipe: Recipe, store: StageStore, replay: Replay, progress: Progress) -> Shapes:
    """How each model is fitted: the shape of the best NDCG@20 alone, over all items, on the teaching fold.

    Args:
        recipe: Its settings decide what is open: a shape that the configuration fixes is not tried.
        store: Keeps the choice.
        replay: The teaching fold's users.
        progress: Told of each fit.
    """
    dataset, train, bundle = replay.dataset, recipe.settings.train, recipe.settings.bundle
    recencies = default_recencies(dataset.timed)
    cooccurrence = COOCCURRENCE_SHAPES if dataset.timed else UNTIMED_COOCCURRENCE_SHAPES
    als = _allowed_als_shapes(train.als_alpha, train.als_regularization)

    def of_cooccurrence(shape: CooccurrenceShape) -> RetrievalModel:
        return CooccurrenceModel(recencies["cooccurrence"], bundle.neighbours, shape)

    def of_als(shape: AlsShape) -> RetrievalModel:
        return AlsModel(train, bundle, recencies["als"], shape)

    def of_gfcf(shape: GfcfShape) -> RetrievalModel:
        return GfcfModel(recencies["gfcf"], bundle.neighbours, shape)

    def of_ease(shape: EaseShape) -> RetrievalModel:
        return EaseModel(recencies["ease"], bundle.neighbours, shape)

    def build(place: Path) -> None:
        total = len(cooccurrence) + len(als) + len(GFCF_SHAPES) + len(EASE_SHAPES)
        with progress.stage("shape", total) as stage, threadpool_limits(1, "blas"):
            best = Shapes(
                _best(cooccurrence, of_cooccurrence, replay, stage, wanted="cooccurrence" in train.sources, margin=0.5),
                _best(als, of_als, replay, stage, wanted="als" in train.sources),
                _best(GFCF_SHAPES, of_gfcf, replay, stage, wanted="gfcf" in train.sources),
                _best(EASE_SHAPES, of_ease, replay, stage, wanted="ease" in train.sources),
            )
        (place / "shapes.json").write_text(json.dumps(asdict(best)), encoding="utf-8")

    kept = store.run("shape", recipe.stage_key(), build)
    return Shapes.of(json.loads((kept / "shapes.json").read_text(encoding="utf-8")))


def _allowed_als_shapes(alpha: float | None, regularization: float | None) -> tuple[AlsShape, ...]:
    """The shapes to try, with what the configuration fixes put in place."""
    fixed = {name: value for name, value in (("alpha", alpha), ("regularization", regularization)) if value is not None}
    return tuple(dict.fromkeys(replace(shape, **fixed) for shape in ALS_SHAPES))


def _best(
    options: Sequence[T],
    model_of: Callable[[T], RetrievalModel],
    replay: Replay,
    stage: Stage,
    *,
    wanted: bool,
    margin: float = 0.0,
) -> T:
    """The option whose model does best, or the first of those within `margin` standard errors of it."""
    if not wanted or len(options) == 1 or not len(replay) or replay.dataset.n_items < 2:
        stage.advance(len(options))
        return options[0]

    found = {}
    for option in options:
        model = model_of(option)
        model.fit(replay.dataset)
        found[option] = model_ndcg(model, replay, _SHAPING_USERS)
        stage.advance(1)
    return first_as_good(found, margin)


def tune_recencies(bundle: Bundle, recipe: Recipe, replay: Replay, progress: Progress) -> dict[str, dict[str, float]]:
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
                return mean_of(source_ndcg(source, pipeline, replay, _TUNING_USERS))

            best, _ = best_of(RECENCIES[name], score)
            chosen[name] = recency_parameters(best)
            stage.advance(1)
    return chosen
