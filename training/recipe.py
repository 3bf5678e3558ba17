"""What a bundle is built of, what its stages depend on, and what its manifest says."""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

import recommender
import training
from recommender.bundle import Manifest
from recommender.config import Settings
from recommender.logs import EdgeTable, EventTable
from recommender.types import Mask, Mode
from training.catalogue import Catalogue
from training.circles import circles_of
from training.dataset import Dataset, build_dataset
from training.publish import iso, version_name
from training.ranking.replay import Hide, Replay, build_replay
from training.split import Fold, Scheme
from training.stages import content_key

#: The settings that change a bundle.
DECIDING = ("train", "bundle", "feed.mode", "feed.discover_days", "feed.source_limit")
#: A live item is dated before it is committed, and clocks differ: what was sent so shortly before the items were read
#: may be missing among them, so it still counts.
_ITEMS_MARGIN_MS = 60_000
_RESOLVED_HEAD = "# All that decides this model, chosen or configured: windowshop train --config FILE gives it again.\n"
_LIBRARIES = ("numpy", "numba", "faiss-cpu", "implicit", "scipy", "scikit-learn", "catboost", "duckdb")


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
        items_as_of_ms: What was said of items by then is in the catalogue; None where nobody vouches for that.
        edges: Who knows whom; None where nobody said.
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
    items_as_of_ms: int | None = None
    edges: EdgeTable | None = None

    def stage_key(self) -> str:
        """What every stage depends on: input, settings, libraries, processor."""
        return content_key(
            self.key,
            self.settings.hash_of(*DECIDING),
            self.scheme,
            self.hide,
            self.now_ms,
            self.items_as_of_ms,
            libraries(),
        )

    def with_training(self, **changes: Any) -> Recipe:
        """The same with other settings of training."""
        train = self.settings.train.model_copy(update=changes)
        return replace(self, settings=self.settings.model_copy(update={"train": train}))

    def dataset(self, keep: Mask, now_ms: int | None) -> Dataset:
        """The dataset of some rows, with the circles that stood at its moment."""
        weights = {name: self.settings.train.weight_of(name) for name in self.table.event_types}
        dataset = build_dataset(self.table, keep, self.catalogue, weights, now_ms)
        if self.edges is None:
            return dataset
        moment = dataset.now_ms if dataset.timed else None
        return replace(dataset, circles=circles_of(self.edges, dataset.user_ids, moment))

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


def resolved_toml(settings: Settings) -> str:
    """A configuration file of all that decides a bundle: training by it chooses the same again."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in settings.values_of(*DECIDING).items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {}).update({key: value} if key else value)
    return _RESOLVED_HEAD + tomli_w.dumps(sections)


def target_code(table: EventTable, target: str) -> int:
    """Code of the target event type in the table; -1 where no event has it."""
    return table.event_types.index(target) if target in table.event_types else -1


def libraries() -> dict[str, str]:
    """Versions of what computes, and the processor's type: with other ones the same input may round otherwise."""
    versions = {name: library_version(name) for name in _LIBRARIES}
    return {
        **versions,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "windowshop": code_digest(),
    }


@functools.cache
def code_digest() -> str:
    """Twelve hex digits over this project's own sources: a bundle of other code is another bundle, and so named."""
    digest = hashlib.sha256()
    for package in (recommender, training):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def manifest_of(
    recipe: Recipe, dataset: Dataset, parameters: Mapping[str, dict[str, Any]], decided: Mapping[str, Any]
) -> Manifest:
    """The manifest of a bundle that was fitted on a dataset.

    Args:
        recipe: Settings and key.
        dataset: What the sources were fitted on.
        parameters: Of each source by name, in the order of serving.
        decided: `recencies` by source, the `ranker`, and `short` where another one ranks short histories, `calibration`
            where its chances are known; `teach`, `choose` and `calibrate` go into the metrics.
    """
    settings, key = recipe.settings, recipe.stage_key()
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
        catalogue_as_of=None if recipe.items_as_of_ms is None else iso(recipe.items_as_of_ms - _ITEMS_MARGIN_MS),
        timed=timed,
        mode=Mode(settings.feed.mode),
        target=settings.train.target,
        counts={
            "users": dataset.n_users,
            "sessions": dataset.n_actors - dataset.n_users,
            "items": dataset.n_items,
            "items_with_events": len(np.unique(dataset.items)),
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
        ranker={**decided["ranker"], **{name: decided[name] for name in ("short", "calibration") if name in decided}},
        metrics={name: decided[name] for name in ("teach", "choose", "calibrate") if name in decided},
        libraries=libraries(),
    )


def _dimensions(settings: Settings, sources: Mapping[str, Any]) -> dict[str, int]:
    content = {"content": settings.train.content_dim} if "content" in sources else {}
    return content | ({"als": sources["als"]["factors"]} if "als" in sources else {})
