"""Teaching rankers on fitted folds, and choosing on the newest of them what serves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.bundle import Bundle, Manifest, open_bundle
from recommender.components import build_ranker
from recommender.feed.pipeline import Pipeline
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.rankers.trees import TreeInputs
from recommender.feed.stages import Ranker
from recommender.wiring import build_pipeline
from training.models.parameters import recency_of, recency_parameters
from training.progress import Progress
from training.publish import finish_bundle
from training.ranking.calibration import calibrate, window_visits
from training.ranking.choose import first_as_good, mean_of, ranker_ndcg
from training.ranking.examples import Examples, build_examples, joined, shortest_history
from training.ranking.learned import LearnedRanker, fit_rankers
from training.ranking.replay import Replay
from training.recipe import Recipe, manifest_of, target_code
from training.stages import StageStore
from training.tuning import tune_recencies

#: The ranker of bundles whose ranking is still to be decided.
UNDECIDED: Final[Mapping[str, Any]] = {
    "ranker": {"name": "single_source", "source": "popularity_recent"},
    "recencies": {},
}
_CHOOSING_USERS: Final = 2_000
#: Sources that can speak for a single event, first the one that names what goes with it in particular; and how many
#: events a short history is tried with.
_PERSONAL: Final[tuple[str, ...]] = ("cooccurrence", "gfcf", "als", "ease")
_SHORT_EVENTS: Final = 2


@dataclass(frozen=True)
class FittedFold:
    """A fold's users, and the parts of a bundle whose sources were fitted on what they are known by."""

    replay: Replay
    parts: Path

    def finish(
        self, recipe: Recipe, folder: Path, decided: Mapping[str, Any], ranker: LearnedRanker | None = None
    ) -> Manifest:
        """Write the complete bundle."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        if ranker is not None:
            arrays, decided = ranker.arrays(), {**decided, "ranker": ranker.parameters()}
        return finish_bundle(
            self.parts, folder, manifest_of(recipe, self.replay.dataset, parameters_of(self.parts), decided), arrays
        )

    def open(
        self, recipe: Recipe, folder: Path, decided: Mapping[str, Any], ranker: LearnedRanker | None = None
    ) -> Bundle:
        """Write the complete bundle, and open it as the server would."""
        self.finish(recipe, folder, decided, ranker)
        return open_bundle(folder, verify=False)


def parameters_of(parts: Path) -> dict[str, dict[str, Any]]:
    """What the manifest says of the fitted sources, by name."""
    return dict(json.loads((parts.parent / "sources.json").read_text(encoding="utf-8")))


def tuned(recipe: Recipe, fold: FittedFold, work: Path, store: StageStore, progress: Progress) -> Recipe:
    """The recipe with the recency of every source fixed, as it does best on a fold."""

    def build(place: Path) -> None:
        bundle = fold.open(recipe, work / "teach", UNDECIDED)
        found = tune_recencies(bundle, recipe, fold.replay, progress)
        (place / "recencies.json").write_text(json.dumps(found), encoding="utf-8")

    kept = store.run("tune", recipe.stage_key(), build)
    found = json.loads((kept / "recencies.json").read_text(encoding="utf-8"))
    chosen = {name: {key: float(value) for key, value in own.items()} for name, own in found.items()}
    return recipe.with_training(recencies={**recipe.settings.train.recencies, **chosen})


def teach_and_choose(
    recipe: Recipe, teaches: Sequence[FittedFold], choose: FittedFold, work: Path, place: Path, progress: Progress
) -> None:
    """Decide the ranker, and leave `decided.json` and its arrays in a folder.

    Rankers learn on all folds that teach, stop by the choosing fold and are compared there. The one that serves then
    learns once more, as long, on the choosing fold's examples too; the one that has never seen them stays beside it,
    for the gate. The chances of its scores are calibrated on that fold too.

    Args:
        recipe: Input and settings.
        teaches: The folds that teach, the newest first.
        choose: The newest fold.
        work: Where bundles are written on the way.
        place: Gets `decided.json`, `twin/` and `all/` where a learned ranker serves, and `calibration/`.
        progress: Told of every stage.
    """
    asked = recipe.settings.train.recencies
    recencies = {name: recency_parameters(recency_of(values)) for name, values in asked.items()}
    tuned = {**UNDECIDED, "recencies": recencies}
    parts = [_examples(recipe, fold, fold.open(recipe, work / "teach", tuned), progress) for fold in teaches]
    bundle = choose.open(recipe, work / "choose", tuned)
    newest = _examples(recipe, choose, bundle, progress)
    examples, sources = joined(parts), tuple(bundle.manifest.sources)
    with progress.stage("rank", None):
        learned = fit_rankers(examples, newest, sources, recipe.settings.train)
    decided: dict[str, Any] = {"recencies": recencies, "teach": _told(examples, learned)}
    rankers: dict[str, Ranker] = {name: SingleSourceRanker(bundle, name) for name in sources}
    for ranker in learned:
        rankers[ranker.name] = build_ranker(choose.open(recipe, work / ranker.name, tuned, ranker))
    pipeline = build_pipeline(bundle, recipe.settings)
    decided |= _choice(pipeline, rankers, learned, choose.replay, shortest_history(examples, sources), progress)
    # Folds without time share their training part, and have no horizon.
    if choose.replay.dataset is not teaches[0].replay.dataset:
        decided |= _calibrated(recipe, pipeline, rankers, decided, choose.replay, place / "calibration", progress)
    for ranker in learned:
        if ranker.name == decided["ranker"]["name"]:
            _keep(ranker, place / "twin")
            with progress.stage("rank all", None):
                _keep(ranker.again(joined([*parts, newest])), place / "all")
    (place / "decided.json").write_text(json.dumps(decided, sort_keys=True), encoding="utf-8")


def kept_ranker(place: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What `teach_and_choose` left of a ranker: what it changes in `decided`, and its arrays, its calibration's too."""
    arrays = kept_arrays(place.with_name("calibration"))
    if not place.is_dir():
        return {}, arrays
    parameters = json.loads((place / "parameters.json").read_text(encoding="utf-8"))
    return {"ranker": parameters}, arrays | kept_arrays(place)


