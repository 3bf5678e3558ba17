"""Who is near whom, and what that makes of their histories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.logs import EdgeRow, EdgeTable, ErasedUsers, erased_hash, read_edges, write_edges
from recommender.types import DAY_MS
from tests.training.small_log import START_MS
from training.circles import circles_of, telling_edges

USERS = ["ada", "bob", "cyd", "dee"]
SALT = b"\x01" * 16


def table(folder: Path, *rows: tuple[str, str, str, float, int | None]) -> EdgeTable:
    write_edges(folder / "edges.parquet", [EdgeRow(*row) for row in rows])
    return read_edges(folder / "edges.parquet", rejects_dir=None)


def near(edges: EdgeTable, now_ms: int | None = None, users: list[str] = USERS) -> dict[str, dict[str, float]]:
    """{person: {who is near, nearest first: how near}}."""
    circles = circles_of(edges, users, now_ms)
    return {
        person: {
            users[row]: round(weight, 3)
            for row, weight in zip(circles.near[start:stop].tolist(), circles.weights[start:stop].tolist(), strict=True)
        }
        for person, start, stop in zip(
            circles.user_ids, circles.offsets[:-1].tolist(), circles.offsets[1:].tolist(), strict=True
        )
    }


def test_friends_are_near_each_other_and_those_who_are_followed_their_followers_alone(tmp_path: Path) -> None:
    edges = table(tmp_path, ("ada", "bob", "friend", 1, None), ("cyd", "dee", "follow", 1, None))
    assert near(edges) == {"ada": {"bob": 1.0}, "bob": {"ada": 1.0}, "cyd": {"dee": 1.0}}


def test_an_edge_counts_its_share_and_friends_of_friends_half_of_two_shares(tmp_path: Path) -> None:
    edges = table(
        tmp_path,
        *(("new", "ada", "follow", 3, None), ("new", "nobody", "follow", 1, None)),
        *(("ada", "bob", "follow", 1, None), ("nobody", "cyd", "follow", 1, None)),
        # There twice: once is enough.
        ("ada", "bob", "follow", 1, None),
    )
    # Who has no events is near nobody, but may know somebody, and may be the one in between.
    assert near(edges) == {
        "ada": {"bob": 1.0},
        "new": {"ada": 0.75, "bob": 0.375, "cyd": 0.125},
        "nobody": {"cyd": 1.0},
    }


def test_edges_that_came_after_the_moment_are_not_known_at_it(tmp_path: Path) -> None:
    edges = table(
        tmp_path,
        ("ada", "bob", "friend", 1, START_MS + DAY_MS),
        ("ada", "cyd", "friend", 1, START_MS),
        ("ada", "dee", "friend", 1, None),
    )
    assert list(near(edges, START_MS)["ada"]) == ["cyd", "dee"]
    assert list(near(edges, START_MS + DAY_MS)["ada"]) == ["bob", "cyd", "dee"]
    assert near(edges, 0) == {"ada": {"dee": 1.0}, "dee": {"ada": 1.0}}
    assert near(edges, None)["bob"].keys() == {"ada", "cyd", "dee"}


def test_only_the_nearest_hundred_count_and_equally_near_ones_by_what_they_did(tmp_path: Path) -> None:
    users = [f"u{n * 7919 % 211}" for n in range(211)]
    edges = table(tmp_path, *(("hub", user, "follow", 1, None) for user in users))
    assert list(near(edges, users=users)["hub"]) == users[:100]


@pytest.mark.parametrize("person", ["ada", "bob"])
def test_edges_of_erased_people_and_of_unknown_types_tell_nothing_and_leave_no_id(person: str, tmp_path: Path) -> None:
    edges = table(
        tmp_path,
        *(("ada", "bob", "friend", 1, None), ("cyd", "dee", "friend", 2, None), ("bob", "cyd", "block", 1, None)),
        *(("dee", "dee", "friend", 1, None), ("dee", "ada", "follow", 0, None)),
    )
    erased = ErasedUsers({SALT: frozenset([erased_hash(person, SALT)])})
    left = telling_edges(edges, erased)
    assert left.ids == ["cyd", "dee"]
    assert near(left) == {"cyd": {"dee": 1.0}, "dee": {"cyd": 1.0}}
    assert left.report.notes == ("edges of type block are not used; wanted friend or follow",)
    assert telling_edges(edges, None).ids == USERS


def test_no_edges_make_no_circles(tmp_path: Path) -> None:
    nothing = table(tmp_path)
    circles = circles_of(telling_edges(nothing, None), USERS, None)
    assert (circles.user_ids, circles.offsets.tolist(), len(circles.near)) == ([], [0], 0)
    later = replace(table(tmp_path, ("ada", "bob", "friend", 1, START_MS)))
    assert circles_of(later, USERS, 0).offsets.dtype == np.int64
    assert near(later, 0) == {}
