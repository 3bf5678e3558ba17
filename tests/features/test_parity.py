"""No skew: what the ranker learns from and what it scores with are the same numbers, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.feed.rankers.trees import TreeInputs
from recommender.logs import EventTable, ReadReport
from recommender.types import EVENT_TYPE_CODE, EVENT_TYPES, Candidates, FeedQuery, Scores
from recommender.wiring import build_pipeline
from tests.feed.rankers.test_trees import with_trees
from tests.feed.shops import Shop
from tests.plain_models import WEIGHTLESS
from tests.worlds import NOW_MS, tiny_items, tiny_users, write_tiny_bundle
from training.catalogue import Catalogue
from training.dataset import Dataset, build_dataset
from training.ranking.examples import Examples, build_examples
from training.ranking.replay import Replay, build_replay

#: What each user turns to after the cut: item titles of the tiny world.
TARGETS = {"ada": "sauce-pan", "bob": "steel-pan", "cyd": "hoe", "dee": "tomato-seeds", "gus": "bread-knife"}


def table_of_tiny_users() -> EventTable:
    rows = [(user_id, *touch) for user_id, touches in tiny_users().items() for touch in touches]
    user_ids, item_ids = sorted(tiny_users()), sorted(item.item_id for item in tiny_items())
    return EventTable(
        user_ids=user_ids,
        session_ids=[],
        item_ids=item_ids,
        event_types=EVENT_TYPES,
        users=np.array([user_ids.index(user_id) for user_id, *_ in rows], np.int32),
        sessions=np.full(len(rows), -1, np.int32),
        items=np.array([item_ids.index(item_id) for _, item_id, *_ in rows], np.int32),
        types=np.array([EVENT_TYPE_CODE[kind] for _, _, kind, _ in rows], np.uint8),
        times_ms=np.array([time_ms for *_, time_ms in rows], np.int64),
        extras={},
        report=ReadReport("events", "made", len(rows), len(rows)),
    )


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    table = table_of_tiny_users()
    weights = {name: float(name not in WEIGHTLESS) for name in EVENT_TYPES}
    return build_dataset(table, np.ones(len(table), np.bool_), Catalogue.of_items(tiny_items()), weights, NOW_MS)


@pytest.fixture(scope="module")
def bundle(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose rows are the dataset's, with a learned ranker."""
    items = {item.item_id: item for item in tiny_items()}
    in_order = [items[item_id] for item_id in dataset.item_ids]
    return with_trees(write_tiny_bundle(tmp_path_factory.mktemp("parity") / "tiny", in_order))


@pytest.fixture(scope="module")
def replay(dataset: Dataset) -> Replay:
    table = table_of_tiny_users()
    users = np.array([table.user_ids.index(user_id) for user_id in TARGETS], np.int64)
    items = np.array([table.item_ids.index(f"item-{title}") for title in TARGETS.values()], np.int64)
    n_codes = len(table.user_ids), len(table.item_ids)
    return build_replay(dataset, users, items, n_codes, hide="nothing", history_events=1_000, seed=3)


def test_training_and_serving_see_the_same_ranker_inputs(
    bundle: Bundle, replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = build_examples(build_pipeline(bundle, Settings()), replay.cases(), TreeInputs(bundle).of)
    assert len(examples.offsets) - 1 == len(TARGETS) == len(replay)

    served: list[Scores] = []

    plain = TreeInputs.of

    def recorded(inputs: TreeInputs, query: FeedQuery, candidates: Candidates) -> Scores:
        served.append(plain(inputs, query, candidates))
        return served[-1]

    monkeypatch.setattr(TreeInputs, "of", recorded)
    shop = Shop.open(bundle, tmp_path / "state")
    firsts = []
    for case in replay.cases():
        served.clear()
        assert shop.page(case.query.user_id).cards
        firsts.append(served[0])
    shop.state.close()
    assert_equal_bits(examples, firsts)


def assert_equal_bits(examples: Examples, served: list[Scores]) -> None:
    together = np.concatenate(served)
    assert len(together) == len(examples.inputs) > 5 * len(served)
    np.testing.assert_array_equal(together.view(np.uint32), examples.inputs.view(np.uint32))
