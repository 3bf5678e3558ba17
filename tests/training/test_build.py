"""How the folds of a log are cut: windows as long as it takes to tell models apart."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.config import Settings
from recommender.types import DAY_MS, Mode
from tests.training.test_dataset import table_of
from training.build import cut_replays
from training.catalogue import Catalogue
from training.ranking.replay import Hide
from training.recipe import Recipe

T0 = 1_600_000_000_000
DAYS = 400


def recipe_of(n_users: int, every_days: int, mode: Mode, hide: Hide) -> Recipe:
    """Everybody buys one thing every so many days, each on other days than the next one."""
    rows = [
        (f"user-{user}", "", f"item-{(user + day) % 7}", "purchase", T0 + day * DAY_MS)
        for user in range(n_users)
        for day in range(user % every_days, DAYS, every_days)
    ]
    table = table_of(rows)
    settings = Settings()
    settings = settings.model_copy(update={"feed": settings.feed.model_copy(update={"mode": mode})})
    return Recipe(
        table=table,
        keep=np.ones(len(table), np.bool_),
        catalogue=Catalogue.empty(),
        settings=settings,
        scheme="windows",
        hide=hide,
        now_ms=None,
        key="key",
    )


@pytest.mark.parametrize(
    ("n_users", "every_days", "mode", "hide", "scheme", "days"),
    [
        (250, 10, Mode.DISCOVER, "nothing", "windows", 14),
        (250, 60, Mode.DISCOVER, "nothing", "windows", 56),
        (90, 60, Mode.DISCOVER, "nothing", "last", None),
        (90, 60, Mode.ANY, "nothing", "last_event", None),
        (90, 60, Mode.ANY, "touched", "last", None),
    ],
)
def test_windows_grow_until_they_hold_users_enough_and_else_last_targets_stand_in(
    n_users: int, every_days: int, mode: Mode, hide: Hide, scheme: str, days: int | None
) -> None:
    recipe = recipe_of(n_users, every_days, mode, hide)
    whole = recipe.dataset(recipe.keep, None)
    got, (choose, teach, *_) = cut_replays(recipe, whole)
    assert got == scheme
    if days is None:
        assert choose.dataset is teach.dataset
    else:
        assert choose.dataset.now_ms - teach.dataset.now_ms == days * DAY_MS
        assert min(len(choose), len(teach)) >= 200
