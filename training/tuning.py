"""Choices on the teaching fold, before anything else is taught there: how models are fitted, how histories fade."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommender.bundle import Bundle
from recommender.components import build_source
from recommender.features.recency import Recency
from recommender.wiring import build_pipeline
from training.models.lineup import fit_model
from training.models.parameters import RECENCIES, default_recencies, recency_of, recency_parameters
from training.models.protocol import RetrievalModel
from training.models.shapes import SHAPES, Shape, options_of
from training.progress import Progress, Stage
from training.ranking.choose import best_of, first_as_good, mean_of, model_ndcg, source_ndcg
from training.ranking.replay import Replay
from training.recipe import Recipe
from training.stages import StageStore

_SHAPING_USERS = 500
_TUNING_USERS = 1_000
#: Standard errors that an option may fall short of the best, so that an earlier one is kept; 0 where nothing is said.
_MARGINS: Mapping[str, float] = {"cooccurrence": 0.5}


def choose_shapes(
    recipe: Recipe, store: StageStore, replay: Replay, progress: Progress
) -> tuple[Recipe, dict[str, RetrievalModel]]:
    """How each source is fitted: the shape of the best NDCG@20 alone, over all items, on the teaching fold.

    Args:
        recipe: Its settings decide what is open: what the configuration fixes is not tried.
        store: Keeps the choice.
        replay: The teaching fold's users.
        progress: Told of each fit.

    Returns:
        The recipe with every shape fixed, and the models that were fitted on the fold by those shapes, where that was
        not in an earlier run.
    """
    train = recipe.settings.train
    options = {
        name: _allowed(options_of(name, replay.dataset.timed), train.shapes.get(name, {}))
        for name in SHAPES
        if name in train.sources
    }
    ready: dict[str, RetrievalModel] = {}

    def build(place: Path) -> None:
        chosen = {}
        with progress.stage("shape", sum(map(len, options.values()))) as stage:
            for name, own in options.items():
                shape, models = _best(name, own, recipe, replay, stage)
                chosen[name] = shape.values()
                ready.update({name: models[shape]} if shape in models else {})
        (place / "shapes.json").write_text(json.dumps(chosen), encoding="utf-8")

    kept = store.run("shape", recipe.stage_key(), build)
    shapes = json.loads((kept / "shapes.json").read_text(encoding="utf-8"))
    return recipe.with_training(shapes={**train.shapes, **shapes}), ready


def _allowed(options: Sequence[Shape], fixed: Mapping[str, float]) -> tuple[Shape, ...]:
    """The shapes to try, with what the configuration fixes put in place."""
    return tuple(dict.fromkeys(type(option).of({**asdict(option), **fixed}) for option in options))


def _best(
    name: str, options: Sequence[Shape], recipe: Recipe, replay: Replay, stage: Stage
) -> tuple[Shape, dict[Shape, RetrievalModel]]:
    """The option whose model does best, or the first of those within the margin; and the models that were fitted."""
    if len(options) == 1 or not len(replay) or replay.dataset.n_items < 2:
        stage.advance(len(options))
        return options[0], {}
    recency = default_recencies(replay.dataset.timed)[name]
    models: dict[Shape, RetrievalModel] = {}
    found = {}
    for option in options:
        models[option] = fit_model(name, replay.dataset, recipe.settings, recency, option)
        found[option] = model_ndcg(models[option], replay, _SHAPING_USERS)
        stage.advance(1)
    return first_as_good(found, _MARGINS.get(name, 0.0)), models


def tune_recencies(bundle: Bundle, recipe: Recipe, replay: Replay, progress: Progress) -> dict[str, dict[str, Any]]:
    """The recency of each source that does best alone on the teaching fold; what the configuration fixes stays."""
    if not bundle.manifest.timed:
        return {}
    pipeline, fixed = build_pipeline(bundle, recipe.settings), recipe.settings.train.recencies
    names = [name for name in bundle.manifest.sources if name in RECENCIES]
    chosen = {}
    with progress.stage("tune", len(names)) as stage:
        for name in names:

            def score(recency: Recency, name: str = name) -> float:
                source = build_source(bundle, name, recency)
                return mean_of(source_ndcg(source, pipeline, replay, _TUNING_USERS))

            options = [recency_of({**asdict(option), **fixed.get(name, {})}) for option in RECENCIES[name]]
            options = list(dict.fromkeys(options))
            best = best_of(options, score)[0] if len(options) > 1 else options[0]
            chosen[name] = recency_parameters(best)
            stage.advance(1)
    return chosen
