"""Published models as a person reads them."""

from __future__ import annotations

import json
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from recommender.bundle import current_version, list_versions
from recommender.bundle.manifest import read_manifest
from recommender.errors import BundleError, InputError


def model_table(models: Path) -> Table:
    """All versions of a models folder, oldest first; below it, what is wrong with damaged ones.

    Raises:
        BundleError: `current` names a version that is not there.
    """
    live = current_version(models)
    table = Table("", "version", "created", "data until", "mode", "items", "users", "events")
    table.caption_justify = "left"
    damages = []
    for version in list_versions(models):
        mark = "live" if version == live else ""
        try:
            manifest = read_manifest(models / version)
        except BundleError as error:
            damages.append(escape(str(error)))
            table.add_row(f"{mark} damaged".strip(), escape(version))
            continue
        counts = (f"{manifest.counts.get(name, 0):,}" for name in ("items", "users", "events"))
        until = manifest.data_end or "no times"
        table.add_row(mark, escape(version), manifest.created, until, manifest.mode.value, *counts)
    table.caption = "\n".join(damages)
    return table


def manifest_json(models: Path, version: str) -> str:
    """The manifest of one version.

    Raises:
        InputError: There is no such version.
        BundleError: It is damaged.
    """
    versions = list_versions(models)
    if version not in versions:
        known = ", ".join(versions[-5:]) or "none"
        raise InputError(f"{models} has no version {version!r}; the latest are: {known}")
    return json.dumps(read_manifest(models / version).model_dump(mode="json"), indent=2)
