"""The search: sources climb one beside the other, then it is tried which of them are missed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recommender.config import TrainSettings
from training.models.friends import FriendsModel
from training.models.lineup import make_models
from training.models.parameters import RECENCIES, default_recencies
from training.models.shapes import SHAPES, Shapes
from training.progress import Progress
from training.ranking.choose import mean_of
from training.ranking.replay import Replay
from training.recipe import Recipe
from training.search.budget import Budget
from training.search.climb import Candidate, Climb
from training.search.fits import Fits
from training.search.record import Trial, TrialRecord
from training.search.sources import EXTRA, FitFold, SourceTrials
from training.stages import StageStore, content_key
from training.teaching import FittedFold

#: Of the budget, for shapes and recencies, where sources are open as well.
_CLIMBING: Final = 0.6
#: What is cheap to fit goes first where nothing is known of the time it takes.
_ORDER: Final = ("own_frequency", "popularity_category", "cooccurrence", "content", "gfcf", "als", "ease")


@dataclass(frozen=True)
class Search:
    """What is searched, and where.

    Args:
        asked: The settings as they were asked for: what they fix is left alone.
        recipe: With the shapes that are chosen without a search.
        replay: The oldest window that teaches: of nothing else anything is seen.
        seconds: The budget.
        work: A folder to write bundles to.
        fit: Fits all sources of a recipe on that window.
    """

    asked: TrainSettings
    recipe: Recipe
    replay: Replay
    seconds: float
    work: Path
    fit: FitFold

    @property
    def sources_open(self) -> bool:
        """Whether the configuration leaves it open which sources serve."""
        return "sources" not in self.asked.model_fields_set


def search(
    asked: Search, store: StageStore, progress: Progress, clock: Callable[[], float] = time.perf_counter
) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with what was found; what was found only on half of the users, or not at all, stays as it was.

    Returns:
        The recipe, and what is told of the search: its time, its trials, each source's NDCG@20 without and with it on
        the users that it did not go by, and the sources.
    """
    key = content_key(asked.asked.model_dump(mode="json"), asked.recipe.stage_key(), asked.sources_open)
    record = TrialRecord(store.record("search", key))
    with progress.stage("search", 1.0) as stage:
        budget = Budget(asked.seconds, record, stage, clock)
        fits = Fits(asked.recipe.settings, asked.replay)
        climbs = _climbs(asked)
        _climb_all(asked, climbs, fits, budget)
        recipe = asked.recipe
        train, chosen = recipe.settings.train, {climb.name: climb.agreed() for climb in climbs}
        recipe = recipe.with_training(
            shapes={**train.shapes, **{n: c.shape.values() for n, c in chosen.items() if c and c.shape}},
            recencies={
                **train.recencies,
                **{n: c.choice()["recency"] for n, c in chosen.items() if c and _timed(asked)},
            },
        )
        if asked.sources_open:
            recipe = recipe.with_training(sources=_sources(asked, recipe, climbs, budget))
    return recipe, _told(budget, climbs, train.sources, recipe.settings.train.sources)


def _timed(asked: Search) -> bool:
    return asked.replay.dataset.timed


def _climbs(asked: Search) -> list[Climb]:
    """One for each source that the window feeds and that leaves anything open, the cheap ones first."""
    train = asked.recipe.settings.train
    names = [*train.sources, *(EXTRA if asked.sources_open else ())]
    everything = asked.recipe.with_training(sources=tuple(names)).settings
    recencies = default_recencies(_timed(asked))
    made = make_models(asked.replay.dataset, everything, recencies, Shapes())
    # What a history alone does not tell is left to the choices of every run.
    fed = {model.name for model in made if not isinstance(model, FriendsModel)}
    known = sorted(fed & {*RECENCIES}, key=lambda name: (name not in _ORDER, [*_ORDER, name].index(name), name))
    shapes = Shapes.of(train.shapes)
    climbs = []
    for name in known:
        fixed = {"shape": asked.asked.shapes.get(name, {}), "recency": asked.asked.recencies.get(name, {})}
        shape = getattr(shapes, name) if name in SHAPES else None
        climb = Climb(name, shape, fixed, timed=_timed(asked))
        if climb.axes:
            climbs.append(climb)
    return climbs


