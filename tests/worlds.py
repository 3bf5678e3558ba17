"""Tiny worlds with known answers: real bundles, written by the real writer, whose models are computed in a plain way.

    bundle = write_tiny_bundle(tmp_path / "v1", tiny_items(), tiny_users())
    models = write_tiny_models(tmp_path / "models")          # the same, with `current`, for a server

Nothing depends on row numbers or ids: ties break by title, so a world with other ids or in another order has the same
answers under other names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import numpy.typing as npt

from recommender.bundle import Bundle, BundleWriter, Manifest, StringColumn, open_bundle
from recommender.cards import card_bytes
from recommender.encoders.text import N_BUCKETS
from recommender.features.item_facts import item_facts
from recommender.retrieval.vectors import VectorIndex
from recommender.types import DAY_MS, EVENT_TYPE_CODE, EVENT_TYPES, NEVER, NO_TIME, Item, Kind, Mode
from tests.plain_models import (
    ALPHA,
    DIM,
    REGULARIZATION,
    WEIGHTLESS,
    Log,
    Touch,
    als_factors,
    best_first,
    bought_together,
    category_levels,
    content_vectors,
    follows,
    recent_popularity,
    text_basis,
)

#: 2025-06-01T00:00:00Z, the moment the tiny models look back from.
NOW_MS: Final = 1_748_736_000_000
_RECENCY: Final = {"half_life_days": 30.0, "half_life_items": 0.0, "limit": 50}
SOURCES: Final[dict[str, dict[str, Any]]] = {
    "cooccurrence": dict(_RECENCY),
    "als": {**_RECENCY, "regularization": REGULARIZATION, "alpha": ALPHA, "probes": 0},
    "own_frequency": dict(_RECENCY),
    "content": {**_RECENCY, "probes": 0},
    "popularity_recent": {},
    "popularity_category": dict(_RECENCY),
}
RANKER: Final[dict[str, Any]] = {"name": "single_source", "source": "cooccurrence"}
_NEIGHBOURS = 20

_CATEGORIES = {
    "Kitchen > Pans": ["iron pan", "steel pan", "copper pan", "crepe pan", "paella pan", "sauce pan"],
    "Kitchen > Knives": ["chef knife", "bread knife", "paring knife", "cleaver"],
    "Garden > Tools": ["spade", "rake", "hoe", "watering can", "pruner"],
    "Garden > Seeds": ["basil seeds", "tomato seeds", "poppy seeds", "radish seeds"],
    "Books": ["cookbook", "herbal", "atlas", "novel"],
    "": ["mystery box"],
}
_HABITS = {
    "ada": ["iron pan", "chef knife", "cookbook", "steel pan", "copper pan"],
    "bob": ["iron pan", "steel pan", "chef knife", "bread knife"],
    "cyd": ["spade", "rake", "basil seeds", "tomato seeds", "watering can"],
    "dee": ["spade", "basil seeds", "poppy seeds", "herbal", "rake"],
    "eli": ["cookbook", "iron pan", "sauce pan", "paella pan", "chef knife"],
    "fay": ["novel", "atlas", "herbal", "cookbook"],
    "gus": ["iron pan", "sauce pan", "cleaver", "novel", "crepe pan"],
    "hal": ["tomato seeds", "watering can", "pruner", "hoe", "radish seeds"],
}


def tiny_items() -> list[Item]:
    """24 items of six categories, with two sellers per category, two currencies, and one item without a price."""
    items: list[Item] = []
    for group, (category, titles) in enumerate(_CATEGORIES.items()):
        for place, title in enumerate(titles):
            items.append(
                Item(
                    item_id=f"item-{title.replace(' ', '-')}",
                    kind=Kind.POST if title == "novel" else Kind.PRODUCT,
                    title=title,
                    description=f"A {title}.",
                    category=category,
                    brand=f"brand-{group}",
                    seller_id=f"seller-{group}-{place % 2}",
                    price=None if title == "mystery box" else 5.0 + 2.5 * len(items),
                    currency="" if title == "mystery box" else "USD" if group < 4 else "EUR",
                    image_url=f"https://example.com/{title.replace(' ', '-')}.jpg",
                    created_ms=NOW_MS - 400 * DAY_MS,
                    attributes={"weight": f"{100 * (place + 1)} g"},
                )
            )
    return items


def tiny_users() -> dict[str, list[Touch]]:
    """Eight users; each views an item, and buys every second one an hour later, one item every third day."""
    users: dict[str, list[Touch]] = {}
    for shift, (user_id, titles) in enumerate(_HABITS.items()):
        touches: list[Touch] = []
        for place, title in enumerate(titles):
            item_id = f"item-{title.replace(' ', '-')}"
            time_ms = NOW_MS - (len(titles) - place) * 3 * DAY_MS + shift * 60_000
            touches.append((item_id, "view", time_ms))
            if place % 2 == 0:
                touches.append((item_id, "purchase", time_ms + 3_600_000))
        users[user_id] = touches
    return users


def write_tiny_models(
    models: Path,
    version: str = "20250601T000000Z-tiny",
    items: Sequence[Item] | None = None,
    users: Log | None = None,
    **options: Any,
) -> Bundle:
    """A models folder whose `current` names a tiny bundle; `options` are those of `write_tiny_bundle`."""
    bundle = write_tiny_bundle(models / version, items, users, **options)
    (models / "current").write_text(version + "\n", encoding="utf-8")
    return bundle


def write_tiny_bundle(
    folder: Path,
    items: Sequence[Item] | None = None,
    users: Log | None = None,
    *,
    now_ms: int = NOW_MS,
    mode: Mode = Mode.DISCOVER,
    sources: Mapping[str, dict[str, Any]] | None = None,
    ranker: Mapping[str, Any] | None = None,
    catalogue_as_of: str = "2025-06-01T00:00:00Z",
) -> Bundle:
    """Write and open a bundle of a few items; the folder's name is its version.

    Args:
        folder: Made if missing; must be empty.
        items: In row order; `tiny_items()` by default. Items seen only in events are added behind, as training does.
        users: Each user's events, oldest first; `tiny_users()` by default.
        now_ms: The moment the models look back from.
        mode: The mode that the bundle was trained for.
        sources: Parameters by source name, in serving order; all six by default.
        ranker: `{"name": ...}` and its parameters; the best single source by default.
        catalogue_as_of: How old its items are.
    """
    users = tiny_users() if users is None else users
    catalogue = _with_unlisted(tiny_items() if items is None else items, users)
    rows = {item.item_id: row for row, item in enumerate(catalogue)}
    timed = all(time_ms is not None for touches in users.values() for _, _, time_ms in touches)
    writer = BundleWriter(folder)
    _write_items(writer, catalogue, users, now_ms)
    recent = recent_popularity(len(catalogue), users, rows, now_ms)
    categories = _write_tables(writer, catalogue)
    _write_popularity(writer, catalogue, recent, categories)
    _write_neighbours(writer, "cooccurrence", follows(users, rows, len(catalogue)), catalogue)
    _write_neighbours(writer, "bought_together", bought_together(users, rows, len(catalogue)), catalogue)
    _write_vectors(writer, catalogue, users, rows)
    _write_histories(writer, users, rows)
    writer.finish(
        Manifest(
            version=folder.name,
            created="2025-06-01T00:00:00Z",
            data_start=None,
            data_end=None,
            now_ms=now_ms,
            catalogue_as_of=catalogue_as_of,
            timed=timed,
            mode=mode,
            target="purchase",
            counts={"items": len(catalogue), "users": len(users), "events": sum(map(len, users.values()))},
            dimensions={"als": DIM, "content": DIM},
            seed=42,
            config_hash="tiny",
            event_types=list(EVENT_TYPES),
            event_weights={name: float(name not in WEIGHTLESS) for name in EVENT_TYPES},
            sources=dict(SOURCES if sources is None else sources),
            ranker=dict(RANKER if ranker is None else ranker),
        )
    )
    return open_bundle(folder)


def _with_unlisted(items: Sequence[Item], users: Log) -> list[Item]:
    known = {item.item_id for item in items}
    unlisted = dict.fromkeys(item_id for touches in users.values() for item_id, _, _ in touches)
    return [*items, *(Item(item_id) for item_id in unlisted if item_id not in known)]


def _write_items(writer: BundleWriter, items: Sequence[Item], users: Log, now_ms: int) -> None:
    writer.ids("items/ids", StringColumn.of(item.item_id for item in items))
    writer.strings("items/cards", StringColumn.of_bytes([card_bytes(item) for item in items]))
    writer.strings("items/titles", StringColumn.of(item.title for item in items))
    writer.strings("items/images", StringColumn.of(item.image_url for item in items))
    writer.strings("items/descriptions", StringColumn.of(item.description for item in items))
    writer.strings("items/attributes", StringColumn.of(json.dumps(dict(item.attributes)) for item in items))
    writer.array("items/kind", np.array([item.kind for item in items], np.uint8))
    prices = [np.nan if item.price is None else item.price for item in items]
    writer.array("items/price", np.array(prices, np.float64))
    created = [NO_TIME if item.created_ms is None else item.created_ms for item in items]
    writer.array("items/created", np.array(created, np.int64))
    expires = [NEVER if item.expires_ms is None else item.expires_ms for item in items]
    writer.array("items/expires", np.array(expires, np.int64))
    writer.array("items/available", np.array([item.available for item in items], np.bool_))
    writer.array("items/facts", _facts(items, users, now_ms))


def _facts(items: Sequence[Item], users: Log, now_ms: int) -> npt.NDArray[np.float32]:
    rows = {item.item_id: row for row, item in enumerate(items)}
    touches = [(rows[item], user, *rest) for user, own in enumerate(users.values()) for item, *rest in own]
    return item_facts(
        np.array([row for row, *_ in touches], np.int32),
        np.array([user for _, user, *_ in touches], np.int32),
        np.array([NO_TIME if time_ms is None else time_ms for *_, time_ms in touches], np.int64),
        np.array([float(kind not in WEIGHTLESS) for *_, kind, _ in touches], np.float32),
        np.array([kind == "purchase" for *_, kind, _ in touches], np.bool_),
        len(items),
        now_ms,
    )


def _write_tables(writer: BundleWriter, items: Sequence[Item]) -> dict[str, int]:
    """Write the tables and the codes that point into them; the code of every category path."""
    categories = _codes(level for item in items for level in category_levels(item.category))
    parents = [categories.get(name.rpartition(" > ")[0], -1) for name in categories]
    writer.array("tables/category_parents", np.array(parents, np.int32))
    columns = {
        "categories": ("category", categories),
        "currencies": ("currency", _codes(item.currency for item in items)),
        "sellers": ("seller", _codes(item.seller_id for item in items)),
        "brands": ("brand", _codes(item.brand for item in items)),
    }
    values = {
        "category": [item.category for item in items],
        "currency": [item.currency for item in items],
        "seller": [item.seller_id for item in items],
        "brand": [item.brand for item in items],
    }
    for table, (column, codes) in columns.items():
        writer.strings(f"tables/{table}", StringColumn.of(codes))
        writer.array(f"items/{column}", np.array([codes.get(text, -1) for text in values[column]], np.int32))
    return categories


def _codes(names: Iterable[str]) -> dict[str, int]:
    return {name: code for code, name in enumerate(sorted({name for name in names if name}))}


def _write_popularity(
    writer: BundleWriter, items: Sequence[Item], recent: Mapping[int, float], categories: Mapping[str, int]
) -> None:
    order = best_first(items, recent)
    writer.array("popularity/recent", np.array([recent[row] for row in range(len(items))], np.float32))
    writer.array("popularity/order", np.array(order, np.int32))
    below = [[row for row in order if name in category_levels(items[row].category)] for name in categories]
    offsets = np.cumsum([0, *map(len, below)]).astype(np.int64)
    flat = [row for rows in below for row in rows]
    writer.array("popularity/category.offsets", offsets)
    writer.array("popularity/category.rows", np.array(flat, np.int32))
    writer.array("popularity/category.scores", np.array([recent[row] for row in flat], np.float32))


def _write_neighbours(writer: BundleWriter, name: str, pairs: npt.NDArray[np.float64], items: Sequence[Item]) -> None:
    rows = np.full((len(items), _NEIGHBOURS), -1, np.int32)
    scores = np.zeros((len(items), _NEIGHBOURS), np.float32)
    for row, likes in enumerate(pairs):
        best = best_first(items, {other: like for other, like in enumerate(likes.tolist()) if like > 0})
        for place, other in enumerate(best[:_NEIGHBOURS]):
            rows[row, place], scores[row, place] = other, likes[other]
    writer.array(f"{name}/rows", rows)
    writer.array(f"{name}/scores", scores)


def _write_vectors(writer: BundleWriter, items: Sequence[Item], log: Log, rows: Mapping[str, int]) -> None:
    factors = als_factors(items, log, rows)
    writer.array("als/factors", factors)
    writer.array("als/gram", factors.T @ factors)
    writer.vectors("als", _exact_index(factors))
    basis = text_basis()
    vectors = content_vectors(items, basis)
    writer.array("content/vectors", vectors)
    writer.array("content/idf", np.ones(N_BUCKETS, np.float32))
    writer.array("content/basis", basis)
    writer.vectors("content", _exact_index(vectors))


def _write_histories(writer: BundleWriter, users: Log, rows: Mapping[str, int]) -> None:
    flat = [touch for touches in users.values() for touch in touches]
    writer.ids("histories/users", StringColumn.of(users))
    writer.array("histories/offsets", np.cumsum([0, *map(len, users.values())]).astype(np.int64))
    writer.array("histories/rows", np.array([rows[item_id] for item_id, _, _ in flat], np.int32))
    writer.array("histories/types", np.array([EVENT_TYPE_CODE[kind] for _, kind, _ in flat], np.uint8))
    times = [NO_TIME if time_ms is None else time_ms for _, _, time_ms in flat]
    writer.array("histories/times", np.array(times, np.int64))
    hides = [sorted({rows[item_id] for item_id, kind, _ in touches if kind == "hide"}) for touches in users.values()]
    writer.array("hides/offsets", np.cumsum([0, *map(len, hides)]).astype(np.int64))
    writer.array("hides/rows", np.array([row for hidden in hides for row in hidden], np.int32))


def _exact_index(vectors: npt.NDArray[np.float32]) -> VectorIndex:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return VectorIndex(index)


def renamed(items: Sequence[Item], names: Mapping[str, str]) -> list[Item]:
    """The same items under other ids."""
    return [replace(item, item_id=names[item.item_id]) for item in items]
