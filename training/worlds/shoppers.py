"""Looking into a world as a person would: who shops there, what they bought lately, what would be new to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from recommender.errors import InputError
from recommender.logs.engine import Engine, literal
from recommender.types import DAY_MS
from training.worlds.grocery import World

_LATELY_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Shopper:
    """Somebody whose feed a person can judge.

    Args:
        about: What is known of the household, in words; empty where nothing is.
        keen_on: The category that they buy more kinds of than anybody else.
    """

    user_id: str
    about: str
    keen_on: str


@dataclass(frozen=True, slots=True)
class Good:
    """An item as its card shows it."""

    item_id: str
    title: str
    category: str
    price: float


class Market:
    """A world's files, open for questions; to be closed by its `with` block.

    Args:
        world: Written by `write_grocery`.
    """

    def __init__(self, world: World) -> None:
        self._engine = Engine("1GB", threads=2)
        for name, folder in (("events", world.events), ("items", world.items), ("users", world.users)):
            files = literal(f"{folder}/*.parquet")
            self._engine.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({files})")
        self._since_ms = world.end_ms - _LATELY_DAYS * DAY_MS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._engine.__exit__(kind, error, trace)

    def keenest(self, category: str, but: Sequence[str] = ()) -> Shopper | None:
        """Who bought most kinds of things of a category lately, households of which something is known first.

        Args:
            category: Path; what is below it counts too.
            but: User ids to leave out.
        """
        others = ", ".join(map(literal, ("", *but)))
        found = self._engine.rows(
            "SELECT user_id, concat_ws(', ', any_value(household), any_value(age_band)) FROM events"
            " JOIN items USING (item_id) LEFT JOIN users USING (user_id)"
            f" WHERE {_below(category)} AND timestamp > {self._since_ms} AND user_id NOT IN ({others})"
            " GROUP BY user_id ORDER BY any_value(users.user_id) IS NULL, count(DISTINCT item_id) DESC, user_id LIMIT 1"
        )
        return Shopper(found[0][0], found[0][1].lower(), category) if found else None

    def lately(self, user_id: str, limit: int) -> list[str]:
        """Titles of the last things that a user bought, newest first, each once."""
        found = self._engine.rows(
            f"SELECT title FROM events JOIN items USING (item_id) WHERE user_id = {literal(user_id)} AND available"
            f" GROUP BY title ORDER BY max(timestamp) DESC, count(*) DESC, title LIMIT {limit}"
        )
        return [title for (title,) in found]

    def best_seller(self, categories: Sequence[str]) -> Good:
        """The available item of the first of the categories that has one, which most users bought lately.

        Raises:
            InputError: None of them has one.
        """
        for category in categories:
            found = self._engine.rows(
                "SELECT item_id, title, category, items.price FROM events JOIN items USING (item_id)"
                f" WHERE {_below(category)} AND available AND timestamp > {self._since_ms} GROUP BY ALL"
                " ORDER BY count(DISTINCT user_id) DESC, item_id LIMIT 1"
            )
            if found:
                return Good(*found[0])
        raise InputError(f"this world sold nothing lately of {', '.join(categories)}")


def _below(category: str) -> str:
    """SQL: an item is of the category, by whole levels."""
    return f"(category = {literal(category)} OR starts_with(category, {literal(category + ' > ')}))"
