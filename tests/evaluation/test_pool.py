from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from recommender.types import DAY_MS
from tests.evaluation.cases import make_cases
from training.evaluation.bootstrap import bootstrap
from training.evaluation.grouping import Grouping
from training.evaluation.metrics import Measured
from training.evaluation.pool import Outcome, Pool, joined, pooled
from training.evaluation.segments import LEAST_USERS, segment_figures
from training.evaluation.summary import summary
from training.evaluation.table import title


def outcome_of(
    user_ids: Sequence[str], own: Sequence[float], cut: int = 0, seed: int = 0, other: float = 0.1
) -> Outcome:
    """One target a user, item 0 of the even and item 1 of the odd; the pipeline is worth `own`, als a constant."""
    cases = make_cases([[place % 2] for place in range(len(user_ids))], 2)
    values = {"windowshop": np.array(own), "als": np.full(len(own), other)}
    return Outcome(
        cut=cut,
        seed=seed,
        window_ms=(DAY_MS * (100 - 10 * cut), DAY_MS * (110 - 10 * cut)),
        user_ids=user_ids,
        item_ids=["a", "b"],
        cases=cases,
        measured={
            name: Measured({"ndcg@20": column, "recall@20": column}, {"coverage@20": 0.5})
            for name, column in values.items()
        },
        target_hits=values,
        groupings=[
            Grouping("place", "users", ("even", "odd"), np.arange(len(own)) % 2, ordered=True),
            Grouping("item", "targets", ("a", "b"), np.arange(len(own)) % 2, ordered=False),
        ],
        fit_seconds={"als": 1.0 + seed},
    )


def ids(n: int, start: int = 0) -> list[str]:
    return [f"u{place}" for place in range(start, start + n)]


PROTOCOL = {"k": [20], "seed": 3, "resamples": 400, "target": "purchase", "novel_only": False, "cold": False}


# --- pooling


def test_each_case_counts_alike_and_seeds_are_averaged_first() -> None:
    newest = [outcome_of(ids(2), [0.0, 0.4], seed=0), outcome_of(ids(2), [0.2, 0.6], seed=1)]
    older = [outcome_of(ids(3, 1), [1.0] * 3, cut=1, seed=seed) for seed in (0, 1)]
    pool = pooled([*newest, *older])
    np.testing.assert_allclose(pool.measured["windowshop"].per_user["ndcg@20"], [0.1, 0.5, 1.0, 1.0, 1.0])
    assert pool.cuts.tolist() == [0, 0, 1, 1, 1]
    assert pool.n_users == 4
    # u1 is the second case of one cut and the first of the other.
    assert pool.owners[1] == pool.owners[2]
    assert pool.fit_seconds == {"als": 1.5}
    assert pool.target_cases.tolist() == [0, 1, 2, 3, 4]


def test_a_users_cases_are_drawn_together_so_repeating_a_cut_narrows_nothing() -> None:
    own = np.random.default_rng(1).random(60).tolist()
    once, thrice = (pooled([outcome_of(ids(60), own, cut=cut) for cut in range(cuts)]) for cuts in (1, 3))
    widths = []
    for pool in (once, thrice):
        interval = bootstrap({"a": pool.measured["windowshop"].per_user}, 500, 7, pool.owners).interval("a", "ndcg@20")
        widths.append(interval.high - interval.low)
    assert widths[1] == pytest.approx(widths[0], rel=1e-9)


def test_equal_users_with_equal_targets_have_one_fingerprint_whatever_their_order() -> None:
    two = outcome_of(["x", "y"], [0.1, 0.2])
    other_way = replace(two, user_ids=["y", "x"], cases=make_cases([[1], [0]], 2))
    other_rows = replace(two, item_ids=["b", "a"], cases=make_cases([[1], [0]], 2))
    assert pooled([two]).fingerprint == pooled([other_way]).fingerprint == pooled([other_rows]).fingerprint
    for different in (
        replace(two, user_ids=["x", "z"]),
        replace(two, cases=make_cases([[0], [0, 1]], 2)),
        replace(two, item_ids=["a", "c"]),
    ):
        assert pooled([different]).fingerprint != pooled([two]).fingerprint


def test_positions_follow_no_order_of_ids() -> None:
    owners = pooled([outcome_of(ids(40), [0.0] * 40)]).owners
    assert sorted(owners.tolist()) == list(range(40))
    assert (np.diff(owners) != 1).any()


def test_groupings_of_several_cuts_share_their_labels() -> None:
    parts = [
        Grouping("country", "users", ("DE", "FR"), np.array([0, 1]), ordered=False),
        Grouping("country", "users", ("FR", "IT"), np.array([1, 0]), ordered=False),
    ]
    both = joined(parts)
    assert [both.labels[code] for code in both.codes.tolist()] == ["DE", "FR", "IT", "FR"]


# --- segments


def figures_of(pool: Pool) -> dict[str, dict[str, dict[str, object]]]:
    found = segment_figures(pool, ["windowshop", "als"], 20, 300, seed=2)
    return {grouping["name"]: {segment["label"]: segment for segment in grouping["segments"]} for grouping in found}


