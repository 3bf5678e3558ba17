"""The protocol of live items: what a shop says of its items between two models, and what it took down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from recommender.types import Item


class Target(IntEnum):
    """What a ruling is about."""

    ITEM = 1
    SELLER = 2


@dataclass(frozen=True, slots=True)
class LiveItem:
    """An item as it was last sent; it counts until the catalogue of a model is younger than `upserted_ms`."""

    item: Item
    upserted_ms: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """A takedown or its end. The latest of an item or seller holds, whatever model comes.

    Args:
        target: Whether `name` is an item or a seller; nobody has to know it yet.
        taken_down: False restores.
        time_ms: When.
        reason: In the words of whoever ruled.
        author: Who, as far as the server knows: a role, or empty.
    """

    target: Target
    name: str
    taken_down: bool
    time_ms: int
    reason: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """The present record of an item, or the present ruling on an item or seller; `sequence` ascends over all."""

    sequence: int
    record: LiveItem | Ruling


class LiveItems(Protocol):
    """Items and rulings by name: the last one of each, and all rulings that there ever were."""

    def upsert(self, items: Sequence[LiveItem]) -> None:
        """Keep each item in place of what was kept of it; returns only when durable at the configured level.

        Raises:
            StateFullError: The disk is full; nothing of this call was stored.
        """
        ...

    def rule(self, rulings: Sequence[Ruling]) -> None:
        """Keep rulings, all or none; returns only when durable at the configured level.

        Raises:
            StateFullError: The disk is full; nothing of this call was stored.
        """
        ...

    def version(self) -> int:
        """A number that changes whenever any process kept something; so cheap that every page asks for it.

        Raises:
            StateError: It cannot be told at the moment, so nobody may rely on what was read before.
        """
        ...

    def changes(self, after: int = 0) -> Iterator[Change]:
        """The present records that were kept after a sequence, ascending, all of one moment.

        Raises:
            StateError: They cannot be read, or one of them is damaged.
        """
        ...

    def item(self, item_id: str) -> LiveItem | None:
        """What is kept of an item, None where nothing is."""
        ...

    def ruling(self, target: Target, name: str) -> Ruling | None:
        """The ruling that holds, None where there never was one."""
        ...

    def rulings(self) -> Iterator[Ruling]:
        """All rulings ever, oldest first."""
        ...
