"""What a pipeline stands on, its sources, fitted folds and recencies; the examples of it, made in several ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from recommender.bundle import Bundle, open_bundle
from recommender.config import Settings
from recommender.features.recency import Recency
from recommender.feed.pipeline import Pipeline
from recommender.feed.rankers.trees import TreeInputs
from recommender.wiring import build_pipeline
from training.build import Built, fit_parts
from training.dataset import Dataset
from training.dense import dense_over, long_models
from training.progress import Progress
from training.publish import finish_bundle
from training.ranking.examples import Examples, build_examples, joined
from training.ranking.replay import Case, translated_cases
from training.recipe import Recipe, manifest_of
from training.stages import StageStore
from training.teaching import FittedFold, parameters_of

#: How examples are made: `served` as when the ranker that serves was taught; `knowing` over sources that were fitted on
#: the whole training part, the examples' answers among it; `dense` over sources without what serving saves.
Way = Literal["served", "knowing", "dense"]
#: A half-life of so many seconds is none.
_NEVER: Final = 1e15


@dataclass(frozen=True)
class Footing:
    """What a pipeline stands on.

    Args:
        built: The build that it comes from.
        recipe: Its settings name the sources.
        folds: Those that teach, then the choosing one.
        parts: What was fitted on the whole training part, which serves.
        recencies: Of the sources.
    """

    built: Built
    recipe: Recipe
    folds: tuple[FittedFold, ...]
    parts: Path
    recencies: Mapping[str, dict[str, Any]]

    @classmethod
    def of(cls, built: Built) -> Footing:
        """That of a build, as it is."""
        sources = built.manifest.sources
        recencies = {
            name: asdict(Recency.of(own)) for name, own in sources.items() if "half_life_items" in own
        }  # popularity has a half-life too, but one that it is fitted with
        return cls(built, built.recipe, built.folds, built.parts, recencies)

    @property
    def settings(self) -> Settings:
        """All sections."""
        return self.recipe.settings

    @property
    def sources(self) -> tuple[str, ...]:
        """In the order of their columns."""
        return tuple(sorted(set(parameters_of(self.parts)) & set(self.settings.train.sources)))

    def without(self, source: str) -> Footing:
        """The same without a source: neither its candidates nor its inputs; popularity stays the tail of all lists."""
        others = tuple(name for name in self.settings.train.sources if name != source)
        return replace(self, recipe=self.recipe.with_training(sources=others))

    def unfaded(self, work: Path, progress: Progress) -> Footing:
        """All sources fitted anew and asked without half-lives."""
        recipe = self.recipe.with_training(half_life=_NEVER, popularity_half_life=_NEVER)
        still = {"half_life_days": 0.0, "half_life_items": 0.0}
        recencies = {name: {**own, **still} for name, own in self.recencies.items()}
        store = StageStore(work / "unfaded")
        fitted: dict[int, Path] = {}

        def fit(dataset: Dataset) -> Path:
            # Folds without time share their dataset.
            if id(dataset) not in fitted:
                name = f"unfaded {len(fitted) + 1}"
                fitted[id(dataset)] = fit_parts(recipe, store, name, dataset, progress)
            return fitted[id(dataset)]

        folds = tuple(FittedFold(fold.replay, fit(fold.replay.dataset)) for fold in self.folds)
        return replace(self, recipe=recipe, folds=folds, parts=fit(self.built.dataset), recencies=recencies)

    def bundle(
        self, folder: Path, ranker: Mapping[str, Any], arrays: Mapping[str, Any], fold: FittedFold | None = None
    ) -> Bundle:
        """The bundle of the whole training part, or of a fold, with a ranker; written to a folder and opened.

        Args:
            folder: Where to; what was there goes.
            ranker: As the manifest holds it, `short` among it.
            arrays: Of the ranker.
            fold: Which one.
        """
        dataset, parts = (self.built.dataset, self.parts) if fold is None else (fold.replay.dataset, fold.parts)
        own = dict(ranker)
        decided = {"recencies": self.recencies, "short": own.pop("short", None), "ranker": own}
        if decided["short"] is None:
            del decided["short"]
        finish_bundle(parts, folder, manifest_of(self.recipe, dataset, parameters_of(parts), decided), dict(arrays))
        return open_bundle(folder, verify=False)

    def examples(self, way: Way, name: str, work: Path, progress: Progress) -> tuple[Examples, int]:
        """Examples of all folds, and how many of their users are not the choosing fold's, which stand last.

        Args:
            way: How they are made.
            name: What progress calls them.
            work: A folder to write bundles to.
            progress: Told of each fold.
        """
        parts = []
        for fold in self.folds:
            most = min(len(fold.replay), self.settings.train.max_example_users)
            with progress.stage(f"examples {name}", most) as stage:
                bundle, pipeline, cases = self._asked(way, fold, work / "fold", most)
                parts.append(build_examples(pipeline, cases, TreeInputs(bundle).of, stage.advance))
        return joined(parts), sum(len(part.offsets) - 1 for part in parts[:-1])

    def _asked(self, way: Way, fold: FittedFold, folder: Path, most: int) -> tuple[Bundle, Pipeline, Iterable[Case]]:
        """What a fold's users are asked of, and the users in the rows of it."""
        # Rankers come later; until then a bundle names a source of its own.
        undecided = {"name": "single_source", "source": self.sources[0]}
        if way == "knowing":
            bundle = self.bundle(folder, undecided, {})
            return bundle, build_pipeline(bundle, self.settings), translated_cases(fold.replay, bundle, most)
        bundle, cases = self.bundle(folder, undecided, {}, fold), fold.replay.cases(most)
        if way == "served":
            return bundle, build_pipeline(bundle, self.settings), cases
        models = long_models(fold.replay.dataset, self.settings, self.built.manifest)
        for model in models:
            model.fit(fold.replay.dataset)
        over = dense_over({model.name: model for model in models}, bundle.tie_ranks)
        return bundle, build_pipeline(bundle, self.settings, source_over=over), cases