def test_a_segment_holds_the_mean_of_its_own_users_and_their_pairs() -> None:
    own = np.random.default_rng(5).random(100)
    found = figures_of(pooled([outcome_of(ids(100), own.tolist())]))
    even: dict[str, object] = found["place"]["even"]
    assert (even["users"], even["targets"]) == (50, 50)
    models, paired = even["models"], even["paired"]
    assert isinstance(models, dict)
    assert isinstance(paired, dict)
    low, high = models["windowshop"]["ndcg@20"]["ci95"]
    assert models["windowshop"]["ndcg@20"]["mean"] == pytest.approx(own[::2].mean())
    assert low < own[::2].mean() < high
    assert paired["windowshop-als"]["recall@20"]["mean"] == pytest.approx(own[::2].mean() - 0.1)
    hits = found["item"]["b"]["models"]
    assert isinstance(hits, dict)
    assert hits["windowshop"]["hits@20"]["mean"] == pytest.approx(own[1::2].mean())


def test_nothing_is_said_of_a_segment_of_few_users() -> None:
    pool = pooled([outcome_of(ids(60), [0.5] * 60)])
    few = Grouping(
        "few", "users", ("few", "none", "many"), np.repeat([0, 2], [LEAST_USERS - 1, 61 - LEAST_USERS]), True
    )
    one = Grouping("one", "users", ("all",), np.zeros(60, np.int64), ordered=True)
    found = figures_of(replace(pool, groupings=[few, one]))
    assert list(found) == ["few"]
    assert list(found["few"]) == ["few", "many"]
    assert (found["few"]["few"]["users"], found["few"]["few"]["models"]) == (LEAST_USERS - 1, {})
    assert found["few"]["many"]["models"]


def test_the_smaller_of_many_groups_are_told_together() -> None:
    codes = np.concatenate([np.full(60, 14), np.arange(300) % 15])
    grouping = Grouping("city", "users", tuple(f"city {chr(97 + n)}" for n in range(15)), codes, ordered=False)
    pool = replace(pooled([outcome_of(ids(360), [0.5] * 360)]), groupings=[grouping])
    found = figures_of(pool)["city"]
    assert next(iter(found)) == "city o"
    assert len(found) == 13
    assert found["all others"]["users"] == 60


def test_a_value_that_few_users_share_is_not_named() -> None:
    email = Grouping("email", "users", tuple(f"u{n}@x" for n in range(80)), np.arange(80), ordered=False)
    city = Grouping("city", "users", ("Here", "Rare"), np.repeat([0, 1], [62, 18]), ordered=False)
    pool = replace(pooled([outcome_of(ids(80), [0.5] * 80)]), groupings=[email, city])
    found = figures_of(pool)
    assert {name: list(segments) for name, segments in found.items()} == {"city": ["Here", "all others"]}


def test_where_nothing_is_known_of_the_items_there_is_no_segment_of_them() -> None:
    labels = ("unknown", "Food", "no candidate")
    nothing = Grouping("category", "targets", labels, np.repeat([0, 2], 40), ordered=False)
    pool = replace(pooled([outcome_of(ids(80), [0.5] * 80)]), groupings=[nothing])
    assert figures_of(pool) == {}


def test_groups_that_are_numbers_stand_in_their_order() -> None:
    labels = ("65+", "unknown", "15-24K", "Under 15K", "9")
    grouping = Grouping("age", "users", labels, np.repeat(np.arange(5), [29, 28, 27, 26, 25]), ordered=False)
    pool = replace(pooled([outcome_of(ids(135), [0.5] * 135)]), groupings=[grouping])
    assert list(figures_of(pool)["age"]) == ["9", "Under 15K", "15-24K", "65+", "unknown"]


# --- the report of several


def test_the_summary_pools_cuts_and_holds_each_by_itself() -> None:
    own = np.random.default_rng(8).random(50).tolist()
    outcomes = [outcome_of(ids(50), own, cut=0), outcome_of(ids(40, 30), own[:40], cut=1, other=0.3)]
    report, pool = summary(PROTOCOL | {"cuts": 2, "window_ms": list(outcomes[0].window_ms or ())}, outcomes, ())
    assert report.users == pool.n_users == 70
    assert report.protocol["scored"]["cases"] == 90
    assert report.models["als"]["ndcg@20"]["mean"] == pytest.approx((50 * 0.1 + 40 * 0.3) / 90)
    assert [run["models"]["als"]["ndcg@20"]["mean"] for run in report.further["runs"]] == pytest.approx([0.1, 0.3])
    assert [run["users"] for run in report.further["runs"]] == [50, 40]
    assert {grouping["name"] for grouping in report.further["segments"]} == {"place", "item"}
    assert title(report) == "70 users, target purchase, all items, test days 1970-04-01 to 1970-04-20, 2 cuts"
    alone, _ = summary(PROTOCOL, outcomes[:1], ())
    assert "runs" not in alone.further
