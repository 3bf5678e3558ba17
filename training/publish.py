"""From fitted models to a bundle in a folder, and from a folder to the live version."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.bundle import BundleWriter, Manifest, StringColumn, activate, list_versions, previous_version
from recommender.bundle.live import live_name, locked
from recommender.bundle.manifest import MANIFEST_NAME
from recommender.cards.static import card_bytes
from recommender.features.item_facts import item_facts
from recommender.types import NEVER, NO_TIME, Rows, Scores
from training.dataset import Dataset
from training.models.popularity import category_codes
from training.models.protocol import RetrievalModel

#: The configuration that a bundle was made by, with every choice made.
RESOLVED_NAME: Final = "resolved.toml"


def write_bundle_parts(folder: Path, dataset: Dataset, models: Sequence[RetrievalModel], history_events: int) -> None:
    """Write everything but ranker and manifest: items, tables, histories, and each model's served form.

    Args:
        folder: Empty or missing.
        dataset: What the models were fitted on.
        models: In any order; the manifest orders the sources.
        history_events: Newest events per user that are carried.
    """
    writer = BundleWriter(folder)
    _write_items(writer, dataset)
    _write_histories(writer, dataset, history_events)
    _write_hides(writer, dataset)
    for model in models:
        model.write(writer)


def _write_items(writer: BundleWriter, dataset: Dataset) -> None:
    catalogue, ids = dataset.catalogue, dataset.item_ids
    writer.ids("items/ids", StringColumn.of(ids))
    items = [catalogue.item(row, item_id) for row, item_id in enumerate(ids)]
    writer.strings("items/cards", StringColumn.of_bytes([card_bytes(item) for item in items]))
    writer.strings("items/titles", StringColumn.of(catalogue.titles.tolist()))
    writer.strings("items/descriptions", StringColumn.of(catalogue.descriptions.tolist()))
    writer.strings("items/images", StringColumn.of(catalogue.image_urls.tolist()))
    attributes = (json.dumps(dict(pairs), sort_keys=True) if pairs else "" for pairs in catalogue.attributes.tolist())
    writer.strings("items/attributes", StringColumn.of(attributes))
    writer.array("items/kind", catalogue.kinds)
    writer.array("items/price", catalogue.prices)
    writer.array("items/created", catalogue.created_ms)
    writer.array("items/expires", np.where(catalogue.expires_ms == NO_TIME, NEVER, catalogue.expires_ms))
    writer.array("items/available", catalogue.available)
    writer.array("items/facts", _facts(dataset))
    codes, paths, parents = category_codes(catalogue.categories)
    writer.array("items/category", codes)
    writer.strings("tables/categories", StringColumn.of(paths))
    writer.array("tables/category_parents", parents)
    for name, table, column in (
        ("items/currency", "tables/currencies", catalogue.currencies),
        ("items/seller", "tables/sellers", catalogue.seller_ids),
        ("items/brand", "tables/brands", catalogue.brands),
    ):
        own_codes, values = _codes(column)
        writer.array(name, own_codes)
        writer.strings(table, StringColumn.of(values))


def _facts(dataset: Dataset) -> Scores:
    """What the log says of each item; events of nobody in particular count too."""
    loose = np.full(len(dataset.loose_items), -1, np.int32)
    types = np.concatenate([dataset.types, dataset.loose_types])
    bought = np.isin(types, [code for code, name in enumerate(dataset.event_types) if name == "purchase"])
    return item_facts(
        np.concatenate([dataset.items, dataset.loose_items]),
        np.concatenate([dataset.actors(), loose]),
        np.concatenate([dataset.times_ms, dataset.loose_times_ms]),
        dataset.event_weights[types],
        bought,
        dataset.n_items,
        dataset.now_ms,
    )


def _codes(column: npt.NDArray[np.object_]) -> tuple[Rows, list[str]]:
    values = sorted(set(column.tolist()) - {""})
    code = {value: place for place, value in enumerate(values)}
    return np.array([code.get(value, -1) for value in column.tolist()], np.int32), values


def _write_histories(writer: BundleWriter, dataset: Dataset, history_events: int) -> None:
    """The newest events of each user; anonymous sessions end with the log and are not carried."""
    starts, stops = dataset.offsets[: dataset.n_users], dataset.offsets[1 : dataset.n_users + 1]
    starts = np.maximum(starts, stops - history_events)
    lengths = stops - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    writer.ids("histories/users", StringColumn.of(dataset.user_ids))
    writer.array("histories/offsets", offsets)
    writer.array("histories/rows", dataset.items[places])
    writer.array("histories/types", dataset.types[places])
    writer.array("histories/times", dataset.times_ms[places])


def _write_hides(writer: BundleWriter, dataset: Dataset) -> None:
    """The items that each user hid, also where the hide is older than the history that is carried."""
    hid = np.array([name == "hide" for name in dataset.event_types])[dataset.types]
    pairs = np.unique(np.stack([dataset.actors()[hid], dataset.items[hid]]), axis=1)
    pairs = pairs[:, pairs[0] < dataset.n_users]
    writer.array("hides/offsets", np.searchsorted(pairs[0], np.arange(dataset.n_users + 1)).astype(np.int64))
    writer.array("hides/rows", pairs[1].astype(np.int32))


def finish_bundle(
    parts: Path, folder: Path, manifest: Manifest, ranker: dict[str, npt.NDArray[Any]], resolved: str = ""
) -> Manifest:
    """Make a complete bundle in `folder` of kept parts, which are linked, not copied, and a ranker.

    Args:
        parts: What `write_bundle_parts` wrote.
        folder: Replaced.
        manifest: All but the files.
        ranker: Its arrays.
        resolved: The configuration that gives this bundle again, kept in it as `resolved.toml`; empty for none.

    Raises:
        OSError: The folder cannot be written; `parts` stays as it was.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(parts, folder, copy_function=_link)
    writer = BundleWriter(folder)
    for name, values in ranker.items():
        writer.array(f"ranker/{name}", values)
    if resolved:
        (folder / RESOLVED_NAME).write_text(resolved, encoding="utf-8")
    return writer.finish(manifest)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def publish(aside: Path, models: Path, version: str) -> Path:
    """Rename a complete bundle to its version and make it the live one.

    Each rename is atomic and flushed, so a crash leaves the old version live or the new one, never half of either. A
    version that is there already has the same content, since its name says so, and is kept.
    """
    place = models / version
    if place.is_dir() and (place / MANIFEST_NAME).is_file():
        shutil.rmtree(aside)
    else:
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)
        _fsync(models)
    activate(models, version)
    return place


def remove_old_versions(models: Path, keep: int) -> list[str]:
    """Remove old versions; returns which.

    The live one, the one that a rollback leads to and the newest `keep` beside the live one stay.
    """
    with locked(models):
        others = [version for version in list_versions(models) if version != live_name(models)]
        back = previous_version(models)
        removed = [version for version in others[: max(len(others) - keep, 0)] if version != back]
        for version in removed:
            # Renamed first, so that nobody opens a version that is half gone.
            (models / version).rename(models / f".removed-{version}")
    for version in removed:
        shutil.rmtree(models / f".removed-{version}", ignore_errors=True)
    return removed


def version_name(now_ms: int, key: str) -> str:
    """The name of a version: the moment it looks back from, and a content key; sorts by time."""
    moment = datetime.fromtimestamp(now_ms / 1_000, UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{key[:8]}"


def iso(time_ms: int | None) -> str | None:
    """ISO-8601 UTC text of a time in ms; None stays None."""
    return None if time_ms is None else datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat()


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
