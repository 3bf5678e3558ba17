from __future__ import annotations

import numpy as np
import pytest

from recommender.bundle import Bundle, BundleWriter, open_bundle
from recommender.feed.sources.newcomers import NewcomersSource
from recommender.types import Item
from tests.feed.sources.contract import N_ITEMS, query_of
from tests.worlds import SOURCES, tiny_items, write_tiny_bundle

FLOOR = 1e-3
#: Half of the log is of the first item's kind, as 55 newcomers are, and a tenth of the second's, as five are.
COMMON = np.array([0.5, 0.1], np.float32)
N_NEW = (55, 5)
HISTORY = [(0, "purchase", 2.0), (1, "purchase", 1.0)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> NewcomersSource:
    items = [*tiny_items(), *(Item(f"new-{n}", title=f"new {n}") for n in range(sum(N_NEW)))]
    written = write_tiny_bundle(tmp_path_factory.mktemp("newcomers") / "tiny", items)
    codes = np.full((len(items), 1), -1, np.int32)
    codes[[0, 1], 0] = 0, 1
    codes[N_ITEMS:, 0] = np.repeat([0, 1], N_NEW)
    writer = BundleWriter(written.folder)
    writer.array("newcomers/codes", codes)
    writer.array("newcomers/common", COMMON)
    writer.array("newcomers/offsets", np.cumsum([0, *N_NEW]).astype(np.int64))
    writer.array("newcomers/rows", np.arange(N_ITEMS, len(items), dtype=np.int32))
    still = {"half_life_days": 0.0, "half_life_items": 0.0, "limit": 100, "floor": FLOOR}
    writer.finish(written.manifest.model_copy(update={"sources": {**SOURCES, "newcomers": still}}))
    bundle: Bundle = open_bundle(written.folder)
    return NewcomersSource(bundle)


def test_what_is_particular_of_a_history_comes_first_and_names_its_item(source: NewcomersSource) -> None:
    result = source.retrieve(query_of(HISTORY), 200)
    assert set(result.rows[:5].tolist()) == set(range(N_ITEMS + 55, N_ITEMS + 60))
    assert result.evidence.tolist() == [1] * 5 + [0] * 45
    lifts = (0.5 + FLOOR) / (COMMON + FLOOR)
    np.testing.assert_allclose(result.scores, np.repeat(lifts[::-1], (5, 45)), rtol=1e-5)


def test_beside_other_sources_fifty_are_enough_and_alone_all_that_are_allowed(source: NewcomersSource) -> None:
    assert len(source.retrieve(query_of(HISTORY), 200).rows) == 50
    allowed = [False] * N_ITEMS + [True] * 58 + [False] * 2
    rows = source.retrieve(query_of(HISTORY, allowed), 200).rows
    assert sorted(rows.tolist()) == list(range(N_ITEMS, N_ITEMS + 58))


def test_who_has_nothing_of_any_kind_finds_none(source: NewcomersSource) -> None:
    assert (
        len(source.retrieve(query_of([]), 10).rows) == len(source.retrieve(query_of([(2, "view", 1.0)]), 10).rows) == 0
    )
