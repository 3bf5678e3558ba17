"""How a source climbs: what it tries, where it stops, and what the other half of the users has to say."""

from __future__ import annotations

from collections.abc import Callable

from recommender.features.recency import Recency
from training.models.shapes import EaseShape
from training.search.climb import Candidate, Climb, next_step
from training.search.record import Trial


def climbed(climb: Climb, ndcg: Callable[[Candidate], list[float]]) -> list[Candidate]:
    """All that it tried, each of the users' figures made up."""
    tried: list[Candidate] = []
    walk = climb.walk()
    candidate = next(walk)
    while True:
        tried.append(candidate)
        try:
            candidate = walk.send(Trial(climb.name, candidate.choice(), ndcg(candidate), 1.0, fitted=True))
        except StopIteration:
            return tried


def hill(candidate: Candidate) -> list[float]:
    """Best at a half-life of 90 days and a regularisation of 50."""
    assert isinstance(candidate.shape, EaseShape)
    height = 1 - abs(candidate.recency.half_life_days - 90) / 1_000 - candidate.shape.regularization / 10_000
    return [height] * 4


def test_steps_go_to_what_stands_beside_and_end_at_the_ends() -> None:
    steps = (3.0, 7.0, 14.0, 0.0)
    assert [next_step(steps, value, up=1) for value in (7.0, 14.0, 0.0, 10.0)] == [14.0, 0.0, None, 14.0]
    assert [next_step(steps, value, up=-1) for value in (7.0, 3.0, 10.0)] == [3.0, None, 7.0]


def test_a_climb_reaches_the_top_and_tries_nothing_twice() -> None:
    climb = Climb("ease", EaseShape(500.0), {}, timed=True)
    tried = climbed(climb, hill)
    assert climb.agreed() == Candidate(EaseShape(50.0), Recency(90, 0, 300))
    assert len(tried) == len(set(tried)) < 40


def test_what_the_configuration_fixes_is_not_walked_along() -> None:
    fixed = {"shape": {"regularization": 500.0}, "recency": {"half_life_days": 45.0}}
    tried = climbed(Climb("ease", EaseShape(500.0), fixed, timed=True), hill)
    assert {(one.shape, one.recency.half_life_days) for one in tried} == {(EaseShape(500.0), 45.0)}
    assert len({one.recency.half_life_items for one in tried}) > 2


def test_without_times_nothing_fades() -> None:
    tried = climbed(Climb("ease", EaseShape(500.0), {}, timed=False), hill)
    assert {one.recency for one in tried} == {Recency(0, 0, 1_000)}


def test_what_only_half_of_the_users_likes_is_not_taken() -> None:
    def split(candidate: Candidate) -> list[float]:
        height = hill(candidate)[0]
        return [height, 1 - height] * 2

    climb = Climb("ease", EaseShape(500.0), {}, timed=True)
    climbed(climb, split)
    assert climb.best is not None
    assert climb.best[0].shape == EaseShape(50.0)
    assert climb.agreed() is None
