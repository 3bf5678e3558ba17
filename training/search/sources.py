"""Which sources earn their place on the window: what a ranker makes of their candidates, with and without each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from recommender.components import build_ranker
from recommender.feed.rankers.trees import TreeInputs, TreeRanker
from recommender.types import Candidates, Rows
from recommender.wiring import build_pipeline
from training.models.parameters import recency_of, recency_parameters
from training.ranking.choose import mean_of, ranker_ndcg
from training.ranking.examples import build_examples
from training.ranking.learned import LearnedRanker, fit_alike
from training.ranking.logistic import fit_logistic
from training.recipe import Recipe
from training.search.budget import Budget
from training.search.record import Trial
from training.teaching import UNDECIDED, FittedFold

#: Fits every source of a recipe on the window.
FitFold = Callable[[Recipe], Path]
#: Sources that a configuration has to name, and a search may add.
EXTRA: Final = ("ease",)
#: Every feed's tail, and what alone knows of items that nobody touched yet, which a window can hardly miss.
_ALWAYS: Final = frozenset({"popularity_recent", "content", "newcomers"})
_PART: Final = "sources"
_USERS: Final = 1_500
_TREES: Final = 150
#: A source that alone finds more than this share of what all find together stays without a trial.
_OWN_SHARE: Final = 0.01


@dataclass(frozen=True)
class SourceTrials:
    """The window with every source fitted on it.

    Args:
        recipe: With the shapes and recencies found so far; its sources are those that are fitted.
        fold: The window, fitted.
        work: A folder to write bundles to.
        budget: What is left.
    """

    recipe: Recipe
    fold: FittedFold
    work: Path
    budget: Budget

    def chosen(self, usual: tuple[str, ...]) -> tuple[str, ...]:
        """The usual sources but for those that are not missed, and what is clearly worth adding.

        Args:
            usual: What serves without a search.
        """
        best = self._trial(usual, self.budget.left / 2)
        if best is None:
            return usual
        kept, own = usual, best.told
        for name in sorted({*usual} & {*own} - _ALWAYS, key=lambda name: (own[name], name)):
            others = tuple(each for each in kept if each != name)
            if own[name] > _OWN_SHARE or len(others) < 2:
                continue
            # Where nobody misses it, less is better: there is less to fit and to serve.
            trial = self._trial(others)
            if trial is not None and mean_of(trial.half(1)) >= mean_of(best.half(1)):
                kept, best = others, trial
        for name in sorted({*EXTRA} & {*self.recipe.settings.train.sources} - {*usual}):
            trial = self._trial((*kept, name))
            if trial is not None and _clearly_better(trial, best):
                kept, best = (*kept, name), trial
        return kept

    def _trial(self, sources: tuple[str, ...], unlike: float = 0.0) -> Trial | None:
        expected = self.budget.like(_PART, fitted=True)
        self.budget.say(f"sources {', '.join(sources)}")
        return self.budget.trial(
            _PART,
            {"sources": list(sources)},
            unlike if expected is None else expected,
            0.0,
            lambda: self._measured(sources),
        )

    def _measured(self, sources: tuple[str, ...]) -> Trial:
        """Taught on every second user, measured on the others; what each source alone finds is told."""
        recipe, train = self.recipe.with_training(sources=sources), self.recipe.settings.train
        recencies = {name: recency_parameters(recency_of(own)) for name, own in train.recencies.items()}
        undecided = {**UNDECIDED, "recencies": recencies}
        bundle = self.fold.open(recipe, self.work / "search", undecided)
        pipeline, cases = build_pipeline(bundle, recipe.settings), list(self.fold.replay.cases(_USERS))
        examples = build_examples(pipeline, cases[::2], TreeInputs(bundle).of)
        names, n_trees = tuple(bundle.manifest.sources), min(_TREES, train.most_trees)
        learned: LearnedRanker | None = fit_alike(TreeRanker.name, n_trees, examples, names, train)
        learned = learned or fit_logistic(examples, names, train.seed)
        if learned is None:
            return Trial(_PART, {"sources": list(sources)}, [0.0] * len(cases), 0.0, fitted=True)
        ranker = build_ranker(self.fold.open(recipe, self.work / "search ranker", undecided, learned))
        judged = ranker_ndcg(pipeline, {"learned": ranker}, cases[1::2])["learned"]
        own = _own_shares(names, ((pipeline.candidates(case.query), case.targets) for case in cases[1::2]))
        found = np.zeros(len(cases))
        found[1::2] = judged
        return Trial(_PART, {"sources": list(sources)}, found.tolist(), 0.0, fitted=True, told=own)


def _own_shares(names: tuple[str, ...], found: Iterable[tuple[Candidates, Rows]]) -> dict[str, float]:
    """{source: the share of all targets found that no other source found}."""
    alone, total = np.zeros(len(names)), 0
    for candidates, targets in found:
        hit = ~np.isnan(candidates.source_scores[np.isin(candidates.rows, targets)])
        total += len(hit)
        alone += hit[hit.sum(axis=1) == 1].sum(axis=0)
    return dict(zip(names, (alone / max(total, 1)).tolist(), strict=True))


def _clearly_better(trial: Trial, than: Trial) -> bool:
    """By more than one standard error of the paired difference."""
    gain = trial.half(1) - than.half(1)
    return bool(mean_of(gain) > gain.std() / np.sqrt(max(len(gain), 1)))
