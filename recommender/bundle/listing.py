"""All that a models folder tells of its versions, for people and for clients."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from recommender.bundle.live import live_name
from recommender.bundle.manifest import Manifest, read_manifest
from recommender.bundle.read import list_versions
from recommender.bundle.runs import TrainingRun, read_runs
from recommender.errors import BundleError


class ModelState(IntEnum):
    """What can be done with a version."""

    READY = 1
    DAMAGED = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One version.

    Args:
        version: Its name.
        live: Whether `current` names it.
        state: REFUSED by the gate: it was not kept, and only its run is known.
        manifest: None where it is damaged or was not kept.
        problem: What is wrong with a damaged one.
        run: The latest run that made it, None where that is not known.
    """

    version: str
    live: bool
    state: ModelState
    manifest: Manifest | None
    problem: str
    run: TrainingRun | None


def list_models(models: Path) -> list[ListedModel]:
    """Every version that is there or was refused, oldest first; manifests are read, other files are not looked at."""
    live, runs = live_name(models), read_runs(models)
    present = list_versions(models)
    refused = {version for version, run in runs.items() if not run.published}
    return [
        _listed(models, version, live == version, runs.get(version))
        if version in present
        else ListedModel(version, False, ModelState.REFUSED, None, "", runs[version])
        for version in sorted({*present, *refused})
    ]


def _listed(models: Path, version: str, live: bool, run: TrainingRun | None) -> ListedModel:
    try:
        manifest = read_manifest(models / version)
    except BundleError as error:
        return ListedModel(version, live, ModelState.DAMAGED, None, str(error), run)
    return ListedModel(version, live, ModelState.READY, manifest, "", run)
