"""What each row of a report recommends: the pipeline as it is served, single models over all items, sanity rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from recommender.bundle import Bundle, open_bundle
from recommender.config import Settings
from recommender.feed.pipeline import Pipeline
from recommender.types import FeedQuery, Rows, Scores
from recommender.wiring import build_pipeline
from training.build import Built
from training.dataset import Dataset
from training.dense import dense_over, long_models
from training.evaluation.figures import DENSE_PIPELINE, PIPELINE, SANITY, STORED_ALS
from training.evaluation.metrics import category_levels
from training.evaluation.protocol import Cases, TrainingPart
from training.evaluation.sanity import item_popularity, popularity_in_category_top, popularity_top, random_top
from training.evaluation.top_k import top_k_of_scores
from training.models.als import AlsModel
from training.models.friends import FriendsModel
from training.models.parameters import RECENCIES
from training.models.protocol import RetrievalModel
from training.progress import Progress

#: Every row that a report can hold beside the pipeline.
KNOWN_ROWS: Final = frozenset({DENSE_PIPELINE, STORED_ALS, *SANITY, "popularity_recent", *RECENCIES})
_BATCH = 64
#: float32 [n_items] of a user's row.
_ScoreOf = Callable[[int], Scores]


def pipeline_lists(built: Built, cases: Cases, settings: Settings, depth: int, progress: Progress) -> Rows:
    """The pipeline as it is served, over the bundle as it is published; by score unless diversity is asked for."""
    bundle = open_bundle(built.folder)
    pipeline = build_pipeline(bundle, settings, diversity=settings.evaluate.diversity)
    return run_pipeline(PIPELINE, pipeline, bundle, cases, built.dataset, depth, progress)


def run_pipeline(
    name: str, pipeline: Pipeline, bundle: Bundle, cases: Cases, dataset: Dataset, depth: int, progress: Progress
) -> Rows:
    """int32 [n_cases, depth], what a pipeline over a bundle of the dataset shows in each case; told by its name."""
    lists = np.full((len(cases), depth), -1, np.int32)
    with progress.stage(f"run {name}", len(cases)) as stage:
        for place, query in enumerate(queries_of(bundle, cases, dataset)):
            rows = pipeline.run(query, depth)[0].rows
            lists[place, : len(rows)] = rows
            stage.advance(1)
    return lists


def queries_of(bundle: Bundle, cases: Cases, dataset: Dataset) -> Iterator[FeedQuery]:
    """What the feed of each case is asked at the cut."""
    for place, user in enumerate(cases.users.tolist()):
        user_id = dataset.user_ids[user]
        yield FeedQuery(
            now_ms=bundle.manifest.now_ms,
            user_id=user_id,
            history=bundle.history(user_id),
            hidden_rows=cases.hidden(place, place + 1)[1],
            allowed=cases.candidates,
        )


def other_lists(
    built: Built,
    settings: Settings,
    train: TrainingPart,
    cases: Cases,
    depth: int,
    progress: Progress,
    wanted: frozenset[str] | None,
) -> Iterator[tuple[str, Rows, float]]:
    """Every other row of the report: name, lists int32 [n, depth], and how long its fit took.

    Args:
        built: Its dataset and recencies.
        settings: Of the models.
        train: The training part.
        cases: The cases.
        depth: Length of the lists.
        progress: Told of every model.
        wanted: Names to give, None for all; on cold items the two that show what is easy always come.
    """
    yield from _sanity_lists(built.dataset, settings, train, cases, depth, wanted)
    yield from _model_lists(built, settings, cases, depth, progress, wanted)


def _sanity_lists(
    dataset: Dataset, settings: Settings, train: TrainingPart, cases: Cases, depth: int, wanted: frozenset[str] | None
) -> Iterator[tuple[str, Rows, float]]:
    seed, popularity = settings.evaluate.seed, item_popularity(train, dataset.n_items)
    sanity: dict[str, Callable[[], Rows]] = {
        "random": lambda: random_top(cases, depth, seed),
        "popularity": lambda: popularity_top(cases, popularity, depth, seed),
    }
    always = set()
    if cases.candidates is not None:
        always = {"random", "popularity_in_category"}
        levels = category_levels(dataset.catalogue.categories.tolist())
        sanity["popularity_in_category"] = lambda: popularity_in_category_top(
            cases, train, popularity, levels, depth, seed
        )
    for name, draw in sanity.items():
        if wanted is None or name in wanted or name in always:
            yield name, draw(), 0.0


def _model_lists(
    built: Built, settings: Settings, cases: Cases, depth: int, progress: Progress, wanted: frozenset[str] | None
) -> Iterator[tuple[str, Rows, float]]:
    """Single models, each in the forms that are wanted, then the pipeline over their dense scores."""
    dataset, seed = built.dataset, settings.evaluate.seed
    models = long_models(dataset, settings, built.manifest)
    dense = wanted is None or DENSE_PIPELINE in wanted
    recent, total = np.zeros(0, np.float32), 0.0
    for model in models:
        forms = _forms(model, dataset)
        forms = {name: score_of for name, score_of in forms.items() if wanted is None or name in wanted}
        # Popularity is what the others fall back to.
        if not forms and not dense and model.name != "popularity_recent":
            continue
        started = time.perf_counter()
        with progress.stage(f"fit alone {model.name}", None):
            model.fit(dataset)
        seconds = time.perf_counter() - started
        total += seconds
        if model.name == "popularity_recent":
            recent = model.score_all(dataset.history(0), dataset.now_ms)
        for name, score_of in forms.items():
            yield name, _dense_lists(name, score_of, recent, cases, depth, seed, progress), seconds
    if dense:
        bundle = open_bundle(built.folder)
        over = dense_over({model.name: model for model in models}, bundle.tie_ranks)
        pipeline = build_pipeline(bundle, settings, diversity=settings.evaluate.diversity, source_over=over)
        yield DENSE_PIPELINE, run_pipeline(DENSE_PIPELINE, pipeline, bundle, cases, dataset, depth, progress), total


def _forms(model: RetrievalModel, dataset: Dataset) -> dict[str, _ScoreOf]:
    """What scores a user's row once the model is fitted, by the name of the report's row."""
    forms: dict[str, _ScoreOf] = {model.name: lambda user: model.score_all(dataset.history(user), dataset.now_ms)}
    if isinstance(model, FriendsModel):
        return {model.name: lambda user: model.score_user(dataset.user_ids[user], dataset.now_ms)}
    if isinstance(model, AlsModel):
        model.keeps_actors = True
        forms[STORED_ALS] = model.score_stored
    return forms


def _dense_lists(
    name: str, score_of: _ScoreOf, recent: Scores, cases: Cases, depth: int, seed: int, progress: Progress
) -> Rows:
    """A single model over all items, untruncated; where it has no evidence, popularity follows below."""
    lists, candidates = [], cases.candidate_items
    with progress.stage(f"run {name}", len(cases)) as stage:
        for start in range(0, len(cases), _BATCH):
            users = cases.users[start : start + _BATCH]
            scores = np.stack([score_of(user) for user in users.tolist()])
            scores = np.where(scores > 0, scores, recent[None, :] - 1.0)
            hidden = cases.hidden(start, start + len(users))
            lists.append(top_k_of_scores(scores, users, hidden, candidates, depth, seed))
            stage.advance(len(users))
    return np.concatenate(lists)
