"""What each part of the pipeline is worth: the same evaluation without it, over the folds as they are fitted.

A row takes one thing away, teaches the ranker anew on the same windows, as large as the one that serves, and shows the
test users what the bundle would. Sources are not fitted again, but where the row is about how they are fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recommender.bundle import Bundle, open_bundle
from recommender.feed.rankers.reciprocal_rank import ReciprocalRankRanker
from recommender.feed.rankers.short_history import ShortHistoryRanker
from recommender.feed.rankers.trees import TreeInputs, TreeRanker
from recommender.feed.stages import Ranker
from recommender.types import Rows
from recommender.wiring import build_pipeline
from training.build import Built
from training.evaluation.bootstrap import bootstrap
from training.evaluation.figures import PIPELINE, comparison_figure, interval_figure, rounded
from training.evaluation.metrics import ItemFacts, main_cut_off, measure
from training.evaluation.protocol import Cases
from training.footings import Footing, Way
from training.lists import run_pipeline
from training.progress import Progress
from training.ranking.boosted import BoostedRanker, Objective, fit_boosted, why_not_boosted
from training.ranking.examples import Examples, without_inputs
from training.ranking.input_groups import INPUT_GROUPS, RECENT_INPUTS, columns_of
from training.ranking.learned import fit_alike
from training.ranking.logistic import fit_logistic
from training.request import TrialRequest

_BOOSTED: Final[Mapping[str, Objective]] = {
    "LightGBM's trees, LambdaRank": "lambdarank",
    "LightGBM's trees, log loss": "binary",
}
_LOGISTIC: Final = "logistic regression"
_UNTAUGHT: Final = "a single source serves, so no ranker is taught"


@dataclass(frozen=True)
class Row:
    """The pipeline with one thing changed.

    Args:
        kind: Of what is changed, one of `request.ABLATIONS`.
        name: What it is.
        lists: int32 [n_cases, depth], what the test users are shown; None where that cannot be.
        why: Then the reason.
    """

    kind: str
    name: str
    lists: Rows | None
    why: str = ""


class Study:
    """A finished build that is taken apart.

    Args:
        built: The build; its ranker says what is taught and how large.
        cases: Who is scored on what.
        depth: Length of the lists.
        work: A folder to write to.
        progress: Told of everything that takes long.
    """

    def __init__(self, built: Built, cases: Cases, depth: int, work: Path, progress: Progress) -> None:
        self._built, self._cases, self._depth = built, cases, depth
        self._work, self._progress = work, progress
        self._served = open_bundle(built.folder, verify=False)
        self._ranker = built.manifest.ranker
        self._n_trees = len(self._served.array("ranker/features")) if self._ranker["name"] == TreeRanker.name else 0
        self.full = Footing.of(built)

    def rows(self, kinds: Iterable[str]) -> Iterator[Row]:
        """The rows of each kind in turn."""
        made: dict[str, Callable[[], Iterator[Row]]] = {
            "sources": self._without_sources,
            "inputs": self._without_inputs,
            "recency": self._without_recency,
            "refitting": lambda: self._other_examples("refitting", "sources fitted once, on all days", "knowing"),
            "dense": lambda: self._other_examples("dense", "examples of untruncated sources", "dense"),
            "rankers": self._other_rankers,
        }
        for kind in kinds:
            yield from made[kind]()

    def _without_sources(self) -> Iterator[Row]:
        for source in self.full.sources if len(self.full.sources) > 1 else ():
            yield self._on("sources", source, self.full.without(source))

    def _without_inputs(self) -> Iterator[Row]:
        if not self._learns:
            yield Row("inputs", "all", None, _UNTAUGHT)
            return
        examples = self._examples("inputs")[0]
        for name, group in INPUT_GROUPS.items():
            with without_inputs(examples, columns_of(group, self.full.sources)):
                yield self.taught("inputs", name, self.full, examples)

    def _without_recency(self) -> Iterator[Row]:
        if self._built.manifest.timed:
            yield self._on("recency", "nothing fades", self.full.unfaded(self._work, self._progress), RECENT_INPUTS)
        else:
            yield Row("recency", "nothing fades", None, "the log has no times")

    def _other_examples(self, kind: str, name: str, way: Way) -> Iterator[Row]:
        if self._learns:
            yield self.taught(kind, name, self.full, self._examples(kind, way)[0])
        else:
            yield Row(kind, name, None, _UNTAUGHT)

    def _other_rankers(self) -> Iterator[Row]:
        yield self._ranked("reciprocal ranks, not learned", ReciprocalRankRanker())
        if not self._learns:
            yield Row("rankers", "learned ones", None, _UNTAUGHT)
            return
        (examples, n_users), train = self._examples("rankers"), self.full.settings.train
        if self._ranker["name"] == TreeRanker.name:
            with self._progress.stage(f"teach {_LOGISTIC}", None):
                found = fit_logistic(examples, self.full.sources, train.seed)
            if found is not None:
                yield self._shown("rankers", _LOGISTIC, self.full, found.parameters(), found.arrays())
        for name, objective in _BOOSTED.items():
            if why := why_not_boosted() or ("" if n_users else "no window teaches but the newest"):
                yield Row("rankers", name, None, why)
                continue
            with self._progress.stage(f"teach {name}", None):
                booster = fit_boosted(examples, n_users, objective, train)
            yield self._ranked(name, BoostedRanker(booster, TreeInputs(self._served)))

    @property
    def _learns(self) -> bool:
        return bool(self._ranker["name"] != "single_source")

    def _examples(self, kind: str, way: Way = "served") -> tuple[Examples, int]:
        return self.full.examples(way, kind, self._work, self._progress)

    def _on(self, kind: str, name: str, footing: Footing, less: tuple[str, ...] = ()) -> Row:
        """On another footing, without some inputs."""
        if not self._learns:
            found: dict[str, float] = self._built.manifest.metrics["choose"]["ndcg@20"]
            best = max(footing.sources, key=lambda source: found[source])
            return self._shown(kind, name, footing, {"name": "single_source", "source": best}, {})
        examples = footing.examples("served", f"{kind} {name}", self._work, self._progress)[0]
        with without_inputs(examples, columns_of(less, footing.sources)):
            return self.taught(kind, name, footing, examples)

    def taught(self, kind: str, name: str, footing: Footing, examples: Examples) -> Row:
        """A ranker like the one that serves, taught on other examples, and what it shows."""
        with self._progress.stage(f"teach {kind} {name}", None):
            ranker = fit_alike(self._ranker["name"], self._n_trees, examples, footing.sources, footing.settings.train)
        if ranker is None:
            return Row(kind, name, None, "too few targets among the candidates")
        return self._shown(kind, name, footing, ranker.parameters(), ranker.arrays())

    def _shown(
        self, kind: str, name: str, footing: Footing, ranker: Mapping[str, Any], arrays: Mapping[str, Any]
    ) -> Row:
        """A bundle as it would serve, with its own ranker."""
        bundle = footing.bundle(self._work / "all", {**ranker, "short": self._short(footing)}, arrays)
        return Row(kind, name, self._run(f"{kind} {name}", bundle))

    def _ranked(self, name: str, ranker: Ranker) -> Row:
        """The served bundle with a ranker that cannot be part of one."""
        if "short" in self._ranker:
            ranker = ShortHistoryRanker(ranker, self._served)
        return Row("rankers", name, self._run(f"rankers {name}", self._served, ranker))

    def _run(self, name: str, bundle: Bundle, ranker: Ranker | None = None) -> Rows:
        settings = self.full.settings
        pipeline = build_pipeline(bundle, settings, ranker=ranker, diversity=settings.evaluate.diversity)
        return run_pipeline(name, pipeline, bundle, self._cases, self._built.dataset, self._depth, self._progress)

    def _short(self, footing: Footing) -> dict[str, Any] | None:
        """What ranks short histories: as decided, or without that source the next best one."""
        short: dict[str, Any] | None = self._ranker.get("short")
        if short is None or short["source"] in footing.sources:
            return short
        found: dict[str, float] = self._built.manifest.metrics["choose"]["short ndcg@20"]
        others = [name for name in found if name in footing.sources]
        return {**short, "source": max(others, key=lambda name: found[name])} if others else None


def ablation(request: TrialRequest, study: Study, cases: Cases, facts: ItemFacts, pipeline: Rows) -> dict[str, Any]:
    """Every row that is asked for, with its metrics and its difference to the pipeline on the same users.

    Args:
        request: What is asked for.
        study: The build.
        cases: Who is scored on what.
        facts: Of the items.
        pipeline: int32 [n_cases, depth], what the whole pipeline shows.

    Returns:
        `k`, the `pipeline`'s figures, `rows`, each with `kind`, `name`, figures and `over_pipeline`: the row minus the
        pipeline, paired; and `left_out`, rows that cannot be, each with `why`.
    """
    found = list(study.rows(request.ablate))
    return {
        **differences(request, [row for row in found if row.lists is not None], cases, facts, pipeline),
        "left_out": [{"kind": row.kind, "name": row.name, "why": row.why} for row in found if row.lists is None],
    }


def differences(
    request: TrialRequest, rows: list[Row], cases: Cases, facts: ItemFacts, pipeline: Rows
) -> dict[str, Any]:
    """The figures of each row beside the pipeline's, on the same resamples of users."""
    k = main_cut_off(request.ks)
    metrics = (f"ndcg@{k}", f"recall@{k}")
    lists = {PIPELINE: pipeline} | {f"{row.kind} {row.name}": row.lists for row in rows if row.lists is not None}
    measured = {name: measure(own, cases, request.ks, facts) for name, own in lists.items()}
    per_user = {name: {metric: one.per_user[metric] for metric in metrics} for name, one in measured.items()}
    terms = request.settings.evaluate
    resampled = bootstrap(per_user, terms.resamples, terms.seed)

    def figures(name: str) -> dict[str, Any]:
        own = {metric: interval_figure(resampled.interval(name, metric)) for metric in metrics}
        return {**own, f"coverage@{k}": rounded(measured[name].overall[f"coverage@{k}"])}

    def against(name: str) -> dict[str, Any]:
        return {metric: comparison_figure(resampled.compare(name, PIPELINE, metric)) for metric in metrics}

    told = [
        {"kind": row.kind, "name": row.name, **figures(key), "over_pipeline": against(key)}
        for key, row in zip(list(lists)[1:], rows, strict=True)
    ]
    return {"k": k, "pipeline": figures(PIPELINE), "rows": told}