def _climb_all(asked: Search, climbs: list[Climb], fits: Fits, budget: Budget) -> None:
    """Whoever has had the least time is next; a source whose next trial would not end in time stops where it is."""
    walks = {climb.name: climb.walk() for climb in climbs}
    best = {climb.name: climb for climb in climbs}
    waiting: dict[str, Candidate] = {name: next(walk) for name, walk in walks.items()}
    spent = dict.fromkeys(waiting, 0.0)
    kept_back = budget.seconds * (1 - _CLIMBING) if asked.sources_open else 0.0
    while waiting:
        name = min(waiting, key=lambda one: spent[one])
        candidate = waiting.pop(name)
        trial = _trial(fits, name, candidate, budget, kept_back)
        if trial is None:
            continue
        spent[name] += trial.seconds
        try:
            waiting[name] = walks[name].send(trial)
        except StopIteration:
            continue
        finally:
            budget.say(f"{name} {_best_of(best[name]):.4f}")


def _trial(fits: Fits, name: str, candidate: Candidate, budget: Budget, kept_back: float) -> Trial | None:
    lacking = fits.lacks(name, candidate)
    expected = budget.like(name, lacking)
    if expected is None:
        expected = max((budget.like(other, lacking) or 0.0 for other in _ORDER), default=0.0)
    return budget.trial(name, candidate.choice(), expected, kept_back, lambda: fits.measured(name, candidate))


def _best_of(climb: Climb) -> float:
    return 0.0 if climb.best is None else mean_of(climb.best[1].half(0))


def _sources(asked: Search, recipe: Recipe, climbs: list[Climb], budget: Budget) -> tuple[str, ...]:
    usual = recipe.settings.train.sources
    extra = tuple(climb.name for climb in climbs if climb.name not in usual and climb.best is not None)
    # What no search agreed on is tuned later; here it stands as it did best.
    stood = {climb.name: climb.base[0].choice()["recency"] for climb in climbs if climb.base and _timed(asked)}
    recencies = {**stood, **recipe.settings.train.recencies}
    everything = recipe.with_training(sources=(*usual, *extra), recencies=recencies)
    expected = sum(budget.like(climb.name, fitted=True) or 0.0 for climb in climbs)
    fitted: list[Path] = []

    def fit() -> Trial:
        fitted.append(asked.fit(everything))
        return Trial("fit", {"fitted": True}, [], 0.0, fitted=True)

    if budget.trial("fit", {"fitted": True}, expected, 0.0, fit) is None:
        return usual
    parts = fitted[0] if fitted else asked.fit(everything)
    return SourceTrials(everything, FittedFold(asked.replay, parts), asked.work, budget).chosen(usual)


def _told(budget: Budget, climbs: list[Climb], before: tuple[str, ...], after: tuple[str, ...]) -> dict[str, Any]:
    ndcg = {
        climb.name: {
            "without": mean_of(climb.base[1].half(1)),
            "with": mean_of((climb.best if climb.agreed() else climb.base)[1].half(1)),
        }
        for climb in climbs
        if climb.base is not None and climb.best is not None
    }
    return {
        "budget_seconds": budget.seconds,
        "spent_seconds": round(budget.spent, 1),
        "trials": budget.n_trials,
        "ndcg@20": ndcg,
        "dropped": sorted({*before} - {*after}),
        "added": sorted({*after} - {*before}),
    }


def search_sentence(told: Mapping[str, Any]) -> str:
    """What a search found, in one sentence."""
    gains = [
        f"{name} {own['without']:.4f} to {own['with']:.4f}"
        for name, own in told["ndcg@20"].items()
        if own["with"] > own["without"]
    ]
    parts = [f"{told['trials']} trials in {told['spent_seconds']:.0f} s", *(gains or ["no source alone was better"])]
    parts += [f"{verb} {', '.join(told[verb])}" for verb in ("dropped", "added") if told[verb]]
    return f"the search made {'; '.join(parts)} (NDCG@20 on users of its window that it did not go by)"
