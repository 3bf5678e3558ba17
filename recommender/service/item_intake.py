"""Taking in what a shop says of its items: each is checked alone, the good ones are kept together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from recommender.api.v1 import catalog_pb2
from recommender.service.field_limits import Problem, id_problem, number_problem
from recommender.service.wire import item_from
from recommender.state.live_items import LiveItem, LiveItems, Ruling, Target
from recommender.state.protocols import ItemNumbers
from recommender.types import DAY_MS, Kind

_IDS: Final = ("item_id", "category", "brand", "seller_id", "currency")
#: Bytes of UTF-8; a card with a title and an image travels in every page that shows it.
_TEXTS: Final = {"title": 1_024, "description": 65_536, "image_url": 2_048}
MAX_REASON_BYTES: Final = 1_024
_MAX_ATTRIBUTES: Final = 100
_MAX_ATTRIBUTE_BYTES: Final = 1_024
_KINDS: Final = frozenset((0, *Kind))
#: Later ones cannot be written as a timestamp of the files.
_LAST_SECOND: Final = 253_402_300_799


@dataclass(frozen=True, slots=True)
class ItemRejection:
    """One thing of a call that was not kept, and why; `field` names the list that `index` counts in."""

    field: str
    index: int
    name: str
    problem: Problem


class ItemIntake:
    """Checks items and rulings, and keeps them.

    Args:
        items: Where they are kept.
        numbers: Gives new items their permanent numbers, so that no page has to.
        clock: Milliseconds since the epoch.
    """

    def __init__(self, items: LiveItems, numbers: ItemNumbers, clock: Callable[[], int]) -> None:
        self._items = items
        self._numbers = numbers
        self._clock = clock

    def upsert(self, messages: Sequence[catalog_pb2.Item]) -> tuple[int, list[ItemRejection]]:
        """How many items were kept, and the others; durable at the configured level when it returns.

        Raises:
            StateFullError: Nothing of this call was kept.
        """
        now_ms = self._clock()
        good, rejections = [], []
        for index, message in enumerate(messages):
            if (problem := item_problem(message, now_ms)) is not None:
                rejections.append(ItemRejection("items", index, message.item_id, problem))
            else:
                good.append(LiveItem(item_from(message), now_ms))
        self._numbers.numbers([live.item.item_id for live in good])
        self._items.upsert(good)
        return len(good), rejections

    def rule(
        self, item_ids: Iterable[str], seller_ids: Iterable[str], *, taken_down: bool, reason: str, author: str
    ) -> tuple[int, list[ItemRejection]]:
        """How many items and sellers were taken down or restored, and the others.

        Raises:
            StateFullError: Nothing of this call was kept.
        """
        now_ms = self._clock()
        good, rejections = [], []
        for field, target, names in (
            ("item_ids", Target.ITEM, item_ids),
            ("seller_ids", Target.SELLER, seller_ids),
        ):
            for index, name in enumerate(names):
                problem = id_problem(name) if name else Problem("ID_REQUIRED", "the id is empty")
                if problem is not None:
                    rejections.append(ItemRejection(field, index, name, problem))
                else:
                    good.append(Ruling(target, name, taken_down, now_ms, reason, author))
        self._items.rule(good)
        return len(good), rejections


def item_problem(message: catalog_pb2.Item, now_ms: int) -> Problem | None:
    """The first thing that is wrong with an item, None where it can be kept."""
    if not message.item_id:
        return Problem("ITEM_ID_REQUIRED", "item_id is empty")
    if message.kind not in _KINDS:
        return Problem("ENUM_UNKNOWN", f"kind is {message.kind}, wanted 1 to {max(_KINDS)}, or 0 for a product")
    for name in _IDS:
        if (problem := id_problem(getattr(message, name))) is not None:
            return Problem(problem.reason, f"{name} {problem.message}")
    for name, limit in _TEXTS.items():
        if (problem := text_problem(getattr(message, name), limit)) is not None:
            return Problem(problem.reason, f"{name} {problem.message}")
    return _price_problem(message) or _time_problem(message, now_ms) or _attribute_problem(message)


def text_problem(text: str, limit: int) -> Problem | None:
    """What is wrong with a text for people: its length."""
    size = len(text.encode()) if 4 * len(text) > limit else 0
    return (
        Problem("TEXT_TOO_LONG", f"has {size:,} bytes of UTF-8, at most {limit:,} are kept") if size > limit else None
    )


def _price_problem(message: catalog_pb2.Item) -> Problem | None:
    if not message.HasField("price"):
        return None
    if (problem := number_problem(message.price)) is not None:
        return Problem(problem.reason, f"price {problem.message}")
    return Problem("PRICE_NEGATIVE", f"price is {message.price}, wanted 0 or more") if message.price < 0 else None


def _time_problem(message: catalog_pb2.Item, now_ms: int) -> Problem | None:
    for name in ("create_time", "expire_time"):
        if not message.HasField(name):
            continue
        seconds = getattr(message, name).seconds
        if seconds < 0:
            return Problem("TIME_BEFORE_1970", f"{name} lies before 1970; leave it out where it is unknown")
        if seconds > _LAST_SECOND or (name == "create_time" and seconds * 1_000 > now_ms + DAY_MS):
            return Problem("TIME_IN_FUTURE", f"{name} lies too far ahead; leave it out where it is unknown")
    return None


def _attribute_problem(message: catalog_pb2.Item) -> Problem | None:
    if len(message.attributes) > _MAX_ATTRIBUTES:
        said = f"there are {len(message.attributes):,} attributes, at most {_MAX_ATTRIBUTES} are kept"
        return Problem("TOO_MANY_VALUES", said)
    for name, value in message.attributes.items():
        if not name:
            return Problem("ID_REQUIRED", "an attribute has no name")
        if (problem := id_problem(name) or text_problem(value, _MAX_ATTRIBUTE_BYTES)) is not None:
            return Problem(problem.reason, f"an attribute {problem.message}")
    return None