def kept_arrays(place: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays that a stage left in a folder, by name."""
    return {path.stem: np.load(path, allow_pickle=False) for path in sorted(place.glob("*.npy"))}


def _keep_arrays(arrays: Mapping[str, npt.NDArray[Any]], place: Path) -> None:
    place.mkdir()
    for name, values in arrays.items():
        np.save(place / f"{name}.npy", values)


def _keep(ranker: LearnedRanker, place: Path) -> None:
    _keep_arrays(ranker.arrays(), place)
    (place / "parameters.json").write_text(json.dumps(ranker.parameters(), sort_keys=True), encoding="utf-8")


def _examples(recipe: Recipe, fold: FittedFold, bundle: Bundle, progress: Progress) -> Examples:
    train = recipe.settings.train
    with progress.stage("examples", min(len(fold.replay), train.max_example_users)) as stage:
        return build_examples(
            build_pipeline(bundle, recipe.settings),
            fold.replay.cases(train.max_example_users),
            TreeInputs(bundle).of,
            stage.advance,
        )


def _told(examples: Examples, learned: Sequence[LearnedRanker]) -> dict[str, Any]:
    return {
        "users": len(examples.offsets) - 1,
        "examples": len(examples.labels),
        "targets": int(examples.labels.sum()),
        "candidate_recall": examples.candidate_recall,
        **{f"importance.{ranker.name}": ranker.importance for ranker in learned if ranker.importance},
    }


def _choice(
    pipeline: Pipeline,
    rankers: Mapping[str, Ranker],
    learned: Sequence[LearnedRanker],
    replay: Replay,
    shortest: int,
    progress: Progress,
) -> dict[str, Any]:
    """Learned rankers and single sources on the choosing fold: the best of the learned serves unless it loses.

    It has seen histories of `shortest` items; what ranks shorter ones is chosen on histories cut to their last events.
    """
    with progress.stage("choose", None):
        found = _means(ranker_ndcg(pipeline, rankers, replay.cases(_CHOOSING_USERS)))
    best = max(pipeline.sources, key=lambda name: found[name])
    told: dict[str, Any] = {"users": min(len(replay), _CHOOSING_USERS), "ndcg@20": found}
    strongest = max(learned, key=lambda ranker: found[ranker.name], default=None)
    if strongest is None or found[strongest.name] < found[best]:
        return {"ranker": {"name": "single_source", "source": best}, "choose": told}
    decided: dict[str, Any] = {"ranker": strongest.parameters(), "choose": told}
    personal = {name: rankers[name] for name in _PERSONAL if name in rankers}
    if personal and shortest > 1:
        with progress.stage("choose for short histories", None):
            short = ranker_ndcg(pipeline, personal, replay.cases(_CHOOSING_USERS), newest_events=_SHORT_EVENTS)
        told["short ndcg@20"] = _means(short)
        decided["short"] = {"source": first_as_good(short, margin=1.0), "below": shortest}
    return decided


def _calibrated(
    recipe: Recipe,
    pipeline: Pipeline,
    rankers: Mapping[str, Ranker],
    decided: Mapping[str, Any],
    replay: Replay,
    place: Path,
    progress: Progress,
) -> dict[str, Any]:
    """The chances of the scores of what serves, on the window that it has not seen; leaves the knots in a folder."""
    train, own = recipe.settings.train, decided["ranker"]
    target = target_code(recipe.table, train.target)
    visits = window_visits(recipe.table, recipe.keep, replay.dataset, target, train.seed)
    max_users = min(len(visits.users), train.max_example_users)
    with progress.stage("calibrate", max_users) as stage:
        fitted, told = calibrate(
            pipeline,
            rankers[own.get("source", own["name"])],
            replay,
            visits,
            type_weights=replay.dataset.event_weights,
            short_below=decided.get("short", {}).get("below", 0),
            max_users=max_users,
            advance=stage.advance,
        )
    if fitted is None:
        return {"calibrate": told}
    _keep_arrays(fitted.arrays(), place)
    return {"calibrate": told, "calibration": {"horizon_days": told["horizon_days"]}}


def _means(per_user: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, float]:
    return {name: mean_of(values) for name, values in per_user.items()}
