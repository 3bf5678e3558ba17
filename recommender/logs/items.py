"""The catalogue as it stands in files."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.logs.columns import Field, FieldKind, id_problem, price_problem, time_problem
from recommender.logs.engine import literal
from recommender.logs.reading import open_table
from recommender.logs.rejects import ReadReport
from recommender.logs.rows import KeptRows, keep_rows
from recommender.types import DAY_MS, Kind, Mask, Rows, Times

_FIELDS: Final = (
    Field("item_id", FieldKind.ID, required=True),
    Field("title", FieldKind.TEXT),
    Field("description", FieldKind.TEXT),
    Field("category", FieldKind.TEXT),
    Field("brand", FieldKind.TEXT),
    Field("seller_id", FieldKind.ID),
    Field("price", FieldKind.NUMBER),
    Field("currency", FieldKind.TEXT),
    Field("image", FieldKind.TEXT),
    Field("created_at", FieldKind.TIME),
    Field("expires_at", FieldKind.TIME),
    Field("available", FieldKind.FLAG),
    Field("kind", FieldKind.TEXT),
)
_KINDS: Final = {kind.name.lower(): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class ItemTable:
    """Items sorted by id, as columns in the shape of `recommender.types.Item`; text is empty where missing.

    Args:
        kinds: uint8 [n], values of `Kind`.
        prices: float64 [n], NaN where unknown.
        images: As given: a URL, or a path relative to the items file; `image_location` resolves it.
        created_ms: int64 [n], `NO_TIME` where unset.
        expires_ms: int64 [n], `NO_TIME` where unset.
        available: bool [n], True where the file does not say.
        attributes: {further column: text or None}.
        folders: Folders of the items files.
        folder_of: int32 [n], index into `folders`.
        report: What was read and what was not.
    """

    item_ids: list[str]
    kinds: npt.NDArray[np.uint8]
    titles: list[str]
    descriptions: list[str]
    categories: list[str]
    brands: list[str]
    seller_ids: list[str]
    prices: npt.NDArray[np.float64]
    currencies: list[str]
    images: list[str]
    created_ms: Times
    expires_ms: Times
    available: Mask
    attributes: dict[str, list[str | None]]
    folders: tuple[Path, ...]
    folder_of: Rows
    report: ReadReport

    def __len__(self) -> int:
        return len(self.item_ids)

    def image_location(self, index: int) -> str:
        """The URL, or the path from here; empty without an image."""
        image = self.images[index]
        if not image or "://" in image:
            return image
        return str(self.folders[self.folder_of[index]] / image)


def read_items(
    path: str | os.PathLike[str],
    *,
    rejects_dir: Path | None,
    max_reject_rate: float = 0.05,
    memory: str = "4GB",
    threads: int = 2,
    now_ms: int | None = None,
) -> ItemTable:
    """Read the items: files, folder or glob of Parquet, CSV or JSON Lines. Of rows with one id the last counts.

    Args:
        path: What to read.
        rejects_dir: Folder for `items.rejects.jsonl`; None counts rejected rows and writes none.
        max_reject_rate: Largest share of unusable rows.
        memory: Limit of DuckDB's buffers; the returned columns come on top.
        threads: How many DuckDB uses.
        now_ms: Items made more than a day later are in the future; None is the wall clock. They may expire later.

    Raises:
        InputError: No file can be used as an items file; the message names file, column or rows.
        ConfigurationError: The memory does not suffice.
    """
    latest_ms = (int(time.time() * 1_000) if now_ms is None else now_ms) + DAY_MS
    with open_table(path, "items", _FIELDS, keep_attributes=True, memory=memory, threads=threads) as (engine, scan):
        kept = keep_rows(engine, scan, _FIELDS, _problems(latest_ms), rejects_dir, max_reject_rate)
        return _table(kept, tuple(file.parent for file in scan.log.files))


def _problems(latest_ms: int) -> list[str]:
    kinds = ", ".join(literal(name) for name in _KINDS)
    return [
        id_problem("item_id", "missing_item_id"),
        id_problem("seller_id", None),
        price_problem("price"),
        time_problem("created_at", latest_ms),
        time_problem("expires_at", None),
        "CASE WHEN available = -1 THEN 'unparsable_available' END",
        f"CASE WHEN kind <> '' AND lower(trim(kind)) NOT IN ({kinds}) THEN 'unknown_kind' END",
    ]


def _table(kept: KeptRows, parents: tuple[Path, ...]) -> ItemTable:
    folders = tuple(dict.fromkeys(parents))
    place = np.array([folders.index(parent) for parent in parents], np.int32)
    kinds = [_KINDS[kind.strip().lower()] if kind else Kind.PRODUCT for kind in kept.text("kind")]
    return ItemTable(
        item_ids=kept.text("item_id"),
        kinds=np.array(kinds, np.uint8),
        titles=kept.text("title"),
        descriptions=kept.text("description"),
        categories=kept.text("category"),
        brands=kept.text("brand"),
        seller_ids=kept.text("seller_id"),
        prices=kept.numbers("price"),
        currencies=kept.text("currency"),
        images=kept.text("image"),
        created_ms=kept.numbers("created_at"),
        expires_ms=kept.numbers("expires_at"),
        available=kept.numbers("available") != 0,
        attributes=kept.attributes,
        folders=folders,
        folder_of=place[kept.numbers("_file")],
        report=kept.report,
    )
