"""The nightly job: read, split, fit, rank, publish aside, evaluate, gate, rename."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.bundle import Bundle, current_version, list_versions, open_bundle
from recommender.bundle.runs import GateVerdict, remove_old_runs, write_run
from recommender.config import Settings
from recommender.errors import BundleError, GateRefusedError, InputError
from recommender.logs import ReadReport
from recommender.types import NO_TIME
from training.build import Built, build_bundle
from training.gate import compare
from training.inputs import InputPaths, read_inputs
from training.models.parameters import check_choices
from training.progress import Progress, StageClock
from training.publish import iso, publish, remove_old_versions
from training.recipe import DECIDING, Recipe
from training.split import choose_scheme
from training.stages import StageStore

_TWINS = ".twins"


@dataclass(frozen=True)
class NightlyJob:
    """What to train, and where to publish it.

    Args:
        paths: Input files.
        models: Folder of the versions.
        settings: All sections.
        now_ms: The moment that the models look back from; None for the log's last accepted moment.
        items_as_of_ms: When the items file was read from where the shop keeps its items; what was sent to a server
            before gives way to it. None where that is not known: then nothing does.
        budget_seconds: For how long to search for better choices; None for no search.
    """

    paths: InputPaths
    models: Path
    settings: Settings
    now_ms: int | None = None
    items_as_of_ms: int | None = None
    budget_seconds: float | None = None


@dataclass(frozen=True)
class PublishedVersion:
    """What a run ended with."""

    version: str
    folder: Path
    verdict: GateVerdict | None
    reports: tuple[ReadReport, ...]
    metrics: dict[str, Any]
    seconds: float
    search: Mapping[str, Any]


def train(job: NightlyJob, progress: Progress) -> PublishedVersion:
    """Run the job; a run that was killed goes on where it stood, and gives the same bundle.

    Raises:
        ConfigurationError: A shape or a recency is asked for that no source has.
        InputError: The input cannot be used, or no model can be fitted on it.
        GateRefusedError: The new bundle is worse than the live one, which stays; nothing was published.
    """
    check_choices(job.settings.train)
    started, clock = time.perf_counter(), StageClock(progress)
    job.models.mkdir(parents=True, exist_ok=True)
    store = StageStore(job.models / ".stages")
    with clock.stage("read", 1.0) as stage:
        inputs = read_inputs(job.paths, job.models / "rejects", job.settings, stage.advance)
    table = inputs.table
    keep = table.users >= -1
    if job.now_ms is not None:
        keep &= table.times_ms <= job.now_ms
        if not keep.any():
            raise InputError(f"no event lies before --now {iso(job.now_ms)}; the log begins later")
    timed = bool((table.times_ms[keep] != NO_TIME).all())
    recipe = Recipe(
        table=table,
        keep=keep,
        catalogue=inputs.catalogue,
        settings=job.settings,
        scheme=choose_scheme(timed, published_test=False),
        hide="nothing",
        now_ms=job.now_ms,
        key=inputs.key,
        counts=inputs.counts,
        items_as_of_ms=job.items_as_of_ms,
        edges=inputs.edges,
    )
    aside = job.models / f".aside-{inputs.key}"
    built = build_bundle(recipe, store, aside, clock, job.budget_seconds)
    with clock.stage("gate", None):
        verdict = _gate(job, built)
    run: dict[str, Any] = {
        "version": built.manifest.version,
        "gate": verdict.model_dump() if verdict else None,
        "asked": job.settings.hash_of(*DECIDING),
        "search": dict(built.search),
    }
    if verdict is not None and verdict.refused:
        write_run(job.models, {**run, "published": False, **clock.told()})
        shutil.rmtree(aside)
        raise GateRefusedError(f"{verdict.sentence()}; version {verdict.live} stays live")
    with clock.stage("publish", None):
        folder = publish(aside, job.models, built.manifest.version)
        _keep_twin(built, job.models)
        _tidy(job, store)
    write_run(job.models, {**run, "published": True, **clock.told()})
    return PublishedVersion(
        built.manifest.version,
        folder,
        verdict,
        inputs.reports,
        built.manifest.metrics,
        time.perf_counter() - started,
        built.search,
    )


def _gate(job: NightlyJob, built: Built) -> GateVerdict | None:
    """The verdict on the newest days; None without a live bundle, or where gating is off."""
    if not job.settings.train.gate or not len(built.choose):
        return None
    live = _live_bundle(job.models, built)
    if live is None:
        return None
    return compare(open_bundle(built.twin, verify=False), live, built.choose, job.settings)


def _live_bundle(models: Path, built: Built) -> Bundle | None:
    """The live bundle, or its twin where the live one has seen days that the gate compares on."""
    try:
        version = current_version(models)
        if version is None:
            return None
        live = open_bundle(models / version)
        cut_ms = built.choose.dataset.now_ms
        twin = models / _TWINS / version
        if built.scheme == "windows" and live.manifest.timed and live.manifest.now_ms <= cut_ms:
            return live
        return open_bundle(twin, verify=False) if twin.is_dir() else None
    except BundleError:
        # A live bundle that cannot be opened must not keep a good one from replacing it.
        return None


def _keep_twin(built: Built, models: Path) -> None:
    place = models / _TWINS / built.manifest.version
    place.parent.mkdir(exist_ok=True)
    if not place.is_dir():
        built.twin.rename(place)


def _tidy(job: NightlyJob, store: StageStore) -> None:
    """Remove old versions with their twins, stages of earlier inputs, and what killed runs left aside."""
    keep = job.settings.bundle.keep_versions
    for version in remove_old_versions(job.models, keep):
        shutil.rmtree(job.models / _TWINS / version, ignore_errors=True)
    remove_old_runs(job.models, list_versions(job.models), keep)
    for left in job.models.glob(".aside-*"):
        shutil.rmtree(left, ignore_errors=True)
    store.sweep()
