"""Published models as a person reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from rich.markup import escape
from rich.table import Table

from recommender.bundle import ListedModel, ModelState, list_models
from recommender.bundle.manifest import read_manifest
from recommender.bundle.runs import GateVerdict, read_runs
from recommender.errors import InputError

_STATES: Final = {ModelState.READY: "", ModelState.DAMAGED: "damaged", ModelState.REFUSED: "refused"}


def model_table(models: Path) -> Table:
    """All versions of a models folder, oldest first; below it, what is wrong with damaged ones."""
    table = Table("", "version", "created", "data until", "mode", "items", "users", "events", "gate: NDCG@20")
    table.caption_justify = "left"
    listed = list_models(models)
    for model in listed:
        mark = " ".join(filter(None, ("live" if model.live else "", _STATES[model.state])))
        table.add_row(mark, escape(model.version), *_known(model), _gate(model))
    table.caption = "\n".join(escape(model.problem) for model in listed if model.problem)
    return table


def model_json(models: Path, version: str) -> str:
    """The manifest of one version, with the run that made it under `run`.

    Raises:
        InputError: There is no such version.
        BundleError: It is damaged.
    """
    listed = {model.version: model for model in list_models(models)}
    model = listed.get(version)
    if model is None:
        known = ", ".join(list(listed)[-5:]) or "none"
        raise InputError(f"{models} has no version {version!r}; the latest are: {known}")
    run = read_runs(models).get(version)
    told = {"run": None if run is None else run.model_dump(mode="json")}
    if model.state is ModelState.REFUSED:
        return json.dumps({"version": version, **told}, indent=2)
    return json.dumps({**read_manifest(models / version).model_dump(mode="json"), **told}, indent=2)


def _known(model: ListedModel) -> tuple[str, ...]:
    manifest = model.manifest
    if manifest is None:
        return ("",) * 6
    counts = (f"{manifest.counts.get(name, 0):,}" for name in ("items", "users", "events"))
    return (manifest.created, manifest.data_end or "no times", manifest.mode.value, *counts)


def _gate(model: ListedModel) -> str:
    """The verdict in a few signs; where nothing was compared, a dash."""
    verdict: GateVerdict | None = model.run.gate if model.run is not None else None
    if verdict is None:
        return "-"
    said = "refused" if verdict.refused else "passed"
    return f"{said} {verdict.difference:+.4f} [{verdict.lower:+.4f}, {verdict.upper:+.4f}]"
