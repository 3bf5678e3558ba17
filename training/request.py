"""What to evaluate, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recommender.config import Settings
from recommender.errors import ConfigurationError
from recommender.types import Mode
from training.inputs import InputPaths
from training.recipe import DECIDING

#: What can be taken away to see what it is worth, in the order of the rows.
ABLATIONS: Final = ("sources", "inputs", "recency", "refitting", "dense", "rankers")
_MOST_CUTS: Final = 24
_MOST_SEEDS: Final = 20
#: What comes beside a report has its name with one of these.
_BESIDE: Final = (".html", ".png", ".parquet")


@dataclass(frozen=True)
class TrialRequest:
    """What to evaluate, and how.

    Args:
        paths: Input files; the events are the training part, or the whole log where newest days are held out.
        out: The report's file; rejects, per-user figures, the page and the plot go beside it.
        settings: All sections.
        test: File of the test part, or None.
        holdout_seconds: Length of the newest part to hold out, or None.
        target: Event type of the targets.
        ks: Cut-offs.
        novel_only: Hide what a user touched, and take it out of the targets.
        cold: Candidates and targets are only items first seen in the test part.
        baselines: Names of single models and sanity rows to report; None for all.
        cuts: How many held-out parts, one before the other, each with models fitted on what lies before it.
        seeds: How many seeds to fit and draw with, from `train.seed` on.
        slate_curve: Measure what variety costs, too: the last stage again over a grid of its settings.
        budget_seconds: For how long to search for better choices, all cuts and seeds together; None for no search.
        ablate: Kinds of parts, of `ABLATIONS`, to measure the pipeline without, on the newest cut with the first seed.
    """

    paths: InputPaths
    out: Path
    settings: Settings
    test: Path | None = None
    holdout_seconds: float | None = None
    target: str = "purchase"
    ks: tuple[int, ...] = (10, 20, 50)
    novel_only: bool = False
    cold: bool = False
    baselines: frozenset[str] | None = None
    cuts: int = 1
    seeds: int = 1
    slate_curve: bool = False
    budget_seconds: float | None = None
    ablate: tuple[str, ...] = ()

    def check(self, known_rows: frozenset[str]) -> None:
        """Refuse what contradicts itself.

        Raises:
            ConfigurationError: Neither or both of test and holdout, an unknown baseline or part, too many cuts or
                seeds, or a report where its page would come.
        """
        if (self.test is None) == (self.holdout_seconds is None):
            raise ConfigurationError("give either --test FILE or --holdout DURATION, such as --holdout 14d")
        if unknown := sorted((self.baselines or set()) - known_rows):
            raise ConfigurationError(
                f"--baselines names {unknown[0]!r}; wanted all, or some of {', '.join(sorted(known_rows))}"
            )
        if strange := [kind for kind in self.ablate if kind not in ABLATIONS]:
            raise ConfigurationError(f"--ablate names {strange[0]!r}; wanted all, or some of {', '.join(ABLATIONS)}")
        for option, value, most in (("--cuts", self.cuts, _MOST_CUTS), ("--seeds", self.seeds, _MOST_SEEDS)):
            if not 1 <= value <= most:
                raise ConfigurationError(f"{option} {value} is not from 1 to {most}")
        if self.out.suffix in _BESIDE:
            raise ConfigurationError(
                f"--out {self.out} is where page or plot come; name the report itself, report.json"
            )
        if self.test is not None and self.cuts > 1:
            raise ConfigurationError("--cuts holds out windows of time and --test is one test part; give --holdout")

    def effective_settings(self) -> Settings:
        """The settings with what the protocol implies: novel items only is a feed of discovery."""
        mode = Mode.DISCOVER if self.novel_only else Mode.ANY
        feed = self.settings.feed.model_copy(update={"mode": mode})
        train = self.settings.train.model_copy(update={"target": self.target})
        return self.settings.model_copy(update={"feed": feed, "train": train})

    def protocol(self) -> dict[str, Any]:
        """All that is settled before the test part is opened."""
        settings = self.effective_settings()
        return {
            "split": "holdout" if self.test is None else "test file",
            "holdout_seconds": self.holdout_seconds,
            "cuts": self.cuts,
            "train_seeds": [settings.train.seed + place for place in range(self.seeds)],
            "target": self.target,
            "novel_only": self.novel_only,
            "cold": self.cold,
            "k": list(self.ks),
            "mode": settings.feed.mode.value,
            "diversity": settings.evaluate.diversity,
            "config_hash": settings.hash_of(*DECIDING),
            "config": settings.values_of(*DECIDING),
            "budget_seconds": self.budget_seconds,
            "seed": settings.evaluate.seed,
            "resamples": settings.evaluate.resamples,
        }
