"""What the ranker's inputs are about, in groups that can be taken away one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from recommender.features.ranker_inputs import ITEM_INPUTS, input_names
from recommender.features.user_item_inputs import CROSS_INPUTS, KIND_INPUTS, OWN_INPUTS, USER_INPUTS, USER_ITEM_INPUTS

_PRICE: Final = ("price", "price_gap")
#: Groups of inputs by name; one that begins with a point is an input of each source.
INPUT_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "scores of the sources": (".score", ".share"),
    "places in the sources' lists": (".rank", ".present"),
    "agreement of the sources": CROSS_INPUTS,
    "popularity": (*ITEM_INPUTS, "popularity_7d", "popularity_30d", "popularity_90d", "owners"),
    "trend and age": ("trend", "age"),
    "how the item is bought": ("repeats", "bought"),
    "own history with the item": OWN_INPUTS,
    "likeness in category, brand, seller": tuple(name for name in KIND_INPUTS if name not in _PRICE),
    "price": _PRICE,
    "length of the history": USER_INPUTS,
}
#: Inputs that say what is recent: without them, and with nothing that fades, there is no recency.
RECENT_INPUTS: Final = (
    *("popularity_7d", "popularity_30d", "trend", "age"),
    *("own_days", "own_gap", "own_overdue", "own_newer", "idle_days"),
    *("category_lately", "category_days", "parent_lately", "brand_lately"),
)


def columns_of(group: tuple[str, ...], sources: tuple[str, ...]) -> list[int]:
    """The columns of a group among the inputs over some sources."""
    names = input_names(sources) + USER_ITEM_INPUTS
    endings = {name.removeprefix(".") for name in group if name.startswith(".")}
    return [
        place for place, name in enumerate(names) if name in group or ("." in name and name.split(".")[-1] in endings)
    ]
