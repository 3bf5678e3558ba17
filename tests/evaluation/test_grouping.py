from __future__ import annotations

import numpy as np

from recommender.types import DAY_MS, NO_TIME
from tests.evaluation.cases import make_cases, training_part
from training.evaluation.grouping import (
    Grouping,
    by_attributes,
    by_category,
    by_history_length,
    by_item_age,
    by_popularity,
)


def told(grouping: Grouping) -> list[str]:
    return [grouping.labels[code] for code in grouping.codes.tolist()]


def test_users_are_grouped_by_how_many_events_they_have_of_any_type() -> None:
    events = [(0, 0, 0.0)] * 4 + [(1, 0, 1.0)] * 5 + [(2, 1, 0.0)] * 700
    grouping = by_history_length(training_part(*events), make_cases([[0], [1], [0, 1]], 2))
    assert told(grouping) == ["1 - 4 events", "5 - 9 events", "500 or more events"]
    assert grouping.of == "users"


def test_a_target_is_as_old_as_its_items_first_event_before_the_cut() -> None:
    first_seen = np.array([100 * DAY_MS - 1, 94 * DAY_MS, 93 * DAY_MS, NO_TIME])
    grouping = by_item_age(first_seen, 100 * DAY_MS, make_cases([[0, 1], [2, 3], [-1]], 4))
    assert told(grouping) == ["0 - 6 days", "0 - 6 days", "7 - 29 days", "no event before", "no candidate"]


def test_a_decile_holds_a_tenth_of_the_events_not_of_the_items() -> None:
    popularity = np.array([50, 40, 5, 5, 0])
    grouping = by_popularity(popularity, make_cases([[0, 1, 2, 3, 4]], 5))
    # Fifty events of a hundred: their middle lies at 25, that of the next at 70, of the equal two at 95.
    assert told(grouping) == ["3", "8", "10, least popular", "10, least popular", "no event before"]
    assert told(by_popularity(np.array([0, 0]), make_cases([[0, 1]], 2))) == ["no event before"] * 2


def test_items_are_grouped_by_the_first_level_that_tells_any_apart() -> None:
    cases = make_cases([[0, 1], [2]], 3)
    assert told(by_category(["Food > Fruit > Apples", "Tools", ""], cases)) == ["Food", "Tools", "unknown"]
    deeper = by_category(["Home > Lamps > Desk", "Home > Rugs", ""], cases)
    assert told(deeper) == ["Home > Lamps", "Home > Rugs", "unknown"]
    assert told(by_category(["", "", ""], cases)) == ["unknown"] * 3
    assert told(by_category(["Home"] * 3, cases)) == ["Home"] * 3


def test_users_are_grouped_by_every_attribute_and_those_without_one_are_unknown() -> None:
    rows = np.array([1, 0, -1, 2], np.int32)
    age, country = by_attributes({"country": ["FR", "DE", ""], "age": ["30", None, "40"]}, rows)
    assert (age.name, country.name) == ("user.age", "user.country")
    assert told(country) == ["DE", "FR", "unknown", "unknown"]
    assert told(age) == ["unknown", "30", "unknown", "40"]
